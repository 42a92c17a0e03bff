"""`/-/live`: server-sent events for open pages.

Events: `calls` (rows that are new or changed; its id is the feed's cursor, which a reconnecting browser sends back), `summary`
(counts of the span asked for), `problems` (for the banner). A stream ends by itself after `STREAM_SECONDS`, and as soon as the
dashboard stops: a browser then connects again, and an open page never holds up a shutdown.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import Request

from datasette_plugins import dashboard, summary
from datasette_plugins.access import stream
from datasette_plugins.feed import SUMMARY_SECONDS, Feed
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
async def live(datasette: Datasette, request: Request, send: Send, receive: Receive) -> None:
    feed = dashboard.here(datasette).feed
    seen = feed.seen(request.headers.get("last-event-id") or request.args.get("after"))
    span = summary.span_named(request.args.get("span"))
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    left = asyncio.ensure_future(_left(receive))
    try:
        with feed.watching():
            await _follow(feed, seen, span, send, left)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        left.cancel()


async def _follow(feed: Feed, seen: int, span: str, send: Send, left: asyncio.Future[None]) -> None:
    end = time.monotonic() + STREAM_SECONDS
    problems: list[Any] | None = None
    summary_due = 0.0
    counted = seen
    await _write(send, f"retry: {RECONNECT_MS}\n\n")
    while not feed.closing and not left.done() and time.monotonic() < end:
        if rows := feed.since(seen):
            cursor = feed.cursor
            seen = feed.seen(cursor)
            await _event(send, "calls", {"rows": rows}, cursor)
        if feed.problems != problems:
            problems = feed.problems
            await _event(send, "problems", {"problems": [p.as_json() for p in problems]})
        if counted != seen and time.monotonic() >= summary_due:
            try:
                await _event(send, "summary", await feed.summary(span))
                counted = seen
            except sqlite3.Error:  # the database is just being replaced; the reader logs it
                pass
            summary_due = time.monotonic() + SUMMARY_SECONDS
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
