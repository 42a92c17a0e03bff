"""`/`: counts over a span, the table by model, and the latest calls, which appear while one looks."""

from __future__ import annotations

import sqlite3
import time
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import Request, Response

from datasette_plugins import calls, dashboard, queries, summary
from datasette_plugins.access import page
from datasette_plugins.feed import LATEST_CALLS

if TYPE_CHECKING:
    from datasette.app import Datasette


@page
async def home(datasette: Datasette, request: Request) -> Response:
    here = dashboard.here(datasette)
    span = summary.span_named(request.args.get("span"))
    cursor = here.feed.cursor  # before reading: what is committed in between comes again, and replaces itself
    now_ms = time.time_ns() // 1_000_000
    db = here.traffic.attached(datasette)
    context: dict[str, Any] = {
        "rows": await db.execute_fn(_latest) if db else [],
        "summary": (await here.summaries.of(db, span)).content,
        "span": span,
        "spans": {name: label for name, (label, _) in summary.SPANS.items()},
        "events_path": datasette.urls.path(f"/-/live/events?calls=1&span={span}&after={cursor}"),
        "limit": LATEST_CALLS,
        "now_ms": now_ms,
    }
    return Response.html(await datasette.render_template("llmitm_home.html", context, request=request))


def _latest(conn: sqlite3.Connection) -> list[dict[str, Any]]:
    return [calls.row(c) for c in conn.execute(queries.LATEST, {"limit": LATEST_CALLS})]
