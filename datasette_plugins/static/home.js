// The home page, live: rows and counts from the event stream are put into the page as text, never as markup.
import { blank, callRows, fill } from "./call_rows.js";
import { connect } from "./stream.js";

const latest = document.getElementById("latest");
const table = callRows({
  drawn({ size }) {
    document.getElementById("start").hidden = size > 0;
    latest.hidden = size === 0;
  },
});

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

connect(latest.dataset.events, { calls: table.show, begin: table.begin, summary: showSummary });
