"""How each provider and model does now, against how it usually does.

Now is the last 15 minutes, or the last hour where these hold too few calls; usual is the week before that hour. A model that had
no call in that time is not listed.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import Literal

from datasette_plugins import units
from datasette_plugins.overview.asked import DAY_MS, HOUR_MS
from datasette_plugins.overview.sums import CALLS, HOURLY, WIDTHS, Key, Sums, Where, by, folded, rows

RECENT_MS = 15 * 60_000
ENOUGH = 5  # calls for a state to rest on
FAILED = 2
FAILING_SHARE = 0.2
FAILING_TIMES = 3
SLOW_TIMES = 2.0
SHOWN_MODELS = 6
KEYS = ("provider", "model")

type State = Literal["failing", "slow", "good", "no traffic"]
ORDER: tuple[State, ...] = ("failing", "slow", "good", "no traffic")


@dataclass(frozen=True)
class Status:
    """Display strings, and `models` of a provider. `value` is what to ask for: see `asked.Asked`."""

    value: str
    label: str
    state: State
    available: str
    failed: str
    latency: str
    usual: str
    window: str
    models: list[Status] = field(default_factory=list)
    more: int = 0


def statuses(db: sqlite3.Connection, now_ms: int, where: Where) -> list[Status]:
    """Of the providers, the busiest first."""
    recent = _read(db, CALLS, now_ms - RECENT_MS, now_ms + RECENT_MS, where)
    hour = by(db, now_ms - HOUR_MS, now_ms + HOUR_MS, [HOURLY, CALLS], KEYS, where)
    usual = _read(db, HOURLY, now_ms - 7 * DAY_MS, now_ms - HOUR_MS, where)
    names = sorted(
        {**usual, **hour}, key=lambda key: (-_requests(usual, key) - _requests(hour, key), str(key))
    )
    wholes = [folded(found, 0) for found in (recent, hour, usual)]
    found = []
    for provider in dict.fromkeys(key[0] for key in names):
        each = [
            _status(key[1], "model", recent.get(key), hour.get(key), usual.get(key, Sums()))
            for key in names
            if key[0] == provider
        ]
        shown = sorted(each[:SHOWN_MODELS], key=lambda s: ORDER.index(s.state))
        now, last, before = (whole.get(provider) for whole in wholes)
        found.append(
            _status(provider, "provider", now, last, before or Sums(), shown, len(each) - len(shown))
        )
    return found


def _read(db: sqlite3.Connection, table: str, start_ms: int, end_ms: int, where: Where) -> dict[Key, Sums]:
    width = WIDTHS[table]
    piece = (table, start_ms // width * width, end_ms // width * width)
    found: dict[Key, Sums] = {}
    for key, values in rows(db, piece, KEYS, where):
        found.setdefault(key, Sums()).add(values)
    return found


def _requests(found: dict[Key, Sums], key: Key) -> int:
    return found[key].number("requests") if key in found else 0


def _status(
    name: str | None,
    dimension: str,
    recent: Sums | None,
    hour: Sums | None,
    usual: Sums,
    models: list[Status] | None = None,
    more: int = 0,
) -> Status:
    enough = recent is not None and recent.number("requests") >= ENOUGH
    now, window = (recent, "15 min") if enough else (hour, "hour")
    measure = "ttft" if now and now.quantile("ttft", 0.5) is not None else "duration"
    median = now.quantile(measure, 0.5) if now else None
    ever = Sums()
    for sums in (usual, hour):
        if sums is not None:
            ever.add(sums.values)
    available = ever.error_share
    return Status(
        value=name or "",
        label=name or f"unknown {dimension}",
        state=state(now, usual),
        available="–" if available is None else units.percent(1 - available),
        failed=f"{now.number('errors'):,} of {now.number('requests'):,}" if now else "–",
        latency="–" if median is None else units.duration(median),
        usual="–" if usual.quantile(measure, 0.5) is None else units.duration(usual.quantile(measure, 0.5)),
        window=window,
        models=models or [],
        more=more,
    )


def state(now: Sums | None, usual: Sums) -> State:
    """In a word. Slow is told by the time to the first token, where there is one: answers differ in length."""
    if now is None or not now.number("requests"):
        return "no traffic"
    share, usual_share = now.error_share or 0, usual.error_share or 0
    if now.number("errors") >= FAILED and share > max(FAILING_SHARE, min(0.9, FAILING_TIMES * usual_share)):
        return "failing"
    for measure in ("ttft", "duration"):
        median, usual_median = now.quantile(measure, 0.5), usual.quantile(measure, 0.5)
        if median is not None and usual_median:
            return (
                "slow" if now.number("requests") >= ENOUGH and median > SLOW_TIMES * usual_median else "good"
            )
    return "good"
