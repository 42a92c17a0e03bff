"""Nothing that passes the proxy is changed: requests and answers are compared byte for byte, raw sockets on both sides.

Every framing of `tests.rig.framings` and every exchange of the corpus goes through in random pieces. What HTTP
makes an intermediary change is listed in `test_hop_changes`; anything else that differs is a failure.
"""

from __future__ import annotations

import asyncio
import base64
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import H2_HOST
from tests.rig import client, framings, http1
from tests.rig import upstream as rig
from tests.rig.compare import Connections, check, in_pieces, rng_for
from tests.rig.framings import EXCHANGES, Exchange
from tests.rig.h2_peer import Fields, H2Peer, Stream
from tests.rig.processes import Process, proxy_process

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda e: e.name)
async def test_http1(proxy: Process, upstream: rig.Upstream, exchange: Exchange) -> None:
    wire = await client.connect(proxy.address, exchange.host, ca_file=proxy.ca_file)
    await check(wire, upstream, exchange)
    await wire.close()


async def test_kept_connection(proxy: Process, upstream: rig.Upstream) -> None:
    """All framings again, one after another on the same few connections."""
    connections = Connections(proxy)
    for exchange in EXCHANGES:
        await connections.check(upstream, exchange)
    await connections.close()


async def test_with_mitmweb(upstream: rig.Upstream, tmp_path: Path) -> None:
    """The live view looks at every flow, and changes none."""
    with proxy_process(tmp_path, upstream, proxy__web=True) as proxy:
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


async def test_plain_http(proxy: Process, upstream: rig.Upstream) -> None:
    """A request in absolute form leaves in origin form; `Proxy-Connection` stays, as nobody asked to take it off."""
    fields = (*framings.JSON, (b"Proxy-Connection", b"Keep-Alive"))
    lines = framings.event_stream([("a", {"b": 1})])
    exchange = Exchange(
        "ollama", "localhost:11434", "/api/chat", lines, framing="chunked", request_headers=fields
    )
    wire = await client.plain(proxy.address)
    await check(wire, upstream, exchange, b"http://localhost:11434/api/chat")
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
    rng = rng_for(exchange.name)
    end = [rig.End.CLOSE] if exchange.framing == "eof" else []
    upstream.handler = rig.script(*in_pieces(exchange.response, rng), *end)
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
