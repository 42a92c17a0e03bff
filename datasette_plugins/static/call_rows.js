// The table of calls of `call_table` (llmitm_parts.html), kept fresh: what the server sends of a call is put into its row as
// text, never as markup. A change is made at once; more that come within `GATHER_MS` of it are gathered and made together, for each
// drawing costs the same however much is new, and none while the table is held.
// Beyond the table's limit the calls go that changed longest ago; those that run go last.
import { tickTimes } from "./times.js";
import { format } from "./units.js";

const AGE_MS = 500;
const GATHER_MS = 25;
const NEAR = Math.max(80, Math.ceil(screen.height / 25));
const CALM_MS = 400;
const BEGIN_MS = 200;

// A new copy of what a <template> holds.
export function blank(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

// Fills the elements of `root` that are named by data-f.
export function fill(root, values) {
  for (const el of root.querySelectorAll("[data-f]")) put(el, values[el.dataset.f] ?? "");
}

function put(el, text) {
  if (el.textContent === text) return;
  el.textContent = text;
  el.classList.toggle("unknown", text === "unknown");
}

function newer(a, b) {
  const [x, y] = [Number(a.dataset.at), Number(b.dataset.at)];
  return x !== y ? x > y : a.dataset.id > b.dataset.id;
}

// What is known of a row: `values` are its texts by name.
function entry(tr) {
  const cells = new Map([...tr.querySelectorAll("[data-f]")].map((el) => [el.dataset.f, el]));
  return { tr, cells, whole: tr.querySelector("a.whole"), values: Object.fromEntries([...cells].map(([name, el]) => [name, el.textContent])) };
}

// `drawn(table)` is called after each change; `wanted(values, state)` says whether a call is to be seen.
export function callRows({ drawn = () => {}, wanted = () => true } = {}) {
  const body = document.getElementById("call-rows");
  const limit = Number(body.dataset.limit);
  const byId = new Map([...body.children].reverse().map((tr) => [tr.dataset.id, entry(tr)]));
  const changed = new Map(); // rows that came and are not drawn yet, and in `told` what came of running ones
  const told = new Map();
  const gone = new Set();
  let running = null; // the only ones that may still run
  let held = false;
  let filtered = false;
  let scrolled = scrollY > 0;
  let timer = 0; // of the next drawing
  let drawnAt = -Infinity;
  let madeAt = 0; // when the last row was
  let news = 0; // calls that came while held
  let skew = 0; // of this clock against the server's

  function made(call) {
    const tr = blank("call-row");
    tr.dataset.id = call.id;
    tr.dataset.at = call.started_at;
    tr.querySelector("a").href = body.dataset.call + encodeURIComponent(call.id);
    const time = tr.querySelector("time");
    time.dateTime = call.iso;
    time.dataset.ms = call.started_at;
    time.title = call.clock;
    // In a rush the eye has enough to follow, and the browser enough to do.
    if (byId.size && Date.now() - madeAt > CALM_MS) tr.classList.add("fresh");
    madeAt = Date.now();
    let next = body.firstElementChild;
    while (next && newer(next, tr)) next = next.nextElementSibling;
    body.insertBefore(tr, next);
    tickTimes(tr);
    return entry(tr);
  }

  function set(known, values) {
    Object.assign(known.values, values);
    for (const name of Object.keys(values)) {
      const el = known.cells.get(name);
      if (el) put(el, values[name]);
    }
    if (values.session && known.whole.hidden) {
      known.whole.href = body.dataset.session + encodeURIComponent(values.session);
      known.whole.hidden = false;
    }
    known.tr.hidden = !wanted(known.values, known.tr.dataset.state);
    filtered ||= known.tr.hidden;
  }

  function drop(id) {
    byId.get(id)?.tr.remove();
    byId.delete(id);
  }

  function age({ tr, cells }) {
    put(cells.get("duration"), format(Math.max(Date.now() - skew - Number(tr.dataset.at), 0), "duration"));
  }

  function draw() {
    drawnAt = performance.now();
    for (const [id, call] of changed) {
      const known = byId.get(id) ?? made(call);
      byId.delete(id); // so that the last one is the one that changed last
      byId.set(id, known);
      known.tr.dataset.state = call.state;
      set(known, { progress: "", ...call });
      if (call.state === "pending") age(known);
    }
    for (const [id, values] of told) {
      const known = byId.get(id);
      if (known?.tr.dataset.state === "pending") set(known, values);
    }
    for (const id of gone) drop(id);
    if (running) for (const [id, { tr }] of byId) if (tr.dataset.state === "pending" && !running.has(id)) drop(id);
    changed.clear();
    told.clear();
    gone.clear();
    running = null;
    news = 0;
    for (const pending of [false, true]) {
      for (const [id, { tr }] of byId) {
        if (byId.size <= limit) break;
        if ((tr.dataset.state === "pending") === pending) drop(id);
      }
    }
    place();
    drawn(table);
  }

  // What is in the page: far down nobody sees a row before they scroll, and each one costs in every drawing.
  function place() {
    const all = scrolled || filtered;
    const most = all ? Infinity : NEAR;
    body.classList.toggle("all", all);
    if (body.children.length < Math.min(most, byId.size)) {
      const away = [...byId.values()].map(({ tr }) => tr).filter((tr) => !tr.isConnected);
      body.append(...away.sort((a, b) => (newer(a, b) ? -1 : 1)));
    }
    while (body.children.length > most) body.lastElementChild.remove();
  }

  function soon() {
    if (held || timer) return;
    const wait = drawnAt + GATHER_MS - performance.now();
    if (wait <= 0) draw();
    else timer = setTimeout(again, wait);
  }

  function again() {
    timer = 0;
    if (!held) draw();
  }

  const table = {
    get size() {
      return byId.size;
    },
    get news() {
      return news;
    },
    // How many calls there are of each state.
    states() {
      const counts = {};
      for (const { tr } of byId.values()) counts[tr.dataset.state] = (counts[tr.dataset.state] ?? 0) + 1;
      return counts;
    },
    get shown() {
      let count = 0;
      for (const { tr } of byId.values()) count += !tr.hidden;
      return count;
    },
    // The event `calls`.
    show({ rows, gone: ids = [] }) {
      for (const call of rows) {
        if (!byId.has(call.id) && !changed.has(call.id)) news += 1;
        changed.delete(call.id);
        changed.set(call.id, call);
        told.delete(call.id);
        if (call.state === "pending") running?.add(call.id);
      }
      for (const id of ids) {
        changed.delete(id);
        gone.add(id);
      }
      for (const id of changed.keys()) {
        if (changed.size <= limit) break;
        changed.delete(id);
      }
      soon();
    },
    // The event `progress`.
    progress(values) {
      for (const [id, of] of Object.entries(values)) told.set(id, of);
      soon();
    },
    // The event `begin`.
    begin({ now, running: ids }) {
      skew = Date.now() - now;
      running = new Set(ids);
      setTimeout(soon, BEGIN_MS); // with the first rows, if some come
    },
    hold(on) {
      held = on;
      soon();
    },
    filter() {
      filtered = false;
      for (const { tr, values } of byId.values()) {
        tr.hidden = !wanted(values, tr.dataset.state);
        filtered ||= tr.hidden;
      }
      place();
      drawn(table);
    },
  };

  addEventListener(
    "scroll",
    () => {
      if (scrolled === scrollY > 0) return;
      scrolled = scrollY > 0;
      place();
    },
    { passive: true },
  );
  setInterval(() => {
    if (held || document.hidden) return;
    for (const known of byId.values()) if (known.tr.dataset.state === "pending") age(known);
  }, AGE_MS);
  return table;
}
