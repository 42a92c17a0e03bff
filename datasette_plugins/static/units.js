// Numbers as people read them, by the same steps as units.py. The name of a unit is the name of its function.
const DIGITS = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const CENTS = new Intl.NumberFormat("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const significant = (value) => String(Number(value.toPrecision(3)));

function compact(value) {
  for (const [size, letter] of [[1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
    if (value >= size * 0.9995) return significant(value / size) + letter;
  }
  return significant(value);
}

function money(usd) {
  if (usd === 0) return "$0";
  if (usd >= 0.0001) return usd >= 1 ? `$${CENTS.format(usd)}` : `$${usd.toFixed(4)}`;
  return usd >= 1e-7 ? `$${usd.toFixed(7).replace(/0+$/, "")}` : "< $0.0000001";
}

function duration(ms) {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  const seconds = ms / 1000;
  if (seconds < 99.95) return `${significant(seconds)} s`;
  const minutes = Math.floor(Math.round(seconds) / 60);
  const two = (n) => String(n).padStart(2, "0");
  return minutes < 60
    ? `${minutes} min ${two(Math.round(seconds) % 60)} s`
    : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

const UNITS = {
  count: (value) => DIGITS.format(value),
  compact,
  money,
  duration,
  percent: (share) => `${significant(share * 100)} %`,
};

export function format(value, unit) {
  return value === null || value === undefined ? "unknown" : (UNITS[unit] ?? UNITS.count)(value);
}

// On an axis, where the steps are round and there is little room.
export function brief(value, unit) {
  if (value === 0) return "0";
  if (unit === "money") return value < 1 ? `$${significant(value)}` : `$${compact(value)}`;
  if (unit === "duration") return value < 1000 ? `${significant(value)} ms` : value < 60_000 ? `${significant(value / 1000)} s` : `${significant(value / 60_000)} min`;
  return unit === "percent" ? format(value, unit) : compact(value);
}
