// Keeps every <time data-ms> saying how long ago that was; the full time stays in its title.
const STEPS = [[86400, "d"], [3600, "h"], [60, "min"]];

const zone = document.documentElement.dataset.zone;
const clock = zone ? new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "medium", timeStyle: "medium" }) : null;

function ago(ms) {
  const seconds = Math.max(0, (Date.now() - ms) / 1000);
  for (const [step, unit] of STEPS) if (seconds >= step) return `${Math.floor(seconds / step)} ${unit} ago`;
  return seconds >= 1 ? `${Math.floor(seconds)} s ago` : "now";
}

export function tickTimes(root = document) {
  for (const time of root.querySelectorAll("time[data-ms]")) {
    const text = ago(Number(time.dataset.ms));
    if (time.textContent !== text) time.textContent = text;
    if (clock) {
      const full = clock.format(Number(time.dataset.ms));
      if (time.title !== full) time.title = full;
    }
  }
}

setInterval(tickTimes, 1000);
