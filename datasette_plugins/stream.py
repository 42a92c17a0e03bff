"""`/-/live/events`: server-sent events for open pages.

Events: `calls` (rows that are new or changed; its id is the feed's cursor, which a reconnecting browser sends back), `summary`
(counts of the span asked for), `problems` (for the banner). A stream ends by itself after `STREAM_SECONDS`, and as soon as the
dashboard stops: a browser then connects again, and an open page never holds up a shutdown.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import Request

from datasette_plugins import dashboard, summary
from datasette_plugins.access import stream
from datasette_plugins.feed import Feed
from datasette_plugins.guard import Receive, Send

if TYPE_CHECKING:
    from datasette.app import Datasette

STREAM_SECONDS = 30.0
RECONNECT_MS = 250
CHECK_SECONDS = 0.25

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
]


@stream
async def events(datasette: Datasette, request: Request, send: Send, receive: Receive) -> None:
    here = dashboard.here(datasette)
    feed = here.feed
    seen = feed.seen(request.headers.get("last-event-id") or request.args.get("after"))
    span = summary.span_named(request.args.get("span"))
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    left = asyncio.ensure_future(_left(receive))

    async def counts() -> summary.Summary:
        return await here.summaries.of(here.traffic.attached(datasette), span)

    try:
        with feed.watching():
            await _follow(feed, seen, counts, send, left)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        left.cancel()


async def _follow(
    feed: Feed,
    seen: int,
    counts: Callable[[], Awaitable[summary.Summary]],
    send: Send,
    left: asyncio.Future[None],
) -> None:
    end = time.monotonic() + STREAM_SECONDS
    problems: list[Any] | None = None
    counted = count_due = 0.0
    changed = time.monotonic()  # the page may have been given counts from a moment ago
    await _write(send, f"retry: {RECONNECT_MS}\n\n")
    while not feed.closing and not left.done() and time.monotonic() < end:
        if rows := feed.since(seen):
            cursor = feed.cursor
            seen, changed = feed.seen(cursor), time.monotonic()
            await _event(send, "calls", {"rows": rows}, cursor)
        if feed.problems != problems:
            problems = feed.problems
            await _event(send, "problems", {"problems": [p.as_json() for p in problems]})
        if changed > counted and time.monotonic() >= count_due:
            count_due = time.monotonic() + summary.LEAST_SECONDS
            with suppress(sqlite3.Error):  # the database is just being replaced; the feed logs it
                latest = await counts()
                if latest.at > counted:
                    counted = latest.at
                    await _event(send, "summary", latest.content)
        await feed.change(CHECK_SECONDS)


async def _event(send: Send, name: str, data: dict[str, Any], event_id: str | None = None) -> None:
    lines = [f"event: {name}"]
    if event_id:
        lines.append(f"id: {event_id}")
    lines.append(f"data: {json.dumps(data, ensure_ascii=False)}")
    await _write(send, "\n".join(lines) + "\n\n")


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})


async def _left(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
