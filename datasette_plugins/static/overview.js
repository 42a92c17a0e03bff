// The overview, live. When calls come in, the page is asked for again, and what differs takes the place of what is there:
// the server alone knows how things are shown. A part that the reader is in is left as it is.
import { callRows } from "./call_rows.js";
import { charts } from "./chart.js";
import { connect } from "./stream.js";

const LEAST_MS = 2000;
const REST = 20; // times as long as the page took
const EVEN_SO_MS = 60_000; // what is recent becomes old also without new calls

const latest = document.getElementById("latest");
const drawn = charts();
let again = 0;
let asking = false;
let missed = false; // calls that came while it was being asked
let due = performance.now() + LEAST_MS;

function put(old, fresh) {
  if (old.innerHTML === fresh.innerHTML || old.contains(document.activeElement)) return;
  old.replaceChildren(...fresh.childNodes);
}

function putChart(figure, fresh) {
  const [was, is] = [figure, fresh].map((f) => f.querySelector("script"));
  if (was.textContent === is.textContent) return;
  was.textContent = is.textContent;
  for (const part of [".says", "table"]) put(figure.querySelector(part), fresh.querySelector(part));
  figure.querySelector(".plot").setAttribute("aria-label", fresh.querySelector(".plot").getAttribute("aria-label"));
  drawn.get(figure.id)(JSON.parse(is.textContent));
}

function putAll(page) {
  for (const fresh of page.querySelectorAll("[data-part]")) {
    const old = document.querySelector(`[data-part="${fresh.dataset.part}"]`);
    put(old, fresh);
  }
  for (const fresh of page.querySelectorAll("#counted, #counted > section, #start")) {
    if (fresh.id) document.getElementById(fresh.id).hidden = fresh.hidden;
  }
  const figures = [...page.querySelectorAll("figure.chart")];
  if (figures.length && !document.querySelector("figure.chart")) {
    document.getElementById("charts").replaceChildren(...figures);
    for (const [id, draw] of charts()) drawn.set(id, draw);
  } else {
    for (const fresh of figures) putChart(document.getElementById(fresh.id), fresh);
  }
  label();
}

async function refresh() {
  asking = true;
  const began = performance.now();
  try {
    const answer = await fetch(location.href);
    if (answer.ok && !answer.redirected) putAll(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    // The stream says that nobody answers.
  }
  asking = false;
  const now = performance.now();
  due = now + Math.max(LEAST_MS, REST * (now - began));
  soon(missed ? 0 : EVEN_SO_MS);
  missed = false;
}

// At once where it has rested, else as soon as it has; `within` is the longest to wait for a better reason.
function soon(within = 0) {
  missed ||= asking;
  if (asking) return;
  clearTimeout(again);
  again = setTimeout(() => (document.hidden ? soon(EVEN_SO_MS) : refresh()), Math.max(due - performance.now(), within));
}

// The table shows its first rows until one asks for all.
const rows = document.getElementById("breakdown-rows");
const more = document.getElementById("more");

function label() {
  const open = more.getAttribute("aria-expanded") === "true";
  more.hidden = rows.querySelector(".later") === null;
  more.textContent = open ? "Show fewer" : `Show all ${rows.children.length}`;
}

more.addEventListener("click", () => {
  const open = more.getAttribute("aria-expanded") !== "true";
  more.setAttribute("aria-expanded", String(open));
  rows.classList.toggle("all", open);
  label();
});
label();

const table = callRows({
  drawn({ size }) {
    latest.hidden = size === 0;
  },
});
connect(latest.dataset.events, {
  calls(news) {
    table.show(news);
    soon();
  },
  begin: table.begin,
});
soon(EVEN_SO_MS);
