// Charts over time (or over the turns of a session), drawn by uPlot into what the macro `chart` of llmitm_chart.html makes:
// a figure with title, summary, legend, the data as JSON, and a table that says the same. Colours are the stylesheet's.
import uPlot from "./vendor/uplot/uPlot.esm.js";
import { brief, format } from "./units.js";

const HEIGHT = 190;
const EDGE = 18; // a label nearer to it would be cut
const zone = document.documentElement.dataset.zone || undefined;
const dayIn = (timeZone) => new Intl.DateTimeFormat("en-GB", { timeZone, day: "numeric", month: "short" });
const hour = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const day = dayIn(zone);
const wholeDay = dayIn("UTC"); // days are summed from midnight to midnight there
const DAY_MS = 86_400_000;
const dark = matchMedia("(prefers-color-scheme: dark)");

const inDays = (data) => !data.x && step(data.times) >= DAY_MS;
const colorName = (series, n) => series.color ?? `c${(n % 6) + 1}`;
const number = (value) => value ?? 0;

// Each series on top of those before it: uPlot draws what it is given, so it is given the sums.
function stacked(series) {
  let below = null;
  return series.map(({ values }) => (below = values.map((v, i) => number(v) + (below ? below[i] : 0))));
}

// A value between two gaps is no line; it gets a point.
function alone(values) {
  return (_plot, _series, _show, gaps) =>
    gaps ? values.flatMap((v, i) => (v != null && values[i - 1] == null && values[i + 1] == null ? [i] : [])) : null;
}

function step(times) {
  return times.length > 1 ? times[1] - times[0] : 3_600_000;
}

function at(data, index) {
  const x = data.times[index];
  if (data.x) return `${data.x} ${x}`;
  const last = x + step(data.times) - DAY_MS;
  if (inDays(data)) return last > x ? `${wholeDay.format(x)} – ${wholeDay.format(last)}` : wholeDay.format(x);
  return `${day.format(x)}, ${hour.format(x)}`;
}

function axes(data, color) {
  const look = { stroke: color("soft"), font: "11.5px system-ui, sans-serif", ticks: { show: false } };
  const label = (plot, x, increment) => {
    if (plot.valToPos(x, "x") > plot.over.clientWidth - EDGE) return "";
    if (data.x) return Number.isInteger(x) ? String(x) : "";
    if (inDays(data)) return wholeDay.format(x);
    const time = hour.format(x);
    return increment >= DAY_MS || time === "00:00" ? day.format(x) : time;
  };
  return [
    { ...look, grid: { show: false }, gap: 6, size: 26, space: 64, values: (plot, xs, _a, _s, increment) => xs.map((x) => label(plot, x, increment)) },
    { ...look, grid: { stroke: color("line"), width: 1 }, gap: 6, size: 52, space: 38, values: (_p, ys) => ys.map((y) => brief(y, data.series[0]?.unit)) },
  ];
}

function drawn(data, n, values, color) {
  const own = color(colorName(data.series[n], n));
  if (data.kind === "line") return { stroke: own, width: 1.75, points: { size: 5, fill: own, filter: alone(values) } };
  if (data.kind === "stacked") return { stroke: color("card"), width: 1, fill: own, points: { show: false } };
  return { stroke: own, width: 0, fill: own, points: { show: false }, paths: uPlot.paths.bars({ size: [0.82, 28], align: 1 }) };
}

// What uPlot needs: the topmost of a stack first, as each is drawn over the ones before.
function plan(data, element, width) {
  const style = getComputedStyle(element);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const values = data.kind === "line" ? data.series.map((s) => s.values) : stacked(data.series);
  const order = values.map((_, n) => n).reverse();
  const end = data.kind === "bars" ? step(data.times) : 0;
  return {
    values: [data.times, ...order.map((n) => values[n])],
    options: {
      width,
      height: HEIGHT,
      ms: 1,
      padding: [8, 4, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { show: data.kind === "line" } },
      tzDate: (ms) => (inDays(data) || zone ? uPlot.tzDate(new Date(ms), inDays(data) ? "Etc/UTC" : zone) : new Date(ms)),
      scales: {
        x: { time: !data.x, range: (_p, low, high) => (low === high ? [low - step(data.times), high + step(data.times)] : [low, high + end]) },
        y: { range: (_p, _low, high) => (high > 0 ? [0, high * 1.06] : [0, 1]) },
      },
      axes: axes(data, color),
      series: [{}, ...order.map((n) => drawn(data, n, values[n], color))],
      hooks: { setCursor: [(plot) => point(plot, data)] },
    },
  };
}

// What the values are where the pointer is.
function point(plot, data) {
  const tip = plot.root.parentElement.querySelector(".tip");
  const { idx, left } = plot.cursor;
  tip.hidden = idx == null || left < 0;
  if (tip.hidden) return;
  const rows = data.series.map((series, n) => {
    const row = document.createElement("p");
    const swatch = document.createElement("i");
    const name = document.createElement("span");
    const value = document.createElement("b");
    swatch.className = colorName(series, n);
    name.textContent = series.label;
    value.textContent = format(series.values[idx], series.unit);
    row.append(swatch, name, value);
    return row;
  });
  const time = document.createElement("p");
  time.textContent = at(data, idx);
  tip.replaceChildren(time, ...rows);
  const middle = plot.over.clientWidth / 2;
  tip.dataset.side = left > middle ? "left" : "right";
}

function legend(figure, data) {
  const list = figure.querySelector(".legend");
  if (!list) return;
  list.replaceChildren(
    ...data.series.map((series, n) => {
      const item = document.createElement("li");
      const swatch = document.createElement("i");
      swatch.className = colorName(series, n);
      item.append(swatch, series.label);
      return item;
    }),
  );
}

// Draws `data` into `figure`, and returns a function that draws other data there.
export function chart(figure, data) {
  const place = figure.querySelector(".plot");
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  let plot = null;
  let shown = data;

  function draw() {
    plot?.destroy();
    plot = null;
    if (shown.times.length === 0 || place.clientWidth === 0) return;
    const { options, values } = plan(shown, place, place.clientWidth);
    plot = new uPlot(options, values, place);
    place.append(tip);
  }

  new ResizeObserver(() => {
    if (!plot) draw();
    else if (plot.width !== place.clientWidth) plot.setSize({ width: place.clientWidth, height: HEIGHT });
  }).observe(place);
  dark.addEventListener("change", () => requestAnimationFrame(draw));
  draw();
  return (next) => {
    shown = next;
    legend(figure, next);
    draw();
  };
}

// All charts of a page that have data in them, by id.
export function charts(root = document) {
  const found = [...root.querySelectorAll("figure.chart")].filter((f) => f.querySelector("script[type='application/json']"));
  return new Map(found.map((f) => [f.id, chart(f, JSON.parse(f.querySelector("script[type='application/json']").textContent))]));
}
