// A session played again. Time runs along the turns one after another, calls that ran side by side too. What a turn said is fetched
// when it is near, and put into the page as text, never as markup.
const player = document.getElementById("player");
const { turns } = JSON.parse(document.getElementById("timeline").textContent);
const [play, scrub, speed, waits, clock, now, stage] = ["play", "scrub", "speed", "waits", "clock", "now", "stage"].map((id) => document.getElementById(id));

const SHORT_WAIT = 1500; // between two turns, unless the real waits are asked for
const KEPT = 12; // turns on the stage
const KINDS = { text: "", reasoning: "reasoning", arguments: "arguments", thinking: "reasoning", tool_call: "tool call", tool_result: "tool result" };

const said = new Map(); // by call id: a promise of what its turn says, then the value
let starts = [];
let total = 0;
let position = 0;
let playing = false;
let last = 0;
const onStage = new Map(); // by index of a turn: what is drawn of it

function lay() {
  let at = 0;
  let ended = null;
  starts = turns.map(([, , started, took]) => {
    const gap = ended === null ? 0 : Math.max(started - ended, 0);
    at += waits.checked ? gap : Math.min(gap, SHORT_WAIT);
    const start = at;
    at += took;
    ended = started + took;
    return start;
  });
  total = at;
}

function turnAt(ms) {
  let low = 0;
  let high = turns.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (starts[middle] <= ms) low = middle;
    else high = middle - 1;
  }
  return low;
}

function time(ms) {
  const seconds = Math.floor(ms / 1000);
  const two = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  return `${hours ? `${hours}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

function load(index) {
  const turn = turns[index];
  if (!turn || said.has(turn[0])) return;
  const failed = { asked: [], pieces: [], error: "This turn could not be loaded." };
  const wanted = fetch(player.dataset.calls + encodeURIComponent(turn[0]))
    .then((answer) => (answer.ok ? answer.json() : failed), () => failed)
    .then((value) => {
      said.set(turn[0], value);
      if (value === failed) setTimeout(() => said.delete(turn[0]), 3000);
      return value;
    });
  said.set(turn[0], wanted);
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  if (text) made.textContent = text;
  return made;
}

function part(kind, name, text) {
  const made = element("div", `piece ${kind}`);
  const label = [KINDS[kind] ?? kind.replaceAll("_", " "), name].filter(Boolean).join(" ");
  if (label) made.append(element("p", "kind", label));
  const words = element("p", "words");
  words.dir = "auto";
  words.textContent = text;
  made.append(words);
  return made;
}

function begin(index) {
  const [id, number, , , model] = turns[index];
  const box = element("article", "played");
  const title = element("h2", "");
  const link = element("a", "", `Turn ${number}`);
  link.href = player.dataset.call + encodeURIComponent(id);
  title.append(link, " ", element("small", "", model));
  const asked = element("div", "asked");
  const answer = element("div", "answer");
  box.append(title, asked, answer);
  return { box, asked, answer, shown: 0, ready: false, kind: null, words: null, over: false };
}

function fill(index, view, local) {
  const value = said.get(turns[index][0]);
  if (value === undefined) load(index);
  if (value === undefined || value instanceof Promise) return;
  if (!view.ready) {
    view.ready = true;
    view.asked.append(...value.asked.map((one) => part(one.kind, one.name ?? (one.role === "user" ? "" : one.role), one.text)));
  }
  while (view.shown < value.pieces.length && value.pieces[view.shown][0] <= local) {
    const [, kind, text] = value.pieces[view.shown];
    if (kind === "tool") {
      view.answer.append(element("p", "kind tool", `calls ${text}`));
      view.kind = null;
    } else if (kind === view.kind) {
      view.words.append(text);
    } else {
      const made = part(kind, "", text);
      view.answer.append(made);
      view.kind = kind;
      view.words = made.lastElementChild;
    }
    view.shown += 1;
  }
  if (!view.over && local >= turns[index][3] && view.shown >= value.pieces.length) {
    view.over = true;
    if (value.error) view.answer.append(element("p", "wrong", value.error));
    if (value.as_it_came === false && value.pieces.length) view.answer.append(element("p", "hint", "When its pieces came is no longer known; it is shown whole."));
  }
}

function draw(follow = false) {
  const current = turnAt(position);
  const first = Math.max(0, current - KEPT + 1);
  const near = stage.scrollHeight - stage.scrollTop - stage.clientHeight < 60;
  for (const [index, view] of onStage) {
    const back = position - starts[index];
    const pieces = said.get(turns[index][0])?.pieces;
    const tooFar = view.shown && pieces && pieces[view.shown - 1][0] > back;
    if (index < first || index > current || tooFar || (view.over && back < turns[index][3])) {
      view.box.remove();
      onStage.delete(index);
    }
  }
  for (let index = first; index <= current; index += 1) {
    let view = onStage.get(index);
    if (!view) {
      view = begin(index);
      const after = [...onStage.keys()].filter((other) => other > index).sort((a, b) => a - b)[0];
      stage.insertBefore(view.box, after === undefined ? null : onStage.get(after).box);
      onStage.set(index, view);
    }
    fill(index, view, position - starts[index]);
  }
  load(current + 1);
  if (near || follow) stage.scrollTop = stage.scrollHeight;
  clock.textContent = `${time(position)} / ${time(total)}`;
  const [, number, , , model, state] = turns[current];
  const text = `Turn ${number} · ${model}${state === "complete" ? "" : ` · ${state}`}`;
  if (now.textContent !== text) now.textContent = text;
  scrub.value = String(total ? Math.round((position / total) * 1000) : 0);
  scrub.setAttribute("aria-valuetext", `${time(position)} of ${time(total)}, turn ${number}`);
}

function frame(at) {
  if (!playing) return;
  const current = turns[turnAt(position)][0];
  // A turn that is not there yet is waited for, not skipped.
  if (!(said.get(current) instanceof Promise)) position = Math.min(total, position + (at - last) * Number(speed.value));
  last = at;
  draw();
  if (position >= total) pause();
  else requestAnimationFrame(frame);
}

function pause() {
  playing = false;
  play.textContent = "Play";
  play.setAttribute("aria-pressed", "false");
}

function start() {
  if (position >= total) position = 0;
  playing = true;
  play.textContent = "Pause";
  play.setAttribute("aria-pressed", "true");
  last = performance.now();
  requestAnimationFrame(frame);
}

function goTo(ms) {
  position = Math.min(Math.max(ms, 0), total);
  draw(true);
}

function step(by) {
  const current = turnAt(position);
  goTo(starts[Math.min(Math.max(current + by, 0), turns.length - 1)]);
}

// While paused, what was still on its way is drawn when it has come.
setInterval(() => {
  if (!playing) draw();
}, 250);

play.addEventListener("click", () => (playing ? pause() : start()));
document.getElementById("back").addEventListener("click", () => step(-1));
document.getElementById("on").addEventListener("click", () => step(1));
scrub.addEventListener("input", () => goTo((Number(scrub.value) / 1000) * total));
waits.addEventListener("change", () => {
  const current = turnAt(position);
  const into = position - starts[current];
  lay();
  goTo(starts[current] + into);
});
document.addEventListener("keydown", (event) => {
  const free = !event.ctrlKey && !event.metaKey && !event.altKey && !event.target.closest("input, select, button, a, summary, dialog");
  if (event.key !== " " || !free) return;
  event.preventDefault();
  if (playing) pause();
  else start();
});

lay();
player.hidden = false;
draw(true);
