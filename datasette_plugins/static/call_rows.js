// The table of calls of `call_table` (llmitm_parts.html), kept fresh: what the server sends of a call is put into its row as
// text, never as markup. Changes are gathered and made once a frame, however many come.
import { tickTimes } from "./times.js";

// Fills the elements of `root` that are named by data-f.
export function fill(root, values) {
  for (const el of root.querySelectorAll("[data-f]")) {
    const text = values[el.dataset.f] ?? "";
    if (el.textContent === text) continue;
    el.textContent = text;
    el.classList.toggle("unknown", text === "unknown");
  }
}

// A new copy of what a <template> holds.
export function blank(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

function newer(a, b) {
  const [x, y] = [Number(a.dataset.at), Number(b.dataset.at)];
  return x !== y ? x > y : a.dataset.id > b.dataset.id;
}

// `show(calls)` takes rows as the events `calls` carry them. `drawn(count)` is called after each change of the table.
export function callRows({ drawn = () => {} } = {}) {
  const body = document.getElementById("call-rows");
  const limit = Number(body.dataset.limit);
  const byId = new Map([...body.children].map((tr) => [tr.dataset.id, tr]));
  const waiting = new Map();
  let frame = 0;

  function made(call) {
    const tr = blank("call-row");
    tr.dataset.id = call.id;
    tr.dataset.at = call.started_at;
    tr.querySelector("a").href = body.dataset.call + encodeURIComponent(call.id);
    const time = tr.querySelector("time");
    time.dateTime = call.iso;
    time.dataset.ms = call.started_at;
    time.title = call.clock;
    tr.classList.add("fresh");
    byId.set(call.id, tr);
    let next = body.firstElementChild;
    while (next && newer(next, tr)) next = next.nextElementSibling;
    body.insertBefore(tr, next);
    tickTimes(tr);
    return tr;
  }

  function draw() {
    frame = 0;
    for (const call of waiting.values()) {
      const tr = byId.get(call.id) ?? made(call);
      tr.dataset.state = call.state;
      fill(tr, call);
    }
    waiting.clear();
    while (body.children.length > limit) {
      byId.delete(body.lastElementChild.dataset.id);
      body.lastElementChild.remove();
    }
    drawn(byId.size);
  }

  function show(calls) {
    for (const call of calls) waiting.set(call.id, call);
    frame ||= requestAnimationFrame(draw);
  }

  return { show };
}
