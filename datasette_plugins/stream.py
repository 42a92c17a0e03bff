"""`/-/live/events`: server-sent events for open pages.

A page says what it wants: `calls=1`, rows that are new or changed, and ids of those that are gone from the record (event `calls`;
its id is the feed's cursor, which a reconnecting browser sends back); `progress=1`, what is told of running calls, by id (event
`progress`). All get `problems`, for the banner. Before the first rows comes `begin`: the time here, the calls
that run, and how many came and went unseen since the cursor.

A stream ends by itself after `STREAM_SECONDS`, and as soon as the dashboard stops: a browser then connects again, and
an open page never holds up a shutdown.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import Request

from datasette_plugins import dashboard
from datasette_plugins.access import SEE_CALLS, sees_secrets, stream_for
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
    masked: bool
    seen: int = 0
    followed: int = 0


@stream_for(SEE_CALLS)
async def events(datasette: Datasette, request: Request, send: Send, receive: Receive) -> None:
    here = dashboard.here(datasette)
    viewer = Viewer(
        cursor=request.headers.get("last-event-id") or request.args.get("after"),
        calls=request.args.get("calls") == "1",
        progress=request.args.get("progress") == "1",
        masked=not sees_secrets(request.actor),
    )
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    left = asyncio.ensure_future(_left(receive))

    try:
        with here.feed.watching(progress=viewer.progress) if viewer.calls else nullcontext():
            await _follow(here.feed, viewer, send, left)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        left.cancel()


async def _follow(feed: Feed, viewer: Viewer, send: Send, left: asyncio.Future[None]) -> None:
    end = time.monotonic() + STREAM_SECONDS
    problems: list[Any] | None = None
    await _write(send, f"retry: {RECONNECT_MS}\n\n")
    if viewer.calls:
        await _begin(feed, viewer, send)
    while not feed.closing and not left.done() and time.monotonic() < end:
        if viewer.calls:
            await _calls(feed, viewer, send)
        if (found := await feed.checked_problems()) != problems:
            problems = found
            await _write(send, _event("problems", json.dumps({"problems": [p.as_json() for p in problems]})))
        await feed.change(CHECK_SECONDS)


async def _begin(feed: Feed, viewer: Viewer, send: Send) -> None:
    await feed.look(LOOK_SECONDS)
    viewer.seen = feed.seen(viewer.cursor)
    missed = feed.missed(viewer.cursor)
    begin = {"now": time.time_ns() // 1_000_000, "running": feed.running(), "missed": missed}
    await _write(send, _event("begin", json.dumps(begin)))


async def _calls(feed: Feed, viewer: Viewer, send: Send) -> None:
    cursor = feed.cursor
    news = feed.calls(viewer.seen, masked=viewer.masked)
    progress = feed.progress(viewer.followed, masked=viewer.masked) if viewer.progress else ""
    viewer.seen = viewer.followed = feed.seen(cursor)
    if news or progress:
        await _write(send, _event("calls", news, cursor) + _event("progress", progress))


def _event(name: str, data: str, event_id: str | None = None) -> str:
    """Nothing where there is no data."""
    given = f"id: {event_id}\n" if event_id else ""
    return f"event: {name}\n{given}data: {data}\n\n" if data else ""


async def _write(send: Send, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True})


async def _left(receive: Receive) -> None:
    """Returns when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
