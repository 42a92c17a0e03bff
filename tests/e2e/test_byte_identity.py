"""Nothing that passes the proxy is changed: requests and answers are compared byte for byte, raw sockets on both sides.

Every framing of `tests.rig.framings` and every exchange of the corpus goes through in random pieces. What HTTP makes an
intermediary change is listed in `CHANGES`, and there tested too; anything else that differs is a failure.
"""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import H2_HOST, connect_to
from tests.rig import client, framings, http1
from tests.rig import upstream as rig
from tests.rig.framings import EXCHANGES, Exchange
from tests.rig.h2_peer import Fields, H2Peer, Stream
from tests.rig.processes import Process, proxy_process
from tests.rig.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What a proxy does change: what was sent, what arrives at the other side, and why.
HOST = b"Host: api.openai.com\r\n"
POST = b"POST /v1/chat/completions HTTP/1.1\r\n"
CHANGES: dict[str, tuple[bytes, bytes, str]] = {
    "Expect": (
        POST + HOST + b"Expect: 100-continue\r\nA: b\r\nContent-Length: 2\r\n\r\n{}",
        POST + HOST + b"A: b\r\nContent-Length: 2\r\n\r\n{}",
        "the proxy answers 100 Continue itself, as it wants the body before it asks the provider",
    ),
    "chunks of a request": (
        POST + HOST + b"Transfer-Encoding: chunked\r\n\r\n1;ext=1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        POST + HOST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        "chunk borders and extensions belong to one hop (RFC 9112, 7.1)",
    ),
    "white space": (
        POST + HOST + b"A:b\r\nC:   d  \r\nContent-Length: 2\r\n\r\n{}",
        POST + HOST + b"A: b\r\nC: d\r\nContent-Length: 2\r\n\r\n{}",
        "blanks around a field's value are no part of it (RFC 9112, 5.1)",
    ),
}


def _rng(name: str) -> random.Random:
    return random.Random(zlib.crc32(name.encode()))


def _in_pieces(data: bytes, rng: random.Random) -> Iterator[bytes | float]:
    """Random cuts, some of them with a pause, so that the pieces are read one by one."""
    for piece in framings.random_cuts(rng, data):
        yield piece
        yield rng.choice([0.0, 0.0, 0.001])


async def _send(wire: Wire, data: bytes, rng: random.Random) -> None:
    for step in _in_pieces(data, rng):
        if isinstance(step, bytes):
            await wire.send(step)
        else:
            await asyncio.sleep(step)


async def _check(wire: Wire, upstream: rig.Upstream, exchange: Exchange, target: bytes | None = None) -> None:
    """One exchange over HTTP/1.1 on this connection; both directions must arrive as sent."""
    rng = _rng(exchange.name)
    end = [rig.End.CLOSE] if exchange.framing == "eof" else []
    upstream.handler = rig.script(*_in_pieces(exchange.response, rng), *end)
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
        await _check(self._open[exchange.host], upstream, exchange, target)
        if exchange.framing == "eof":
            await self._open.pop(exchange.host).close()

    async def close(self) -> None:
        for wire in self._open.values():
            await wire.close()


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: e.name)
async def test_http1(proxy: Process, upstream: rig.Upstream, exchange: Exchange) -> None:
    wire = await client.connect(proxy.address, exchange.host, ca_file=proxy.ca_file)
    await _check(wire, upstream, exchange)
    await wire.close()


async def test_kept_connection(proxy: Process, upstream: rig.Upstream) -> None:
    """All framings again, one after another on the same few connections."""
    connections = Connections(proxy)
    for exchange in EXCHANGES:
        await connections.check(upstream, exchange)
    await connections.close()


async def test_corpus(corpus: Path, upstream: rig.Upstream, tmp_path_factory: pytest.TempPathFactory) -> None:
    exchanges = list(_recorded(corpus))
    assert len(exchanges) > 400
    hosts = sorted({e.host for e in exchanges if ":" not in e.host})
    with proxy_process(tmp_path_factory.mktemp("corpus"), upstream, scope__hosts=hosts) as proxy:
        connections = Connections(proxy)
        for exchange in exchanges:
            await connections.check(upstream, exchange)
        await connections.close()


