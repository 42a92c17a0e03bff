// The keyboard, on every page of ours: j and k go through the rows of a list, / searches, g goes places, ? tells all this. The bar shows where one is.
const help = document.getElementById("keys");
const PLACES = { o: "overview", l: "live", e: "health", t: "tables", s: "sessions", f: "search", d: "decisions", p: "policy" };
let going = 0;

function typing(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

function step(by) {
  const links = [...document.querySelectorAll("[data-list] a:not(.whole), [data-step]")].filter((a) => a.offsetParent !== null);
  if (links.length === 0) return false;
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1)];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function go(place) {
  const link = document.querySelector(`[data-place="${place}"]`);
  if (link) location.assign(link.href);
  return link !== null;
}

function search() {
  const field = document.querySelector("main input[type=search]");
  if (!field) return go("search");
  field.focus();
  return true;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  const then = Date.now() - going < 1500 ? PLACES[event.key] : undefined;
  going = event.key === "g" ? Date.now() : 0;
  let done = false;
  if (then) done = go(then);
  else if (event.key === "j") done = step(1);
  else if (event.key === "k") done = step(-1);
  else if (event.key === "/") done = search();
  else if (event.key === "?") done = toggle();
  if (done) event.preventDefault();
}

function toggle() {
  if (help.open) help.close();
  else help.showModal();
  return true;
}

document.addEventListener("keydown", pressed);
// On a phone the bar is wider than the window.
document.querySelector(".places [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
const button = document.getElementById("keys-button");
button.hidden = false;
button.addEventListener("click", toggle);
