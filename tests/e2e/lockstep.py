"""The provider sends part n+1 of an answer only once the client has part n: whoever waits for more than it has never sees it."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from tests.rig import client, http1
from tests.rig import upstream as rig
from tests.rig.framings import Exchange
from tests.rig.processes import Process

STEP_SECONDS = 5


class Gates:
    """One for each part: the provider waits at it, the client opens it."""

    def __init__(self, parts: Sequence[bytes]) -> None:
        self.parts = parts
        self._open = [asyncio.Event() for _ in parts]

    async def play(self, send: Callable[[bytes], Awaitable[None]]) -> None:
        for part, gate in zip(self.parts, self._open, strict=True):
            await gate.wait()
            await send(part)

    async def follow(self, next_piece: Callable[[], Awaitable[bytes]], events: Sequence[bytes]) -> bytes:
        """Opens a gate, takes the event behind it, whole, then opens the next. Returns all that came."""
        got = b""
        for number, size in enumerate(itertools.accumulate(map(len, events))):
            self._open[number].set()
            while len(got) < size:
                async with asyncio.timeout(STEP_SECONDS):
                    piece = await next_piece()
                assert piece, f"ended after {len(got)} bytes"
                got += piece
            assert len(got) == size, "more came than the provider had sent"
        for gate in self._open[len(events) :]:
            gate.set()
        return got


def provide(upstream: rig.Upstream, exchange: Exchange) -> Gates:
    """Have the provider answer in HTTP/1, part by part, as the gates are opened."""
    head, *parts = exchange.response_parts()
    gates = Gates(parts)

    async def handler(asked: rig.Exchange) -> None:
        await asked.wire.send(head)
        await gates.play(asked.wire.send)
        if exchange.framing == "eof":
            await asked.wire.close()

    upstream.handler = handler
    return gates


async def over_http1(proxy: Process, upstream: rig.Upstream, exchange: Exchange) -> None:
    """Every event leaves before the next comes, as it was sent, and the answer is whole."""
    gates = provide(upstream, exchange)
    wire = await client.connect(proxy.address, exchange.host, ca_file=proxy.ca_file)
    await wire.send(exchange.request())
    async with asyncio.timeout(STEP_SECONDS):
        answer = http1.Message(await http1.read_head(wire))
    pieces = http1.body_pieces(wire, answer, answer_to=exchange.method)
    assert await gates.follow(_next_of(pieces), exchange.events) == exchange.body
    async with asyncio.timeout(STEP_SECONDS):
        assert await anext(pieces, b"") == b""
    assert answer.complete
    await wire.close()


def _next_of(pieces: AsyncIterator[bytes]) -> Callable[[], Awaitable[bytes]]:
    async def next_piece() -> bytes:
        return await anext(pieces, b"")

    return next_piece