def _recorded(corpus: Path) -> Iterator[Exchange]:
    for file in sorted(corpus.glob("*.jsonl")):
        for line in file.read_text("utf-8").splitlines():
            record = json.loads(line)
            if record["framing"] == "websocket":
                continue
            headers = record["response_headers"]
            chunked = "chunked" in headers.get("transfer-encoding", "") or record["streaming"]
            body = _bytes(record["response_body"], record["response_encoding"])
            status = record["response_status"]
            yield Exchange(
                record["id"],
                record["host"],
                record["path"],
                (body,) if body else (),
                _fields(headers),
                "none" if status == 204 else "chunked" if chunked else "length",
                b"%d Recorded" % status,
                record["method"].upper().encode(),
                _fields(record["request_headers"]),
                _bytes(record["request_body"], record["request_encoding"]),
            )


def _fields(headers: dict[str, str]) -> framings.Fields:
    """Without those that frame the body; a few recorded values run on into the next field's line."""
    framing = ("transfer-encoding", "content-length")
    kept = ((n, v.partition("\n")[0]) for n, v in headers.items() if n.lower() not in framing)
    return tuple((n.encode(), v.encode()) for n, v in kept)


def _bytes(body: str | None, encoding: str) -> bytes:
    return base64.b64decode(body or "") if encoding == "base64" else (body or "").encode()


@pytest.mark.parametrize("case", CHANGES)
async def test_changes(proxy: Process, upstream: rig.Upstream, case: str) -> None:
    sent, arrives, _ = CHANGES[case]
    wire = await client.connect(proxy.address, framings.OPENAI, ca_file=proxy.ca_file)
    await wire.send(sent)
    answer = await http1.read_message(wire, answer_to=b"POST")
    if answer.head.status == 100:
        answer = await http1.read_message(wire, answer_to=b"POST")
    assert answer.head.status == 200
    assert upstream.exchanges[0].raw == arrives
    await wire.close()


async def test_plain_http(proxy: Process, upstream: rig.Upstream) -> None:
    """A request in absolute form leaves in origin form; `Proxy-Connection` stays, as nobody asked to take it off."""
    fields = (*framings.JSON, (b"Proxy-Connection", b"Keep-Alive"))
    lines = framings.event_stream([("a", {"b": 1})])
    exchange = Exchange(
        "ollama", "localhost:11434", "/api/chat", lines, framing="chunked", request_headers=fields
    )
    wire = await client.plain(proxy.address)
    await _check(wire, upstream, exchange, b"http://localhost:11434/api/chat")
    await wire.close()


# --- HTTP/2 ----------------------------------------------------------------------------------------------------

H2_REQUEST: Fields = [
    (b":method", b"POST"),
    (b":scheme", b"https"),
    (b":path", b"/v1/chat/completions?a=%7b"),
    (b":authority", H2_HOST.encode()),
    (b"x-b", b"1"),
    (b"content-type", b"application/json"),
    (b"x-a", b"caf\xe9"),
    (b"x-b", b"2"),
    (b"accept", b"text/event-stream"),
    (b"te", b"trailers"),
]
H2_ANSWER: Fields = [
    (b":status", b"200"),
    (b"x-request-id", b"r"),
    (b"set-cookie", b"a=1"),
    (b"content-type", b"text/event-stream"),
    (b"set-cookie", b"b=2"),
    (b"x-empty", b""),
]


async def test_h2_to_h2(proxy: Process, h2_upstream: rig.Upstream) -> None:
    """Fields in their order, data and trailers; only the pseudo-fields come in mitmproxy's order."""
    rng, body, answer = random.Random(4), b'{"model":"m"}', b"".join(framings.OPENAI_SSE)

    async def handler(stream: Stream) -> None:
        await stream.body()
        await stream.send_headers(H2_ANSWER)
        for piece in framings.random_cuts(rng, answer):
            await stream.send(piece)
        await stream.send_headers([(b"x-checksum", b"1"), (b"x-more", b"2")], end=True)

    h2_upstream.h2_handler = handler
    async with client.h2(proxy.address, H2_HOST, ca_file=proxy.ca_file) as peer:
        stream = await peer.request(H2_REQUEST, body)
        assert await stream.head() == H2_ANSWER
        assert await stream.body() == answer
        assert stream.trailers == [(b"x-checksum", b"1"), (b"x-more", b"2")]
    [seen] = h2_upstream.streams
    assert sorted(seen.headers[:4]) == sorted(H2_REQUEST[:4])
    assert seen.headers[4:] == H2_REQUEST[4:]
    assert seen.received == body


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: e.name)
async def test_h2_to_http1(proxy: Process, upstream: rig.Upstream, exchange: Exchange) -> None:
    """A client that speaks HTTP/2 to a provider that does not: the same fields, lower-case, without what belongs to a
    HTTP/1.1 connection; the same bodies."""
    async with client.h2(proxy.address, exchange.host, ca_file=proxy.ca_file) as peer:
        await _check_h2(peer, upstream, exchange)


