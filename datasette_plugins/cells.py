"""Cells of Datasette's own tables and of SQL results that can say more than their value.

What a column holds is known by its name, so that it reads the same in tables, views and one's own SQL: ids lead to our pages,
times, money, durations, tokens and sizes are readable, JSON and long texts are folded. The value as it is stored stays in the
`title`. Everything is text from traffic and is escaped; what is exported as JSON or CSV is left as it is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from markupsafe import Markup

from datasette_plugins import units
from datasette_plugins.traffic import DATABASE

if TYPE_CHECKING:
    from datasette.app import Datasette

TIMES = frozenset({"started_at", "last_at", "at", "hour", "created_at"})
SIZES = frozenset({"bytes", "body_bytes"})
COUNTS = frozenset({"requests", "errors", "unpriced", "uncounted", "calls", "asked"})
SESSIONS = frozenset({"session_id", "parent_id"})
# Tables whose `id` is that of a session.
OF_SESSIONS = frozenset({"sessions", "sessions_overview"})
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(\.\d+)?")

SHORT, LONG = 140, 3_000  # characters shown at once, and when unfolded
MOST_JSON = 20_000
MOST_NAMES = 12


def render(datasette: Datasette, database: str, table: str | None, column: str, value: Any) -> Markup | None:
    """The cell as HTML; `None` leaves it to Datasette. `table` is None for the result of SQL."""
    if database != DATABASE or value is None:
        return None
    if isinstance(value, str):
        return _link(datasette, table, column, value) or _text(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return _number(column, value)


def _link(datasette: Datasette, table: str | None, column: str, value: str) -> Markup | None:
    if column not in ("id", "call", "call_id", *SESSIONS):
        return None
    session = column in SESSIONS or (column == "id" and table in OF_SESSIONS)
    if not _ID.fullmatch(value) and table is None:
        return None
    path = datasette.urls.path(f"/-/{'sessions' if session else 'calls'}/") + quote(
        value, safe="", errors="replace"
    )
    return Markup('<a class="mono" href="{}">{}</a>').format(path, value)


def _number(column: str, value: float) -> Markup | None:
    if column in TIMES:
        if not 10**11 < value < 10**14:
            return None
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            units.iso(value), value, units.clock(value)
        )
    shown: Callable[[float | None], str] | None = None
    if column == "usd" or column.endswith("_usd"):
        shown = units.money
    elif column.endswith("_ms"):
        shown = units.duration
    elif column in SIZES:
        shown = units.size
    elif column.endswith("_tokens") or column in COUNTS:
        shown = units.count
    return None if shown is None else Markup('<span title="{}">{}</span>').format(value, shown(value))


def _text(value: str) -> Markup | None:
    if value[:1] in ("[", "{") and len(value) <= MOST_JSON:
        try:
            return _json(value, json.loads(value))
        except (ValueError, RecursionError):
            pass  # looks like it, and is none
    if len(value) <= SHORT:
        return None
    return _folded(_begin(value), value)


def _json(raw: str, value: Any) -> Markup:
    """A short list of names as such, anything else folded."""
    if (
        isinstance(value, list)
        and len(value) <= MOST_NAMES
        and all(isinstance(v, str) and len(v) < 80 for v in value)
    ):
        return Markup("{}").format(", ".join(value)) if value else Markup('<span class="nothing">none</span>')
    size = len(value)
    what = f"{size} {'members' if isinstance(value, dict) else 'items'}"
    first = ", ".join(list(value)[:3]) if isinstance(value, dict) else ""
    return _folded(
        f"{what}: {first[:60]}" if first else what, json.dumps(value, indent=1, ensure_ascii=False)
    )


def _begin(text: str) -> str:
    return " ".join(text[: 2 * SHORT].split())[:SHORT].rstrip() + "…"


def _folded(begin: str, text: str) -> Markup:
    left = len(text) - LONG
    more = f"\n… and {left:,} more characters" if left > 0 else ""
    return Markup(
        '<details class="cell"><summary dir="auto">{}</summary><pre dir="auto">{}</pre></details>'
    ).format(begin, text[:LONG] + more)
