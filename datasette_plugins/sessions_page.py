"""`/-/sessions`: the sessions, last seen first, with a filter that lives in the address."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette.utils.asgi import Request, Response

from datasette_plugins import dashboard, session_list, units
from datasette_plugins.access import mask_for, page
from datasette_plugins.mask import Mask

if TYPE_CHECKING:
    from datasette.app import Datasette

# Characters of a folder that there is room for.
PLACE = 24


@page
async def sessions(datasette: Datasette, request: Request) -> Response:
    wanted = session_list.filter_of(request.args)
    before = session_list.key_of(request.args.get("before"))
    mask = await mask_for(datasette, request)
    db = dashboard.here(datasette).traffic.attached(datasette)

    def read(conn: sqlite3.Connection) -> tuple[session_list.Found, dict[str, list[str]]]:
        return session_list.find(
            conn, wanted, before, shown=lambda one: masked(one, mask)
        ), session_list.suggestions(conn)

    found, suggested = await db.execute_fn(read) if db else (session_list.Found([], None, stopped=False), {})
    path = datasette.urls.path("/-/sessions")
    context: dict[str, Any] = {
        "rows": [row(one) for one in found.rows],
        "wanted": wanted,
        "filtered": bool(wanted.set),
        "suggested": suggested,
        "stopped_at": found.next[0] if found.stopped and found.next else None,
        "newest": _address(path, wanted, None) if before else None,
        "older": _address(path, wanted, found.next) if found.next else None,
        "path": path,
        "now_ms": time.time_ns() // 1_000_000,
    }
    return Response.html(await datasette.render_template("llmitm_sessions.html", context, request=request))


def row(one: Mapping[str, Any]) -> dict[str, Any]:
    """A session as display strings; `id`, `last_at` and `parent_id` are for the page's own use."""
    running = bool(one["pending"])
    errors = one["errors"]
    place = one["working_folder"] or one["repository"] or ""
    missing = "…" if running else units.UNKNOWN
    return {
        "id": one["id"],
        "title": title(one),
        "parent_id": one["parent_id"],
        "parent_title": one["parent_title"] or "an untitled session",
        "client": one["client"] or "unknown client",
        "version": one["client_version"] or "",
        "user": one["user"] or "",
        "place": place,
        "place_end": place if len(place) <= PLACE else f"…/{'/'.join(place.split('/')[-2:])}",
        "calls": units.count(one["requests"]),
        "errors": "" if not errors else units.count(errors),
        "running": running,
        "input": missing if one["input_tokens"] is None else units.compact(one["input_tokens"]),
        "output": missing if one["output_tokens"] is None else units.compact(one["output_tokens"]),
        "cost": missing if one["cost_usd"] is None else units.money(one["cost_usd"]),
        "duration": "…" if running else duration(one["started_at"], one["ended_at"] or one["last_at"]),
        "last_at": one["last_at"],
        "iso": units.iso(one["last_at"]),
        "clock": units.clock(one["last_at"]),
    }


def masked(one: dict[str, Any], mask: Mask) -> dict[str, Any]:
    """A row with what of its titles and folders may be shown. A title is cut off where it is long."""
    texts = ("title", "parent_title", "working_folder", "repository")
    return one | {
        name: one[name] and mask.text(one[name], cut=one[name].endswith("…")) for name in texts if name in one
    }


def title(one: Mapping[str, Any]) -> str:
    return " ".join((one["title"] or "").split()) or "Untitled session"


def duration(start: float, end: float) -> str:
    return units.duration(max(end - start, 0))


def _address(path: str, wanted: session_list.Filter, before: session_list.Key | None) -> str:
    values = {name: "1" if value is True else str(value) for name, value in wanted.set.items()}
    if before:
        values["before"] = f"{before[0]}-{before[1]}"
    return f"{path}?{urlencode(values)}" if values else path
