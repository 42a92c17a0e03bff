"""A stream is never held back: the provider sends part n+1 only once the client has part n, for every framing.

A proxy that waits for more than it has would never see it, so each test ends in a time-out if anything is held. Then the
other direction of the same promise: a client that leaves stops the provider at once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import H2_HOST
from tests.e2e.lockstep import STEP_SECONDS, Gates, over_http1, provide
from tests.rig import client, framings, http1, websocket
from tests.rig import upstream as rig
from tests.rig.framings import OPENAI, OPENAI_SSE, SSE, STREAMS, Exchange
from tests.rig.h2_peer import Fields, H2Peer, Stream
from tests.rig.processes import Process
from tests.rig.wire import Ended, Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

LEAVE_SECONDS = 1.0


@pytest.mark.parametrize("exchange", STREAMS, ids=lambda e: e.name)
async def test_http1(proxy: Process, upstream: rig.Upstream, exchange: Exchange) -> None:
    await over_http1(proxy, upstream, exchange)


@pytest.mark.parametrize("exchange", STREAMS, ids=lambda e: e.name)
async def test_h2_to_http1(proxy: Process, upstream: rig.Upstream, exchange: Exchange) -> None:
    gates = provide(upstream, exchange)
    async with client.h2(proxy.address, exchange.host, ca_file=proxy.ca_file) as peer:
        stream = await peer.request(_fields(exchange.host, exchange.path), exchange.request_body)
        await _follow_h2(stream, gates, exchange)


@pytest.mark.parametrize("exchange", STREAMS, ids=lambda e: e.name)
async def test_h2_to_h2(proxy: Process, h2_upstream: rig.Upstream, exchange: Exchange) -> None:
    gates = Gates([*exchange.events, b""])

    async def handler(stream: Stream) -> None:
        await stream.body()
        await stream.send_headers([(b":status", b"200"), *((n.lower(), v) for n, v in exchange.headers)])
        await gates.play(stream.send)
        await stream.send(b"", end=True)

    h2_upstream.h2_handler = handler
    async with client.h2(proxy.address, H2_HOST, ca_file=proxy.ca_file) as peer:
        stream = await peer.request(_fields(H2_HOST, "/v1/chat/completions"), exchange.request_body)
        await _follow_h2(stream, gates, exchange)


async def _follow_h2(stream: Stream, gates: Gates, exchange: Exchange) -> None:
    async with asyncio.timeout(STEP_SECONDS):
        await stream.head()
    assert await gates.follow(stream.piece, exchange.events) == exchange.body
    async with asyncio.timeout(STEP_SECONDS):
        assert await stream.piece() == b""


def _fields(host: str, path: str) -> Fields:
    return [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", host.encode()),
        (b":path", path.encode()),
        (b"content-type", b"application/json"),
    ]


async def test_thirty_streams_on_one_h2_connection(proxy: Process, upstream: rig.Upstream) -> None:
    """None gets its second event before all have been asked for: waves of a few would never get there."""
    count = 30
    all_here = asyncio.Event()

    async def handler(asked: rig.Exchange) -> None:
        exchange = Exchange("one", OPENAI, "", OPENAI_SSE, SSE, "chunked")
        head, first, *rest = exchange.response_parts()
        await asked.wire.send(head + first)
        if len(upstream.exchanges) == count:
            all_here.set()
        await all_here.wait()
        await asked.wire.send(b"".join(rest))

    async def one(peer: H2Peer) -> bytes:
        body = b'{"model":"m","stream":true,"messages":[]}'
        stream = await peer.request(_fields(OPENAI, "/v1/chat/completions"), body)
        return await stream.body()

    upstream.handler = handler
    async with client.h2(proxy.address, OPENAI, ca_file=proxy.ca_file) as peer:
        async with asyncio.timeout(15):
            got = await asyncio.gather(*(one(peer) for _ in range(count)))
    assert got == [b"".join(OPENAI_SSE)] * count


# --- WebSocket -------------------------------------------------------------------------------------------------

SOCKETS = {
    "realtime": (OPENAI, "/v1/realtime?model=gpt-realtime"),
    "responses": (OPENAI, "/v1/responses"),
    "gemini live": (
        framings.GEMINI,
        "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
    ),
    "no call": (OPENAI, "/v1/something/else"),
}


@pytest.mark.parametrize("kind", SOCKETS)
async def test_websocket(proxy: Process, upstream: rig.Upstream, kind: str) -> None:
    """Messages of both kinds and sizes, each answered before the next is sent; head and close code as sent."""
    host, path = SOCKETS[kind]
    payloads = [b'{"type":"a"}', b"x" * 125, b"y" * 126, "é☃".encode() * 40_000, b""]

    async def handler(asked: rig.Exchange) -> None:
        await asked.wire.send(websocket.accept(asked.request.head))
        while (message := await websocket.read_message(asked.wire)).opcode != websocket.CLOSE:
            await asked.wire.send(websocket.frame(message.payload[::-1], opcode=websocket.BINARY))
            await asked.wire.send(websocket.frame(message.payload, opcode=message.opcode))
        await asked.wire.send(websocket.frame(message.payload, opcode=websocket.CLOSE))
        await asked.wire.close()

    upstream.handler = handler
    wire = await client.connect(proxy.address, host, ca_file=proxy.ca_file)
    request = websocket.handshake(host, path, (b"X-odd-CASE", b"1"), (b"x-a", b""))
    await wire.send(request)
    answer = await http1.read_head(wire)
    [asked] = upstream.exchanges
    assert asked.raw == request
    assert answer.raw == websocket.accept(asked.request.head)
    for opcode, payload in itertools.product((websocket.TEXT, websocket.BINARY), payloads):
        await wire.send(websocket.frame(payload, opcode=opcode, mask=True))
        async with asyncio.timeout(STEP_SECONDS):
            assert await _message(wire) == (websocket.BINARY, payload[::-1])
            assert await _message(wire) == (opcode, payload)
    await wire.send(websocket.frame(b"\x03\xe8bye", opcode=websocket.CLOSE, mask=True))
    async with asyncio.timeout(STEP_SECONDS):
        assert await _message(wire) == (websocket.CLOSE, b"\x03\xe8bye")
    await wire.close()


async def test_corpus_websockets(proxy: Process, upstream: rig.Upstream, corpus: Path) -> None:
    """Recorded Realtime conversations, each message sent once the one before has arrived."""
    records = [json.loads(line) for line in (corpus / "openai.jsonl").read_text("utf-8").splitlines()]
    conversations = [json.loads(r["response_body"]) for r in records if r["framing"] == "websocket"]
    assert conversations
    for conversation in conversations:
        await _converse(proxy, upstream, [(m["dir"] == "out", json.dumps(m["data"])) for m in conversation])


async def _converse(proxy: Process, upstream: rig.Upstream, messages: list[tuple[bool, str]]) -> None:
    opened: asyncio.Future[Wire] = asyncio.get_running_loop().create_future()

    async def handler(asked: rig.Exchange) -> None:
        await asked.wire.send(websocket.accept(asked.request.head))
        opened.set_result(asked.wire)
        await over.wait()

    over = asyncio.Event()
    upstream.handler = handler
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(websocket.handshake(OPENAI, "/v1/realtime?model=gpt-realtime"))
    await http1.read_head(wire)
    far = await opened
    for from_client, text in messages:
        sender, receiver = (wire, far) if from_client else (far, wire)
        await sender.send(websocket.frame(text.encode(), mask=from_client))
        async with asyncio.timeout(STEP_SECONDS):
            assert await _message(receiver) == (websocket.TEXT, text.encode())
    await wire.close()
    over.set()


async def _message(wire: Wire) -> tuple[int, bytes]:
    message = await websocket.read_message(wire)
    return message.opcode, message.payload


# --- leaving ---------------------------------------------------------------------------------------------------


class Leaving:
    """Sends some events, then notes when the other side went."""

    def __init__(self) -> None:
        self.left_at: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def http1(self, asked: rig.Exchange) -> None:
        exchange = Exchange("leave", OPENAI, "", OPENAI_SSE[:2], SSE, "chunked")
        head, first, second, _ = exchange.response_parts()
        await asked.wire.send(head + first + second)
        await asked.wire.gone()
        self.left_at.set_result(time.monotonic())

    async def h2(self, stream: Stream) -> None:
        await stream.send_headers([(b":status", b"200"), (b"content-type", b"text/event-stream")])
        await stream.send(b"".join(OPENAI_SSE[:2]))
        await stream.gone()
        self.left_at.set_result(time.monotonic())

    async def websocket(self, asked: rig.Exchange) -> None:
        await asked.wire.send(websocket.accept(asked.request.head) + websocket.frame(b'{"type":"x"}'))
        await asked.wire.gone()
        self.left_at.set_result(time.monotonic())

    async def within_a_second(self, since: float) -> None:
        async with asyncio.timeout(STEP_SECONDS):
            took = await self.left_at - since
        assert took < LEAVE_SECONDS


@pytest.mark.parametrize("way", ["close", "cut", "reset"])
async def test_client_leaves_http1(proxy: Process, upstream: rig.Upstream, way: str) -> None:
    leaving = Leaving()
    upstream.handler = leaving.http1
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(Exchange("", OPENAI, "/v1/chat/completions", ()).request())
    await wire.until(OPENAI_SSE[1])
    since = time.monotonic()
    if way == "close":
        await wire.close()
    else:
        getattr(wire, way)()
    await leaving.within_a_second(since)


@pytest.mark.parametrize("host", [OPENAI, H2_HOST])
async def test_client_cancels_h2(
    proxy: Process, upstream: rig.Upstream, h2_upstream: rig.Upstream, host: str
) -> None:
    """One stream of two is cancelled: its provider stops, the other stream goes on."""
    leaving = Leaving()
    upstream.handler, h2_upstream.h2_handler = leaving.http1, leaving.h2
    async with client.h2(proxy.address, host, ca_file=proxy.ca_file) as peer:
        body = b'{"model":"m","stream":true,"messages":[]}'
        stream = await peer.request(_fields(host, "/v1/chat/completions"), body)
        while stream.received != b"".join(OPENAI_SSE[:2]):
            assert await stream.piece()
        upstream.handler, h2_upstream.h2_handler = rig.script(rig.OK), _answer_h2
        since = time.monotonic()
        await stream.cancel()
        await leaving.within_a_second(since)
        other = await peer.request(_fields(host, "/v1/chat/completions"), body)
        async with asyncio.timeout(STEP_SECONDS):
            assert await other.body() == b"{}"


async def _answer_h2(stream: Stream) -> None:
    await stream.send_headers([(b":status", b"200")])
    await stream.send(b"{}", end=True)


@pytest.mark.parametrize("way", ["close", "cut", "reset"])
async def test_client_leaves_websocket(proxy: Process, upstream: rig.Upstream, way: str) -> None:
    leaving = Leaving()
    upstream.handler = leaving.websocket
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(websocket.handshake(OPENAI, "/v1/realtime?model=gpt-realtime"))
    await http1.read_head(wire)
    await websocket.read_message(wire)
    since = time.monotonic()
    if way == "close":
        await wire.close()
    else:
        getattr(wire, way)()
    await leaving.within_a_second(since)


@pytest.mark.parametrize("end", [rig.End.CLOSE, rig.End.CUT, rig.End.RESET])
async def test_provider_breaks_off(proxy: Process, upstream: rig.Upstream, end: rig.End) -> None:
    """What had come is with the client, and that it is not whole can be told: no last chunk is made up."""
    exchange = Exchange("cut", OPENAI, "/v1/chat/completions", OPENAI_SSE[:2], SSE, "chunked")
    head, first, second, _ = exchange.response_parts()
    taken = asyncio.Event()
    upstream.handler = rig.script(head, first, second, taken, end)
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(exchange.request())
    answer = http1.Message(await http1.read_head(wire))
    with pytest.raises(Ended):
        async for _ in http1.body_pieces(wire, answer, answer_to=b"POST"):
            if answer.body == exchange.body:
                taken.set()
    assert answer.body == exchange.body
    assert not answer.complete
    await wire.close()
