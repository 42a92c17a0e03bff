// The live page: the table of calls, what of it one wants to see, and whether it may move.
import { callRows } from "./call_rows.js";
import { connect } from "./stream.js";

const $ = (id) => document.getElementById(id);
const [controls, field, pause] = [$("controls"), $("filter"), $("pause")];
const kinds = [...controls.querySelectorAll("[data-kind]")];
const SEARCHED = ["model", "provider", "client", "state_label", "preview", "id"];

let words = [];
let states = new Set();
let held = false;
let begun = false;
const table = callRows({ drawn, wanted });

function wanted(values, state) {
  if (states.size && !states.has(state)) return false;
  if (!words.length) return true;
  const text = SEARCHED.map((name) => values[name] ?? "").join("\n").toLowerCase();
  return words.every((word) => text.includes(word));
}

function drawn() {
  const counts = table.states();
  for (const button of kinds) {
    const own = button.dataset.states.split(" ").filter(Boolean);
    const count = own.length ? own.reduce((sum, state) => sum + (counts[state] ?? 0), 0) : table.size;
    const small = button.querySelector("small");
    if (small.textContent !== String(count)) small.textContent = count;
  }
  const { size, shown } = table;
  $("start").hidden = !begun || size > 0;
  $("latest").hidden = size === 0;
  $("none").hidden = size === 0 || shown > 0;
  tell();
}

function tell() {
  const waiting = table.news;
  let text = held ? "Paused" : "";
  if (held && waiting) text += ` · ${waiting.toLocaleString("en-US")} new call${waiting === 1 ? "" : "s"} waiting`;
  if ($("counted").textContent !== text) $("counted").textContent = text;
}

function setPause(on) {
  held = on;
  pause.setAttribute("aria-pressed", String(on));
  pause.textContent = on ? "Resume" : "Pause";
  document.body.classList.toggle("held", on);
  table.hold(on);
  tell();
}

// The address says what is filtered, so that it can be kept and sent.
function filter({ text, kind }) {
  field.value = text;
  words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = kinds.find((button) => button.dataset.kind === kind) ?? kinds[0];
  for (const button of kinds) button.setAttribute("aria-pressed", String(button === chosen));
  states = new Set(chosen.dataset.states.split(" ").filter(Boolean));
  const url = new URL(location.href);
  for (const [name, value, usual] of [["q", text, ""], ["state", chosen.dataset.kind, "all"]]) {
    if (value === usual) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  if (url.href !== location.href) history.replaceState(null, "", url);
  table.filter();
}

const chosen = () => kinds.find((button) => button.getAttribute("aria-pressed") === "true").dataset.kind;

function begin(event) {
  begun = true;
  table.begin(event);
  if (event.missed) {
    $("missed").textContent = `${event.missed.toLocaleString("en-US")} calls came and ended while this page was away, and are not in this list. The overview and the search have them.`;
    $("missed").hidden = false;
  }
}

field.addEventListener("input", () => filter({ text: field.value, kind: chosen() }));
field.addEventListener("keydown", (event) => event.key === "Escape" && field.blur());
for (const button of kinds) button.addEventListener("click", () => filter({ text: field.value, kind: button.dataset.kind }));
$("everything").addEventListener("click", () => filter({ text: "", kind: "all" }));
pause.addEventListener("click", () => setPause(!held));
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, button, summary, dialog")) return;
  event.preventDefault();
  setPause(!held);
});

controls.hidden = false;
const asked = new URL(location.href).searchParams;
filter({ text: (asked.get("q") ?? "").slice(0, 200), kind: asked.get("state") ?? "all" });
connect(controls.dataset.events, {
  calls(event) {
    table.show(event);
    if (held) tell();
  },
  progress: table.progress,
  begin,
});
