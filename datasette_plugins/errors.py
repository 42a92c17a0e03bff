"""What a reader sees, and the log says, when a page cannot be given.

Datasette's own handler prints every exception with the local variables of each frame: prompts and headers would land in the log,
for a mere 404 too. It is switched off (`server.build`), and this one takes its place: JSON for `.json`, our frame for
people, and in the log the traceback of what is our mistake, without values.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from datasette.database import QueryInterrupted
from datasette.utils.asgi import Base400, DatabaseNotFound, Request, Response
from datasette.views.base import DatasetteError

from datasette_plugins import dashboard
from datasette_plugins.guard import STRICT_CSP
from datasette_plugins.traffic import DATABASE

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

TITLES = {
    400: "This request cannot be understood",
    403: "This may not be seen or changed here",
    404: "There is no such page",
    500: "Something went wrong here",
}

NO_SUCH_ADDRESS = "Nothing stands at this address. It may have been typed or copied wrong."
NOTHING_YET = "The tables are made when the worker first runs, which “llmitm up” starts. They hold every call from then on."
UNREADABLE = (
    "The file is there, but is no database that can be opened. What stands above all pages says what to do."
)
TOO_LONG = (
    "It was given up after a second, so that others need not wait. Ask for less: the newest, a shorter time, or fewer columns. "
    "The search finds calls by model, client, state, cost and time in any record."
)


async def respond(datasette: Datasette, request: Request, exception: BaseException) -> Response:
    """The answer for an exception that a page, ours or Datasette's, raised."""
    if isinstance(exception, Base400):
        if (
            exception.status == 404
            and request.path.startswith(f"/{DATABASE}")
            and DATABASE not in datasette.databases
        ):
            if (dashboard.here(datasette).data_dir / f"{DATABASE}.db").exists():
                return await page(datasette, request, 404, UNREADABLE, "The record cannot be read")
            return await page(datasette, request, 404, NOTHING_YET, "Nothing is recorded yet")
        # How Datasette reads the first word of any path that no page has.
        if isinstance(exception, DatabaseNotFound):
            return await page(datasette, request, 404, NO_SUCH_ADDRESS)
        return await page(
            datasette, request, exception.status, str(exception.args[0] if exception.args else "")
        )
    if isinstance(exception, DatasetteError):
        # Its message may be HTML with parts of the query in it.
        plain = exception.plain_message or ("" if exception.message_is_html else exception.message)
        return await page(datasette, request, exception.status, plain, exception.title)
    if isinstance(exception, QueryInterrupted):
        return await page(datasette, request, 400, TOO_LONG, "This takes too long to find")
    log.error("%s %s failed", request.method, request.path, exc_info=exception)
    return await page(datasette, request, 500, "The log of the dashboard says more.")


async def page(
    datasette: Datasette, request: Request, status: int, message: str, title: str | None = None
) -> Response:
    path = request.path.partition("?")[0]
    if path.endswith(".json") or "application/json" in request.headers.get("accept", ""):
        return Response.error(message, status)
    context: dict[str, Any] = {
        "status": status,
        "title": title or TITLES.get(status, "Error"),
        "message": message,
    }
    return Response.html(
        await datasette.render_template("llmitm_error.html", context, request=request),
        status=status,
        headers={"content-security-policy": STRICT_CSP},
    )