async def _check_h2(peer: H2Peer, upstream: rig.Upstream, exchange: Exchange) -> None:
    rng = _rng(exchange.name)
    end = [rig.End.CLOSE] if exchange.framing == "eof" else []
    upstream.handler = rig.script(*_in_pieces(exchange.response, rng), *end)
    fields = _h2_fields(exchange.request_headers)
    pseudo = [
        (b":method", exchange.method),
        (b":scheme", b"https"),
        (b":authority", exchange.host.encode()),
        (b":path", exchange.path.encode()),
    ]
    if exchange.request_body:
        fields.append((b"content-length", b"%d" % len(exchange.request_body)))
    stream = await peer.request(pseudo + fields, exchange.request_body)
    status, _, _ = exchange.status.partition(b" ")
    sent = http1.parse_head(exchange.response_head()).headers
    assert await asyncio.wait_for(stream.head(), 20) == [(b":status", status), *_h2_fields(sent)]
    assert await asyncio.wait_for(stream.body(), 20) == exchange.body
    [seen] = upstream.exchanges
    start = b"%b %b HTTP/1.1" % (exchange.method, exchange.path.encode())
    assert seen.request.head.start == start
    assert seen.request.head.values(b"host") == [exchange.host.encode()]
    rest = [(n.lower(), v) for n, v in seen.request.head.headers if n.lower() != b"host"]
    assert rest == fields
    assert seen.request.body == exchange.request_body


def _h2_fields(fields: Any) -> Fields:
    """As HTTP/2 writes them; fields of a connection are not sent on it (RFC 9113, 8.2.2)."""
    own = (b"connection", b"transfer-encoding", b"te")
    return [(n.lower(), v) for n, v in fields if n.lower() not in own]


# --- with parts that raise -------------------------------------------------------------------------------------

FLOW_HOOKS = ("requestheaders", "request", "responseheaders", "response", "error")


@dataclass(frozen=True)
class Broken:
    name: str
    targets: tuple[str, ...]


def _broken() -> Iterator[Broken]:
    """The stream tap, from its first call and from its third; then each addon, all its hooks on flows at once."""
    chunk = "intelligence.store.journal:JournalWriter.chunk"
    yield Broken("tap", (chunk,))
    yield Broken("tap, third chunk", (chunk + "@3",))
    for module, found in _addon_classes():
        hooks = [h for h in FLOW_HOOKS if callable(vars(found).get(h))]
        if hooks:
            yield Broken(found.__name__, tuple(f"{module}:{found.__name__}.{hook}" for hook in hooks))


def _addon_classes() -> Iterator[tuple[str, type]]:
    """Those named in the pipeline's source."""
    from addons import pipeline

    for _, found in inspect.getmembers(pipeline, inspect.isclass):
        if found.__module__.startswith("addons.") and found.__module__ != pipeline.__name__:
            yield found.__module__, found


@contextmanager
def _faulty_proxy(
    folder: Path, broken: Broken, hosts: list[str], upstream: rig.Upstream
) -> Iterator[Process]:
    from tests.rig.faulty import launcher

    with proxy_process(
        folder, upstream, launcher=launcher(*broken.targets), proxy__connect_to=hosts
    ) as running:
        yield running


@pytest.mark.parametrize("broken", list(_broken()), ids=lambda b: b.name)
async def test_with_a_part_that_raises(
    broken: Broken,
    upstream: rig.Upstream,
    h2_upstream: rig.Upstream,
    tmp_path: Path,
) -> None:
    with _faulty_proxy(tmp_path, broken, connect_to(upstream, h2_upstream), upstream) as proxy:
        connections = Connections(proxy)
        for exchange in EXCHANGES:
            await connections.check(upstream, exchange)
        await connections.close()
        assert "raises on purpose" in proxy.log()
