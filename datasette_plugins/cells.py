"""Cells of Datasette's own tables that can say more than their value: ids lead to our pages, times are readable."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from datasette_plugins import units
from datasette_plugins.traffic import DATABASE

if TYPE_CHECKING:
    from datasette.app import Datasette

CALL_IDS = {("calls", "id"), ("requests", "id"), ("events", "call")}
TIMES = {("calls", "started_at"), ("requests", "started_at"), ("events", "at")}


def render(datasette: Datasette, database: str, table: str | None, column: str, value: Any) -> Markup | None:
    """The cell as HTML; `None` leaves it to Datasette."""
    if database != DATABASE or table is None or value is None:
        return None
    if (table, column) in CALL_IDS:
        path = datasette.urls.path(f"/-/calls/{value}")
        return Markup('<a href="{}">{}</a>').format(path, value)
    if (table, column) in TIMES and isinstance(value, int):
        return Markup('<time datetime="{}" title="{}">{}</time>').format(
            units.iso(value), value, escape(units.clock(value))
        )
    return None
