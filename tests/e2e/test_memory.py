"""Memory is bounded whatever the length of a WebSocket: of one message, and of a conversation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig import client, http1, websocket
from tests.rig.processes import Process
from tests.rig.upstream import Exchange, Upstream
from tests.rig.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

MB = 1 << 20


def rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / MB


async def talk(proxy: Process) -> Wire:
    wire = await client.connect(proxy.address, "api.openai.com", ca_file=proxy.ca_file)
    await wire.send(websocket.handshake("api.openai.com", "/v1/realtime?model=m"))
    assert (await http1.read_head(wire)).status == 101
    return wire


async def test_one_endless_message_ends_the_conversation(proxy: Process, upstream: Upstream) -> None:
    gone = False

    async def endless(exchange: Exchange) -> None:
        nonlocal gone
        await exchange.wire.send(websocket.accept(exchange.request.head))
        piece = bytes(MB)
        await exchange.wire.send(websocket.frame(piece, fin=False))
        for _ in range(200):
            try:
                await exchange.wire.send(websocket.frame(piece, opcode=0, fin=False))
            except OSError:
                break
        gone = await exchange.wire.gone() or True

    upstream.handler = endless
    before = rss_mb(proxy.pid)
    wire = await talk(proxy)
    while await wire.some():
        pass
    assert rss_mb(proxy.pid) - before < 150
    assert "the connection is closed" in proxy.log()
    assert gone or wire.ended


async def test_a_long_conversation_is_not_kept(proxy: Process, upstream: Upstream) -> None:
    messages, size = 300, 256 * 1024

    async def chatter(exchange: Exchange) -> None:
        await exchange.wire.send(websocket.accept(exchange.request.head))
        for _ in range(messages):
            await exchange.wire.send(websocket.frame(b"x" * size))
        await exchange.wire.close()

    upstream.handler = chatter
    wire = await talk(proxy)
    before, received = rss_mb(proxy.pid), 0
    while data := await wire.some():
        received += len(data)
        wire.received.clear()
        wire.pieces.clear()
    assert received >= messages * size
    assert rss_mb(proxy.pid) - before < 40
