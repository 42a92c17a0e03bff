// The queue of decisions from the keyboard: a, x, n say it of what is ticked, or else of the item that has the focus.
const queue = document.getElementById("queue");
const SAYING = { a: "confirm", x: "dismiss", n: "allow" };
const ticks = () => [...queue.querySelectorAll("input[name=item]")];

function focused() {
  return document.activeElement?.closest(".item") ?? null;
}

function keepPlace(item) {
  const items = [...queue.querySelectorAll(".item")];
  const at = item ? items.indexOf(item) : 0;
  // What is done leaves the list of open ones, and the next stands in its place.
  queue.elements.place.value = String(Math.max(0, Math.min(at, items.length - 2)));
}

function say(what) {
  const button = queue.querySelector(`.bulk button[value="${what}"]`);
  if (!button) return false;
  const item = focused();
  if (!ticks().some((tick) => tick.checked)) {
    if (!item) return false;
    item.querySelector("input[name=item]").checked = true;
  }
  keepPlace(item);
  queue.requestSubmit(button);
  return true;
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const box = event.target.closest("input, textarea, select");
  if (box && box.type !== "checkbox") return;
  const item = focused();
  if (event.key === " " && item && event.target.matches("a")) {
    const tick = item.querySelector("input[name=item]");
    if (tick) tick.checked = !tick.checked;
    event.preventDefault();
  } else if (SAYING[event.key] && say(SAYING[event.key])) {
    event.preventDefault();
  }
}

if (queue) {
  document.addEventListener("keydown", pressed);
  queue.addEventListener("submit", (event) => {
    if (event.submitter?.closest(".item")) keepPlace(event.submitter.closest(".item"));
  });
  document.getElementById("tick-all")?.addEventListener("change", (event) => {
    for (const tick of ticks()) tick.checked = event.target.checked;
  });
  if (/^#item-\d+$/.test(location.hash)) {
    (document.querySelector(location.hash) ?? document.querySelector(".item [data-step]"))?.focus();
  }
}
