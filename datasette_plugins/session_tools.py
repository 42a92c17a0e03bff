"""`/-/sessions/<id>/tools`: what the tools of a session did, and the files, commands, searches and addresses they were given."""

from __future__ import annotations

import asyncio
import sqlite3
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import Request, Response

from datasette_plugins import session_page, tool_use
from datasette_plugins.access import mask_for, page
from datasette_plugins.session_record import Session

if TYPE_CHECKING:
    from datasette.app import Datasette

HEADINGS = {"file": "Files", "command": "Commands", "search": "Searches", "address": "Addresses"}


@page
async def tools(datasette: Datasette, request: Request) -> Response:
    mask = await mask_for(datasette, request)

    def tool_uses(db: sqlite3.Connection, found: Session) -> list[tool_use.Use]:
        return tool_use.read(db, found.turns, mask)

    found, uses = await session_page.read(datasette, request, tool_uses)
    context = await session_page.head(datasette, request, found, "tools") | await asyncio.to_thread(
        _counted, uses
    )
    context["unread"] = max(len(found.turns) - tool_use.MOST_TURNS, 0)
    return Response.html(
        await datasette.render_template("llmitm_session_tools.html", context, request=request)
    )


def _counted(uses: list[tool_use.Use]) -> dict[str, Any]:
    counted = tool_use.tools(uses)
    things = tool_use.things(uses)
    return {
        "tools": counted[: tool_use.MOST_TOOLS],
        "more_tools": max(len(counted) - tool_use.MOST_TOOLS, 0),
        "things": [
            (HEADINGS[kind], found[: tool_use.MOST_THINGS], max(len(found) - tool_use.MOST_THINGS, 0))
            for kind, found in things.items()
            if found
        ],
        "linked": tool_use.LINKED,
    }
