"""Counts over a span of time: the figures on top of the home page, and the table by model under them.

Counting reads every call of the span, so all viewers share what is counted (`Summaries`), and counting takes at most a
small share of the time, however many calls there are.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from datasette.database import Database

from datasette_plugins import queries, units

# The spans a reader can choose: the text of the link, and milliseconds (None: since the beginning).
SPANS: dict[str, tuple[str, int | None]] = {
    "1h": ("1 hour", 3_600_000),
    "24h": ("24 hours", 86_400_000),
    "7d": ("7 days", 7 * 86_400_000),
    "all": ("all time", None),
}
DEFAULT_SPAN = "24h"
SHOWN_MODELS = 50
COUNTED = ("input_tokens", "output_tokens", "cost_usd")


# A summary is not counted again before this, and not before it has rested so many times as long as it took.
LEAST_SECONDS = 1.0
REST = 20


@dataclass(frozen=True)
class Summary:
    """`at`: when counting began, on the clock `time.monotonic`. `content` is as `of_models` gives it."""

    at: float
    took: float
    content: dict[str, Any]


class Summaries:
    """The last summary of each span."""

    def __init__(self) -> None:
        self._last: dict[str, Summary] = {}
        self._counting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, db: Database | None, span: str) -> Summary:
        """Raises `sqlite3.Error`."""
        if db is None:
            return Summary(time.monotonic(), 0, of_models([]))
        async with self._counting[span]:
            last = self._last.get(span)
            if last and time.monotonic() - last.at < max(LEAST_SECONDS, REST * last.took):
                return last
            began = time.monotonic()
            content = await db.execute_fn(lambda conn: read(conn, span, time.time_ns() // 1_000_000))
            self._last[span] = Summary(began, time.monotonic() - began, content)
            return self._last[span]


def span_named(name: str | None) -> str:
    return name if name in SPANS else DEFAULT_SPAN


def read(db: sqlite3.Connection, span: str, now_ms: int) -> dict[str, Any]:
    """The summary of a span, as `of_models` gives it. Raises `sqlite3.Error`."""
    width = SPANS[span][1]
    since = 0 if width is None else now_ms - width
    return of_models(db.execute(queries.BY_MODEL, {"since": since}).fetchall())


def of_models(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """`figures` (name to display strings) and `models` (a list of rows of display strings), from `queries.BY_MODEL`."""
    models = [dict(row) for row in rows]
    names = ("calls", "errors", "blocked", "pending", "input_unknown", "output_unknown", "cost_unknown")
    total: dict[str, Any] = {name: sum(m[name] or 0 for m in models) for name in names}
    for name in COUNTED:
        stated = [m[name] for m in models if m[name] is not None]
        total[name] = sum(stated) if stated else None
    shown = models[:SHOWN_MODELS]
    return {
        "figures": {
            "calls": units.count(total["calls"]),
            "running": f"{total['pending']:,} running" if total["pending"] else "",
            "errors": units.count(total["errors"]),
            "error_share": _share(total["errors"], total["calls"]),
            **_stated(total),
        },
        "models": [_model(m) for m in shown],
        "more_models": len(models) - len(shown),
    }


def _model(m: dict[str, Any]) -> dict[str, Any]:
    return {
        "provider": m["provider"] or "unknown provider",
        "model": m["model"] or "unknown model",
        "calls": units.count(m["calls"]),
        "errors": units.count(m["errors"]),
        **_stated(m),
    }


def _stated(m: dict[str, Any]) -> dict[str, str]:
    """Tokens and cost, each with a note on the calls for which the provider did not state them."""
    shown = {}
    for name, column, unknown, show in (
        ("input", "input_tokens", "input_unknown", units.compact),
        ("output", "output_tokens", "output_unknown", units.compact),
        ("cost", "cost_usd", "cost_unknown", units.money),
    ):
        left_out = m[unknown] or 0
        nothing_yet = m[column] is None and not left_out
        shown[name] = ("0" if name != "cost" else "$0") if nothing_yet else show(m[column])
        shown[f"{name}_note"] = f"+ {left_out:,} unknown" if left_out and m[column] is not None else ""
    return shown


def _share(part: int, whole: int) -> str:
    if not part:
        return ""
    percent = 100 * part / whole
    return f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %"
