"""The table by one dimension, and what is notably different from the span before."""

from __future__ import annotations

from dataclasses import dataclass

from datasette_plugins import units
from datasette_plugins.overview.figures import change
from datasette_plugins.overview.sums import Sums

SHOWN = 50
SHOWN_FIRST = 8
MOST_CHANGES = 8
# What is notable.
COST_USD = 0.01
COST_SHARE = 0.25
ERRORS = 3
ERROR_POINTS = 0.02
SLOWER = 0.5
FEW = 20


@dataclass(frozen=True)
class Row:
    """Display strings; `value` is what to ask for to see these calls alone ("" what is unknown), `share` 0-100 of the largest."""

    value: str
    label: str
    requests: str
    share: float
    change: str
    failed: str
    input: str
    output: str
    cost: str
    cost_share: float
    flat: str
    median: str
    p95: str


def table(now: dict[str | None, Sums], before: dict[str | None, Sums], dimension: str) -> list[Row]:
    """Most requests first, at most `SHOWN`."""
    order = sorted(now, key=lambda value: (-now[value].number("requests"), value or ""))[:SHOWN]
    most = max((now[value].number("requests") for value in order), default=0)
    dearest = max((now[value]["cost_usd"] or 0 for value in order), default=0)
    return [_row(value, now[value], before.get(value), dimension, most, dearest) for value in order]


def _row(
    value: str | None, sums: Sums, before: Sums | None, dimension: str, most: int, dearest: float
) -> Row:
    usd, flat = sums["cost_usd"], sums["subscription_usd"]
    return Row(
        value=value or "",
        label=value or f"unknown {dimension}",
        requests=units.count(sums.number("requests")),
        share=round(100 * sums.number("requests") / most, 1) if most else 0,
        change=change(sums.number("requests"), before.number("requests")) if before else "new",
        failed=units.percent(sums.error_share) if sums.number("errors") else "0",
        input=units.compact(sums["input_tokens"]),
        output=units.compact(sums["output_tokens"]),
        cost=units.money(usd if usd is not None or sums.left_out("unpriced") else 0),
        cost_share=round(100 * (usd or 0) / dearest, 1) if dearest else 0,
        flat=units.money(flat) if flat else "",
        median=_or_dash(sums.quantile("duration", 0.5)),
        p95=_or_dash(sums.quantile("duration", 0.95)),
    )


def _or_dash(ms: float | None) -> str:
    return "–" if ms is None else units.duration(ms)


@dataclass(frozen=True)
class Change:
    """`tone` is `bad`, `good` or empty; `dimension` and `value` are what to ask for to see it."""

    weight: float
    tone: str
    label: str
    says: str
    dimension: str
    value: str


def changes(now: dict[str | None, Sums], before: dict[str | None, Sums], dimension: str) -> list[Change]:
    """The largest first: what is new or gone, costs more or less, fails more, is slower."""
    total = sum(sums["cost_usd"] or 0 for sums in now.values()) or 1
    found: list[Change] = []
    for value in {**now, **before}:
        label = value or f"unknown {dimension}"
        if value not in before:
            requests = now[value].number("requests")
            weight = 0.2 + (now[value]["cost_usd"] or 0) / total
            says = f"new: {units.count(requests)} {'request' if requests == 1 else 'requests'}"
            found.append(Change(weight, "", label, says, dimension, value or ""))
        elif value not in now:
            requests = before[value].number("requests")
            if requests >= FEW:
                says = f"not used any more; {units.count(requests)} requests before"
                found.append(Change(0.1, "", label, says, dimension, value or ""))
        else:
            for weight, tone, says in _differences(now[value], before[value], total):
                found.append(Change(weight, tone, label, says, dimension, value or ""))
    return sorted(found, key=lambda c: (-c.weight, c.label, c.says))[:MOST_CHANGES]


def _differences(now: Sums, before: Sums, total: float) -> list[tuple[float, str, str]]:
    found = []
    usd, old = now["cost_usd"] or 0.0, before["cost_usd"] or 0.0
    if abs(usd - old) >= COST_USD and abs(usd - old) >= COST_SHARE * max(old, COST_USD):
        says = f"costs {units.money(usd)}, {'up' if usd > old else 'down'} from {units.money(old)}"
        found.append((abs(usd - old) / total, "bad" if usd > old else "good", says))
    failed, failed_before = now.error_share or 0, before.error_share or 0
    if now.number("errors") >= ERRORS and failed - failed_before >= ERROR_POINTS:
        says = f"fails more: {units.percent(failed)}, {units.percent(failed_before)} before"
        found.append((1 + failed - failed_before, "bad", says))
    median, median_before = now.quantile("duration", 0.5), before.quantile("duration", 0.5)
    enough = min(now.number("requests"), before.number("requests")) >= FEW
    if enough and median and median_before and median / median_before - 1 >= SLOWER:
        says = f"slower: median {units.duration(median)}, {units.duration(median_before)} before"
        found.append((0.5 + min(median / median_before, 5) / 10, "bad", says))
    return found
