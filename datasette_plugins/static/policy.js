// The policy editor: line numbers, what is wrong in which line as one types, completion of keys, and the backtest.
import { completing } from "./policy_keys.js";

const form = document.getElementById("editor");
const WAIT_MS = 400;
const ASK_MS = 500;
const LOGGED_OUT = "You are logged in no more, or may edit no more. Copy the text before you leave this page.";
const NO_ANSWER = "The dashboard does not answer just now. What you typed is still here.";

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function numbers(box, text, wrong) {
  const count = text.value.split("\n").length;
  box.replaceChildren();
  for (let n = 1; n <= count; n += 1) box.append(element("span", `${n}\n`, wrong.has(n) ? "bad" : ""));
}

async function ask(url, name, text) {
  const body = text === undefined ? undefined : new URLSearchParams({ file: name, text });
  const response = await fetch(url, { method: body ? "POST" : "GET", body }).catch(() => undefined);
  if (response?.ok || response?.status === 409) return response.json();
  throw new Error(response?.status === 403 ? LOGGED_OUT : NO_ANSWER);
}

function reveal(text, line) {
  const lines = text.value.split("\n");
  const start = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
  text.scrollTop = Math.max(0, (line - 5) * parseFloat(getComputedStyle(text).lineHeight));
}

function tellErrors(told, found, name, text) {
  told.className = found.errors.length ? "bad" : "good";
  if (found.errors.length === 0) {
    const rules = `${found.rules} rule${found.rules === 1 ? "" : "s"}`;
    const examples = `${found.examples} example${found.examples === 1 ? "" : "s"}`;
    told.replaceChildren(element("p", `All is right: ${rules}, ${examples} as expected.`));
    return;
  }
  const list = element("ul", undefined, "faults");
  for (const error of found.errors) {
    const item = element("li");
    if (error.line && error.file === name) {
      const go = element("button", `line ${error.line}`, "button");
      go.type = "button";
      go.addEventListener("click", () => reveal(text, error.line));
      item.append(go, " ");
    } else if (error.file) {
      item.append(element("code", `${error.file}:${error.line}`), " ");
    }
    item.append(element("span", error.message));
    list.append(item);
  }
  told.replaceChildren(list);
}

function tellDifference(diff) {
  const box = document.getElementById("changed");
  box.hidden = diff.length === 0;
  const kinds = { "+": "plus", "-": "minus", "@": "hint" };
  const lines = diff.map(([sign, line]) =>
    element("span", sign === "@" ? `${line}\n` : `${sign} ${line}\n`, kinds[sign] ?? "same"));
  document.getElementById("difference").replaceChildren(...lines);
}

function tellBacktest(found) {
  const box = document.getElementById("backtested");
  const bar = document.getElementById("progress");
  bar.hidden = !found.running;
  bar.value = found.total ? (100 * found.done) / found.total : 0;
  if (found.error) box.replaceChildren(element("p", found.error, "bad"));
  if (!found.report) return;
  const report = found.report;
  const list = element("ul", undefined, "faults");
  for (const rule of report.rules) {
    const said = Object.entries(rule.actions).map(([action, count]) => `${action} ${count.toLocaleString("en")}`);
    const item = element("li");
    const failed = rule.failed ? `; could not be judged ${rule.failed.toLocaleString("en")} times` : "";
    item.append(element("code", rule.rule), ` ${rule.mode === "shadow" ? "(shadow) " : ""}${said.join(", ") || "nothing"}${failed} `);
    rule.calls.forEach((href, n) => {
      const link = element("a", String(n + 1));
      link.href = href;
      link.setAttribute("aria-label", `Call ${n + 1} of ${rule.rule}`);
      item.append(link, " ");
    });
    list.append(item);
  }
  const cost = report.cost_usd ? `, which cost $${report.cost_usd.toFixed(2)}` : "";
  const gone = report.gone ? ` ${report.gone.toLocaleString("en")} could not be judged in full.` : "";
  const stopped = `${report.stopped.toLocaleString("en")} would have been stopped${cost}.${gone}`;
  box.replaceChildren(
    element("p", `${report.calls.toLocaleString("en")} calls of ${report.days} days: ${stopped}`),
    list,
  );
}

function editing(text, box, told) {
  const name = form.elements.file.value;
  let timer = 0;
  let asked = 0;
  async function check() {
    asked += 1;
    const mine = asked;
    try {
      const found = await ask(form.dataset.check, name, text.value);
      if (mine !== asked) return;
      tellErrors(told, found, name, text);
      tellDifference(found.diff);
      numbers(box, text, new Set(found.errors.filter((e) => e.file === name).map((e) => e.line)));
    } catch (error) {
      told.className = "bad";
      told.replaceChildren(element("p", error.message));
    }
  }
  text.addEventListener("input", () => {
    numbers(box, text, new Set());
    clearTimeout(timer);
    timer = setTimeout(check, WAIT_MS);
  });
  completing(text, document.getElementById("completions"), form.dataset.schema);
  if (!told.childElementCount) check();
  const button = document.getElementById("backtest");
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      let found = await ask(form.dataset.backtest, name, text.value);
      while (found.running) {
        tellBacktest(found);
        await new Promise((done) => setTimeout(done, ASK_MS));
        found = await ask(form.dataset.backtest);
      }
      tellBacktest(found);
    } catch (error) {
      document.getElementById("progress").hidden = true;
      document.getElementById("backtested").replaceChildren(element("p", error.message, "bad"));
    } finally {
      button.disabled = false;
    }
  });
}

if (form) {
  const text = document.getElementById("text");
  const box = form.querySelector(".numbers");
  const told = document.getElementById("told");
  const wrong = [...told.querySelectorAll("[data-line]")].filter((li) => li.dataset.file === form.elements.file.value);
  numbers(box, text, new Set(wrong.map((li) => Number(li.dataset.line))));
  text.addEventListener("scroll", () => { box.scrollTop = text.scrollTop; });
  if (form.dataset.line) reveal(text, Number(form.dataset.line));
  if ("edits" in form.dataset) editing(text, box, told);
}
