"""Sends exchanges through a proxy in random pieces and compares what arrives, byte for byte, in both directions."""

from __future__ import annotations

import asyncio
import random
import zlib
from collections.abc import Iterator

from tests.rig import client, framings, http1
from tests.rig import upstream as rig
from tests.rig.framings import Exchange
from tests.rig.processes import Process
from tests.rig.wire import Wire


def rng_for(name: str) -> random.Random:
    return random.Random(zlib.crc32(name.encode()))


def in_pieces(data: bytes, rng: random.Random) -> Iterator[bytes | float]:
    """Random cuts, some of them with a pause, so that the pieces are read one by one."""
    for piece in framings.random_cuts(rng, data):
        yield piece
        yield rng.choice([0.0, 0.0, 0.001])


async def _send(wire: Wire, data: bytes, rng: random.Random) -> None:
    for step in in_pieces(data, rng):
        if isinstance(step, bytes):
            await wire.send(step)
        else:
            await asyncio.sleep(step)


async def check(wire: Wire, upstream: rig.Upstream, exchange: Exchange, target: bytes | None = None) -> None:
    """One exchange over HTTP/1.1 on this connection; both directions must arrive as sent."""
    rng = rng_for(exchange.name)
    end = [rig.End.CLOSE] if exchange.framing == "eof" else []
    upstream.handler = rig.script(*in_pieces(exchange.response, rng), *end)
    before = len(upstream.exchanges)
    await _send(wire, exchange.request(target), rng)
    answer = await asyncio.wait_for(http1.read_message(wire, answer_to=exchange.method), 20)
    assert answer.head.raw == exchange.response_head(), exchange.name
    assert answer.body == exchange.body, exchange.name
    assert answer.complete, exchange.name
    [seen] = upstream.exchanges[before:]
    if exchange.request_chunked:
        assert (
            seen.request.head.raw
            == http1.parse_head(exchange.request()).raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        )
        assert seen.request.body == exchange.request_body
    else:
        assert seen.raw == exchange.request(), exchange.name


class Connections:
    """Kept connections, one for each host."""

    def __init__(self, proxy: Process) -> None:
        self._proxy = proxy
        self._open: dict[str, Wire] = {}

    async def check(self, upstream: rig.Upstream, exchange: Exchange) -> None:
        host, _, port = exchange.host.partition(":")
        if exchange.host not in self._open:
            wire = (
                await client.plain(self._proxy.address)
                if port
                else await client.connect(self._proxy.address, host, ca_file=self._proxy.ca_file)
            )
            self._open[exchange.host] = wire
        target = f"http://{exchange.host}{exchange.path}".encode() if port else None
        await check(self._open[exchange.host], upstream, exchange, target)
        if exchange.framing == "eof":
            await self._open.pop(exchange.host).close()

    async def close(self) -> None:
        for wire in self._open.values():
            await wire.close()
