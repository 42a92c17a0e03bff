"""`/`: the page. It is kept fresh by being asked for again: `static/overview.js` puts the parts that differ in place."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette.utils.asgi import Request, Response

from datasette_plugins import calls, dashboard, queries
from datasette_plugins.access import mask_for, page
from datasette_plugins.overview import top_sessions
from datasette_plugins.overview.asked import DIMENSIONS, LINKS, Asked, asked
from datasette_plugins.overview.breakdown import SHOWN_FIRST
from datasette_plugins.overview.open_items import open_items
from intelligence.store.search_query import written

if TYPE_CHECKING:
    from datasette.app import Datasette

LATEST_CALLS = 8


@page
async def overview(datasette: Datasette, request: Request) -> Response:
    here = dashboard.here(datasette)
    wanted = asked(request.args)
    cursor = here.feed.cursor  # before reading: what is committed in between comes again, and replaces itself
    db = here.traffic.attached(datasette)
    content = await here.contents.of(db, wanted)
    mask = await mask_for(datasette, request)
    context: dict[str, Any] = {
        "asked": wanted,
        "where": dict(wanted.where),
        "content": content,
        "sessions": top_sessions.masked(content.sessions, mask),
        "items": await open_items(here, content),
        "spans": LINKS,
        "dimensions": DIMENSIONS,
        "shown_first": SHOWN_FIRST,
        "calls_path": lambda value: calls_path(wanted, value),
        "rows": [
            calls.wordless(row) if mask else row for row in (await db.execute_fn(_latest) if db else [])
        ],
        "events_path": datasette.urls.path(f"/-/live/events?{urlencode({'calls': 1, 'after': cursor})}"),
        "limit": LATEST_CALLS,
        "now_ms": time.time_ns() // 1_000_000,
    }
    return Response.html(await datasette.render_template("llmitm_overview.html", context, request=request))


def calls_path(wanted: Asked, value: str) -> str | None:
    """Where these calls are listed: the search. What is unknown cannot be searched for."""
    if not value:
        return None
    return f"/-/search?{urlencode({'q': f'{written(wanted.by, value)} since:{wanted.span_name}'})}"


def _latest(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    return [calls.row(c) for c in conn.execute(queries.LATEST, {"limit": LATEST_CALLS})]
