// The home page, live: rows and counts from /-/live are put into the page as text, never as markup.
import { tickTimes } from "./times.js";
import { connect } from "./stream.js";

const rows = document.getElementById("call-rows");
const limit = Number(rows.dataset.limit);
const byId = new Map([...rows.children].map((tr) => [tr.dataset.id, tr]));

function fill(root, values) {
  for (const el of root.querySelectorAll("[data-f]")) {
    const text = values[el.dataset.f] ?? "";
    if (el.textContent === text) continue;
    el.textContent = text;
    el.classList.toggle("unknown", text === "unknown");
  }
}

function blank(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

function newer(a, b) {
  const [x, y] = [Number(a.dataset.at), Number(b.dataset.at)];
  return x !== y ? x > y : a.dataset.id > b.dataset.id;
}

function show(call) {
  let tr = byId.get(call.id);
  if (!tr) {
    tr = blank("call-row");
    tr.dataset.id = call.id;
    tr.dataset.at = call.started_at;
    tr.querySelector("a").href = rows.dataset.call + encodeURIComponent(call.id);
    const time = tr.querySelector("time");
    time.dateTime = call.iso;
    time.dataset.ms = call.started_at;
    time.title = call.clock;
    tr.classList.add("fresh");
    byId.set(call.id, tr);
    rows.insertBefore(tr, [...rows.children].find((other) => newer(tr, other)) ?? null);
  }
  tr.dataset.state = call.state;
  fill(tr, call);
}

function showCalls({ rows: changed }) {
  changed.forEach(show);
  while (rows.children.length > limit) {
    byId.delete(rows.lastElementChild.dataset.id);
    rows.lastElementChild.remove();
  }
  document.getElementById("start").hidden = byId.size > 0;
  document.getElementById("latest").hidden = byId.size === 0;
  tickTimes(rows);
}

function showSummary({ figures, models }) {
  fill(document.getElementById("figures"), figures);
  document.getElementById("model-rows").replaceChildren(
    ...models.map((model) => {
      const tr = blank("model-row");
      fill(tr, model);
      return tr;
    }),
  );
  document.getElementById("models").hidden = models.length === 0;
  labelMore();
}

// The table by model shows its first rows (llmitm.css) until one asks for all.
const FIRST_MODELS = 5;
const more = document.getElementById("more-models");

function labelMore() {
  const count = document.getElementById("model-rows").children.length;
  const open = more.getAttribute("aria-expanded") === "true";
  more.hidden = count <= FIRST_MODELS;
  more.textContent = open ? "Show fewer" : `Show all ${count}`;
}

more.addEventListener("click", () => {
  const open = more.getAttribute("aria-expanded") !== "true";
  more.setAttribute("aria-expanded", String(open));
  document.getElementById("model-rows").classList.toggle("all", open);
  labelMore();
});

connect(rows.dataset.live, { calls: showCalls, summary: showSummary });
