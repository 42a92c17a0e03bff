"""`/-/live/events`: server-sent events for open pages.

A page says what it wants: `calls=1`, rows that are new or changed, and ids of those that are gone from the record (event `calls`;
its id is the feed's cursor, which a reconnecting browser sends back); `progress=1`, what is told of running calls, by id (event
`progress`); `span=NAME`, counts (event `summary`). All get `problems`, for the banner. Before everything but the first rows
comes `begin`: the time here, the calls that run, and how many came and went unseen since the cursor.

A stream ends by itself after `STREAM_SECONDS`, and as soon as the dashboard stops: a browser then connects again, and
an open page never holds up a shutdown.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
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
LOOK_SECONDS = 1.0

HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
]


@dataclass
class Viewer:
    """What one page wants, and how far it is."""

    cursor: str | None
    calls: bool
    progress: bool
    span: str | None
    seen: int = 0
    followed: int = 0


@stream
async def events(datasette: Datasette, request: Request, send: Send, receive: Receive) -> None:
    here = dashboard.here(datasette)
    span = request.args.get("span")
    viewer = Viewer(
        cursor=request.headers.get("last-event-id") or request.args.get("after"),
        calls=request.args.get("calls") == "1",
        progress=request.args.get("progress") == "1",
        span=summary.span_named(span) if span else None,
    )
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    left = asyncio.ensure_future(_left(receive))

    async def counts(span: str) -> summary.Summary:
        return await here.summaries.of(here.traffic.attached(datasette), span)

    try:
        watching = viewer.calls or viewer.span
        with here.feed.watching(progress=viewer.progress) if watching else nullcontext():
            await _follow(here.feed, viewer, counts, send, left)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        left.cancel()


async def _follow(
    feed: Feed,
    viewer: Viewer,
    counts: Callable[[str], Awaitable[summary.Summary]],
    send: Send,
    left: asyncio.Future[None],
) -> None:
    end = time.monotonic() + STREAM_SECONDS
    problems: list[Any] | None = None
    counted = count_due = 0.0
    changed = time.monotonic()  # the page may have been given counts from a moment ago
    await _write(send, f"retry: {RECONNECT_MS}\n\n")
    if viewer.calls:
        await _begin(feed, viewer, send)
    while not feed.closing and not left.done() and time.monotonic() < end:
        if viewer.calls and await _calls(feed, viewer, send):
            changed = time.monotonic()
        if (found := await feed.checked_problems()) != problems:
            problems = found
            await _event(send, "problems", json.dumps({"problems": [p.as_json() for p in problems]}))
        if viewer.span and changed > counted and time.monotonic() >= count_due:
            count_due = time.monotonic() + summary.LEAST_SECONDS
            with suppress(sqlite3.Error):  # the database is just being replaced; the feed logs it
                latest = await counts(viewer.span)
                if latest.at > counted:
                    counted = latest.at
                    await _event(send, "summary", json.dumps(latest.content))
        await feed.change(CHECK_SECONDS)


async def _begin(feed: Feed, viewer: Viewer, send: Send) -> None:
    await feed.look(LOOK_SECONDS)
    viewer.seen = feed.seen(viewer.cursor)
    missed = feed.missed(viewer.cursor)
    await _calls(feed, viewer, send)
    begin = {"now": time.time_ns() // 1_000_000, "running": feed.running(), "missed": missed}
    await _event(send, "begin", json.dumps(begin))


async def _calls(feed: Feed, viewer: Viewer, send: Send) -> bool:
    """Whether there was something new."""
    cursor = feed.cursor
    news = feed.calls(viewer.seen)
    progress = feed.progress(viewer.followed) if viewer.progress else ""
    viewer.seen = viewer.followed = feed.seen(cursor)
    if news:
        await _event(send, "calls", news, cursor)
    if progress:
        await _event(send, "progress", progress)
    return bool(news)


async def _event(send: Send, name: str, data: str, event_id: str | None = None) -> None:
    given = f"id: {event_id}\n" if event_id else ""
    await _write(send, f"event: {name}\n{given}data: {data}\n\n")


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})


async def _left(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
