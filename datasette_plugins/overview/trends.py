"""The charts: how the calls of a span went on, step by step."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from datasette_plugins import units
from datasette_plugins.charts import Chart, Series
from datasette_plugins.overview.asked import Asked
from datasette_plugins.overview.sums import PLACE, WEEKLY, WIDTHS, Sums, add, begin, rows
from intelligence.store.rollups import WEEK_MS

MOST_SERIES = 5  # of a stack; the rest is one more, in grey
REST = "c6"
PRICES = ("cost_usd", "subscription_usd")


class Steps:
    """The steps of a span: `times` are when each begins, and the last is the one that goes on now. `sums`: what the calls of each
    add up to; `paid`, by step and what is told apart, at least their prices, and all where `whole` says from when on: from the
    first step that does not begin before the span."""

    def __init__(self, asked: Asked, now_ms: int) -> None:
        self.paid: dict[tuple[int, str | None], Sums] = {}
        self.whole: int | None = None
        self.width_ms = asked.span.step_ms
        end = self.width_ms + (
            begin(WEEKLY, now_ms) if self.width_ms == WEEK_MS else now_ms // self.width_ms * self.width_ms
        )
        count = -(-asked.span.width_ms // self.width_ms)
        self.origin = end - count * self.width_ms
        self.end = end
        self.times = [self.origin + n * self.width_ms for n in range(count)]
        self.sums = [Sums() for _ in self.times]

    def table(self, given: Sequence[str]) -> str:
        """The coarsest of the tables `given` whose rows each belong to one step."""
        return next(table for table in given if self.width_ms % WIDTHS[table] == 0)

    def labelled(self) -> dict[str | None, Sums]:
        """By what is told apart, of the steps since `whole`."""
        found: dict[str | None, Sums] = {}
        if self.whole is not None:
            first = (self.whole - self.origin) // self.width_ms
            for (n, label), sums in self.paid.items():
                if n >= first:
                    add(found, label, sums.values)
        return found


def read(db: sqlite3.Connection, asked: Asked, now_ms: int, given: Sequence[str]) -> Steps:
    """`given` are the tables to sum over, coarsest first. Raises `sqlite3.Error`."""
    steps = Steps(asked, now_ms)
    table, step = steps.table(given), (steps.origin, steps.width_ms)
    piece = (table, steps.origin, steps.end)
    if table == given[0] and WIDTHS[table] == steps.width_ms:
        # All of it in one pass, from which the sums of the span can be made too.
        for (n, label), values in rows(db, piece, (asked.by,), asked.where, step=step):
            add(steps.paid, (n, label), values)
            steps.sums[n].add(values)
        steps.whole = steps.origin + -(-(now_ms - asked.span.width_ms - steps.origin) // step[1]) * step[1]
        return steps
    for (n,), values in rows(db, piece, (), asked.where, step=step):
        steps.sums[n].add(values)
    for (n, label), (usd, flat_usd) in rows(db, piece, (asked.by,), asked.where, PRICES, step):
        priced = Sums()
        priced.values[PLACE[PRICES[0]]], priced.values[PLACE[PRICES[1]]] = usd, flat_usd
        add(steps.paid, (n, label), priced.values)
    return steps


def charts(steps: Steps, asked: Asked, total: Sums) -> list[Chart]:
    """`total` is what the whole span adds up to."""
    found = steps.sums
    paid: dict[str, list[list[float]]] = {name: [] for name in PRICES}
    labels: dict[str | None, int] = {}
    for (n, label), one in steps.paid.items():
        at = labels.setdefault(label, len(labels))
        for name in PRICES:
            while len(paid[name]) <= at:
                paid[name].append([0.0] * len(steps.times))
            paid[name][at][n] += one[name] or 0
    names = [label or f"unknown {asked.by}" for label in labels]
    return [
        _requests(steps, found, total),
        _cost(steps, asked, names, paid, total),
        _tokens(steps, found, total),
        _quantiles(steps, found, total, "duration", "Latency", (0.5, 0.95, 0.99)),
        _quantiles(steps, found, total, "ttft", "Time to first token", (0.5, 0.95)),
        _cache(steps, found, total),
    ]


def _requests(steps: Steps, found: list[Sums], total: Sums) -> Chart:
    failed = [sums.number("errors") for sums in found]
    rest = [sums.number("requests") - sums.number("errors") for sums in found]
    says = f"{units.count(total.number('requests'))}, {units.count(total.number('errors'))} failed"
    series = [Series("failed", failed, color="bad"), Series("others", rest, color="c1")]
    return Chart("requests", "Requests", says, "bars", steps.times, series)


def _cost(
    steps: Steps, asked: Asked, names: list[str], paid: dict[str, list[list[float]]], total: Sums
) -> Chart:
    """What is paid by the call; where nothing is, what a flat rate paid for."""
    flat = not total["cost_usd"] and bool(total["subscription_usd"])
    name = "subscription_usd" if flat else "cost_usd"
    all_series = sorted(zip(names, paid[name], strict=True), key=lambda s: (-sum(s[1]), s[0]))
    # One more than fits is no reason for a rest of one.
    most = len(all_series) if len(all_series) <= MOST_SERIES + 1 else MOST_SERIES
    series = [Series(label, values, "money") for label, values in all_series[:most] if sum(values)]
    if rest := all_series[most:]:
        sums = [sum(values) for values in zip(*(values for _, values in rest), strict=True)]
        if sum(sums):
            series.append(Series(f"{len(rest)} others", sums, "money", REST))
    left_out = total.left_out("unpriced")
    says = units.money(total[name]) if total[name] or not left_out else units.UNKNOWN
    says += f", {left_out:,} {'call' if left_out == 1 else 'calls'} unpriced" if left_out else ""
    title = f"{'Cost under a flat rate, at list price,' if flat else 'Cost'} by {asked.by}"
    return Chart("cost", title, says, "bars", steps.times, series)


def _tokens(steps: Steps, found: list[Sums], total: Sums) -> Chart:
    cached = [sums["cache_read_tokens"] or 0 for sums in found]
    fresh = [max(0, (sums["input_tokens"] or 0) - (sums["cache_read_tokens"] or 0)) for sums in found]
    output = [sums["output_tokens"] or 0 for sums in found]
    says = f"{units.compact(total['input_tokens'])} in, {units.compact(total['output_tokens'])} out"
    series = [
        Series("input, read from cache", cached, "compact", "c6"),
        Series("input, fresh", fresh, "compact", "c1"),
        Series("output", output, "compact", "c2"),
    ]
    return Chart("tokens", "Tokens", says, "bars", steps.times, series)


def _quantiles(
    steps: Steps, found: list[Sums], total: Sums, measure: str, title: str, shares: tuple[float, ...]
) -> Chart:
    series = [
        Series(f"p{share * 100:.0f}", [sums.quantile(measure, share) for sums in found], "duration")
        for share in shares
    ]
    parts = [f"p{share * 100:.0f} {units.duration(total.quantile(measure, share))}" for share in shares]
    says = ", ".join(parts) if total.quantile(measure, 0.5) is not None else "nothing measured"
    return Chart(measure, title, says, "line", steps.times, series)


def _cache(steps: Steps, found: list[Sums], total: Sums) -> Chart:
    share = total.cache_share
    says = "nothing told" if share is None else f"{units.percent(share)} of input"
    series = [Series("read from cache", [sums.cache_share for sums in found], "percent")]
    return Chart("cache", "Input read from cache", says, "line", steps.times, series)
