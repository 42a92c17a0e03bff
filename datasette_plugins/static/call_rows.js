// The table of calls of `call_table` (llmitm_parts.html), kept fresh: what the server sends of a call is put into its row as
// text, never as markup. A change is made at once; more that come within `GATHER_MS` of it are gathered and made together, for each
// drawing costs the same however much is new, what comes of running calls waits for it, and none is made while the table is held.
// Beyond the table's limit the calls go that changed longest ago; those that run go last.
import { tickTimes } from "./times.js";
import { format } from "./units.js";

const AGE_MS = 500;
const GATHER_MS = 16;
const PROGRESS_MS = 150;
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
  return a.at !== b.at ? a.at > b.at : a.id > b.id;
}

// What is known of a row: `values` are its texts by name. Kept here, because to ask the page costs more.
function entry(tr) {
  const { id, at, state } = tr.dataset;
  const cells = new Map([...tr.querySelectorAll("[data-f]")].map((el) => [el.dataset.f, el]));
  return { id, at: Number(at), state, tr, cells, whole: tr.querySelector("a.whole"), values: Object.fromEntries([...cells].map(([name, el]) => [name, el.textContent])) };
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
  let near = 0; // rows that fill the window, and some; 0 if that is to be measured
  let timer = 0; // of the next drawing
  let due = 0;
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
    const known = entry(tr);
    let next = body.firstElementChild;
    while (next && newer(byId.get(next.dataset.id), known)) next = next.nextElementSibling;
    body.insertBefore(tr, next);
    tickTimes(tr);
    return known;
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
    known.tr.hidden = !wanted(known.values, known.state);
    filtered ||= known.tr.hidden;
  }

  function drop(id) {
    byId.get(id)?.tr.remove();
    byId.delete(id);
  }

  function age({ at, cells }) {
    put(cells.get("duration"), format(Math.max(Date.now() - skew - at, 0), "duration"));
  }

  function draw() {
    drawnAt = performance.now();
    for (const [id, call] of changed) {
      const known = byId.get(id) ?? made(call);
      byId.delete(id); // so that the last one is the one that changed last
      byId.set(id, known);
      known.state = known.tr.dataset.state = call.state;
      set(known, { progress: "", ...call });
      if (call.state === "pending") age(known);
    }
    for (const [id, values] of told) {
      const known = byId.get(id);
      if (known?.state === "pending") set(known, values);
    }
    for (const id of gone) drop(id);
    if (running) for (const [id, { state }] of byId) if (state === "pending" && !running.has(id)) drop(id);
    changed.clear();
    told.clear();
    gone.clear();
    running = null;
    news = 0;
    for (const pending of [false, true]) {
      for (const [id, { state }] of byId) {
        if (byId.size <= limit) break;
        if ((state === "pending") === pending) drop(id);
      }
    }
    place();
    drawn(table);
  }

  // What is in the page: far down nobody sees a row before they scroll, and each one costs in every drawing.
  function place() {
    const all = scrolled || filtered;
    near ||= Math.ceil((1.2 * innerHeight) / (body.firstElementChild?.offsetHeight || 25));
    const most = all ? Infinity : near;
    body.classList.toggle("all", all);
    if (body.children.length < Math.min(most, byId.size)) {
      const away = [...byId.values()].filter(({ tr }) => !tr.isConnected).sort((a, b) => (newer(a, b) ? -1 : 1));
      body.append(...away.map(({ tr }) => tr));
    }
    while (body.children.length > most) body.lastElementChild.remove();
  }

  // Draws within that time, and at once where that is none and the last drawing is long enough ago.
  function soon(within = 0) {
    if (held) return;
    const now = performance.now();
    const at = Math.max(drawnAt + GATHER_MS, now + within);
    if (timer && at >= due) return;
    clearTimeout(timer);
    timer = 0;
    due = at;
    if (at <= now) draw();
    else timer = setTimeout(again, at - now);
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
      for (const { state } of byId.values()) counts[state] = (counts[state] ?? 0) + 1;
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
      soon(PROGRESS_MS);
    },
    // The event `begin`.
    begin({ now, running: ids }) {
      skew = Date.now() - now;
      running = new Set(ids);
      soon(BEGIN_MS); // with the first rows, if some come
    },
    hold(on) {
      held = on;
      soon();
    },
    filter() {
      filtered = false;
      for (const { tr, values, state } of byId.values()) {
        tr.hidden = !wanted(values, state);
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
  addEventListener("resize", () => {
    near = 0;
    place();
  });
  setInterval(() => {
    if (held || document.hidden) return;
    for (const known of byId.values()) if (known.state === "pending") age(known);
  }, AGE_MS);
  return table;
}
