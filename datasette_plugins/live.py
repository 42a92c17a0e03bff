"""`/-/live`: calls as they happen. The page is empty when it is sent; all that it shows comes by its event stream (`stream`)."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from datasette.utils.asgi import Request, Response

from datasette_plugins.access import page
from datasette_plugins.latest import WINDOW

if TYPE_CHECKING:
    from datasette.app import Datasette

# What one can choose to see, and the states that belong to it.
KINDS = {
    "all": ("All", ()),
    "running": ("Running", ("pending",)),
    "complete": ("Complete", ("complete",)),
    "error": ("Errors", ("error",)),
    "cut": ("Cut off", ("aborted", "interrupted")),
    "blocked": ("Blocked", ("blocked",)),
}


@page
async def live(datasette: Datasette, request: Request) -> Response:
    context = {
        "kinds": KINDS,
        "limit": WINDOW,
        "events_path": datasette.urls.path("/-/live/events?calls=1&progress=1"),
        "now_ms": time.time_ns() // 1_000_000,
    }
    return Response.html(await datasette.render_template("llmitm_live.html", context, request=request))
