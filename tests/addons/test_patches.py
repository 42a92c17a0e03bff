from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

from mitmproxy import connection
from mitmproxy.proxy import events, server

from addons import patches


async def test_what_has_arrived_is_read_at_once() -> None:
    """mitmproxy reads 64 KB at a time: each piece of a long prompt goes through all layers."""
    client = connection.Client(peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0)
    client.state = connection.ConnectionState.CAN_READ
    reader = asyncio.StreamReader()
    reader.feed_data(b"x" * 200_000)
    reader.feed_eof()
    handler = patches.Handler.__new__(patches.Handler)
    closed = list[bool]()
    writer: Any = SimpleNamespace(close=lambda: closed.append(True))
    handler.transports = {client: server.ConnectionIO(reader=reader, writer=writer)}
    seen: list[events.Event] = []

    async def server_event(event: events.Event) -> None:
        seen.append(event)

    async def drain_writers() -> None:
        pass

    handler.server_event = server_event  # type: ignore[method-assign,assignment]
    handler.drain_writers = drain_writers  # type: ignore[method-assign]
    await asyncio.wait_for(handler.handle_connection(client), 10)
    first, last = seen
    assert isinstance(first, events.DataReceived) and len(first.data) == 200_000
    assert isinstance(last, events.ConnectionClosed) and closed and not handler.transports
