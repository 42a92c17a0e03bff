"""Counts over a span of time: the figures on top of the home page, and the table by model under them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from typing import Any

from datasette_plugins import queries, units

# The spans a reader can choose: the text of the link, and milliseconds (None: since the beginning).
SPANS: dict[str, tuple[str, int | None]] = {
    "1h": ("1 hour", 3_600_000),
    "24h": ("24 hours", 86_400_000),
    "7d": ("7 days", 7 * 86_400_000),
    "all": ("all time", None),
}
DEFAULT_SPAN = "24h"
SHOWN_MODELS = 12
COUNTED = ("input_tokens", "output_tokens", "cost_usd")


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
