"""The large figures on top: each with what is left out of it, and its change against the span before."""

from __future__ import annotations

from dataclasses import dataclass

from datasette_plugins import units
from datasette_plugins.overview.sums import Sums

# From these on a change is coloured, beside its sign: more calls that fail, longer waits.
ERROR_POINTS = 0.01
SLOWER = 0.25


@dataclass(frozen=True)
class Figure:
    """Display strings. `tone` is `bad` or `good` where a change is one of these, else empty."""

    name: str
    label: str
    value: str
    change: str = ""
    note: str = ""
    before: str = ""
    tone: str = ""


def figures(now: Sums, before: Sums, running: int) -> list[Figure]:
    failed, failed_before = now.error_share, before.error_share
    return [
        Figure(
            "requests",
            "Requests",
            units.count(now.number("requests")),
            change(now.number("requests"), before.number("requests")),
            f"{running:,} running" if running else "",
            units.count(before.number("requests")),
        ),
        Figure(
            "errors",
            "Failed",
            "–" if failed is None else units.percent(failed),
            points(failed, failed_before),
            units.count(now.number("errors"))
            if now.number("errors")
            else "none"
            if failed is not None
            else "",
            units.percent(failed_before),
            tone(failed, failed_before, ERROR_POINTS, relative=False),
        ),
        _tokens("input", "Tokens in", now, before),
        _tokens("output", "Tokens out", now, before),
        _money("cost", "Cost", "cost_usd", now, before),
        _money("flat", "Flat rate", "subscription_usd", now, before),
        _latency("duration", "Latency p50", now, before),
        _latency("ttft", "First token p50", now, before),
        Figure(
            "cache",
            "From cache",
            _of_calls(now, units.percent(now.cache_share)),
            points(now.cache_share, before.cache_share),
            "of input" if now.cache_share is not None else "",
            units.percent(before.cache_share),
        ),
    ]


def change(now: float | None, before: float | None) -> str:
    """`+12 %`, `−5 %`, `× 14`; empty where there is nothing to compare."""
    if now is None or not before:
        return ""
    share = now / before - 1
    if share >= 9.995:
        return f"× {units.compact(now / before)}"
    percent = round(share * 100)
    return f"{_sign(percent)}{abs(percent)} %" if percent else "same"


def points(now: float | None, before: float | None) -> str:
    """The difference of two shares, in points of percent."""
    if now is None or before is None:
        return ""
    difference = round((now - before) * 100, 1)
    return f"{_sign(difference)}{abs(difference):.3g} pts" if difference else "same"


def tone(now: float | None, before: float | None, least: float, *, relative: bool = True) -> str:
    """Whether more is bad here and there is notably more of it, or less."""
    if now is None or before is None or (relative and not before):
        return ""
    difference = now / before - 1 if relative else now - before
    return "bad" if difference >= least else "good" if difference <= -least else ""


def _sign(number: float) -> str:
    return "+" if number > 0 else "−"


def _of_calls(sums: Sums, shown: str) -> str:
    """What is unknown is so of calls; without any there is nothing to know."""
    return "–" if shown == units.UNKNOWN and not sums.number("requests") else shown


def _tokens(name: str, label: str, now: Sums, before: Sums) -> Figure:
    tokens, old = now[f"{name}_tokens"], before[f"{name}_tokens"]
    uncounted = now.left_out("uncounted")
    return Figure(
        name,
        label,
        _of_calls(now, units.compact(tokens)),
        change(tokens, old),
        f"{uncounted:,} uncounted" if uncounted and tokens is not None else "",
        units.compact(old),
    )


def _money(name: str, label: str, column: str, now: Sums, before: Sums) -> Figure:
    usd, old = now[column], before[column]
    unpriced = now.left_out("unpriced")
    # Every call that has a price has it here or there: none here is a sum of nothing, unless prices are missing.
    shown = units.money(usd if usd is not None else None if unpriced and name == "cost" else 0)
    note = (
        f"{unpriced:,} unpriced"
        if name == "cost" and unpriced
        else "at list price"
        if usd and name == "flat"
        else ""
    )
    return Figure(name, label, _of_calls(now, shown), change(usd, old), note, units.money(old))


def _latency(measure: str, label: str, now: Sums, before: Sums) -> Figure:
    median, old = now.quantile(measure, 0.5), before.quantile(measure, 0.5)
    p95, p99 = now.quantile(measure, 0.95), now.quantile(measure, 0.99)
    note = "" if median is None else f"p95 {units.duration(p95)}"
    return Figure(
        measure,
        label,
        _of_calls(now, units.duration(median)),
        change(median, old),
        f"{note} · p99 {units.duration(p99)}" if note and measure == "duration" else note,
        units.duration(old),
        tone(median, old, SLOWER),
    )
