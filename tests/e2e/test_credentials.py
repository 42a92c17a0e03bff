"""No credential rests: a canary of every kind is sent, and none is found in anything that was written."""

from __future__ import annotations

import base64
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from tests.rig import client, http1, websocket
from tests.rig.processes import calls, drain, proxy_process
from tests.rig.upstream import Exchange, Upstream, script

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "CANARY~7f3d+9/kind-"
BODY = b'{"model": "m", "messages": [{"role": "user", "content": "hi"}]}'


def canary(kind: str) -> str:
    return CANARY + kind


HEADERS = {
    "authorization": f"Bearer {canary('bearer')}",
    "x-api-key": canary("anthropic"),
    "api-key": canary("azure"),
    "x-goog-api-key": canary("google"),
    "cookie": f"session={canary('cookie')}",
    "x-amz-security-token": canary("aws-token"),
    "x-my-own-token": canary("configured"),
}
AWS = f"AWS4-HMAC-SHA256 Credential={canary('aws-key')}/20260101/x/aws4_request, Signature={canary('aws-signature')}"
QUERY = f"/v1/chat/completions?key={quote(canary('query'), safe='')}&X-Amz-Signature={quote(canary('query-signature'))}"
MCP = (
    b'{"model": "m", "input": "hi", "tools": [{"type": "mcp", "authorization": "'
    + canary("mcp").encode()
    + b'",'
    b' "headers": {"Authorization": "Bearer ' + canary("mcp-header").encode() + b'"}}]}'
)


async def test_no_canary_of_any_kind_is_written(upstream: Upstream, tmp_path: Path) -> None:
    answer = (
        b"HTTP/1.1 200 OK\r\nset-cookie: s="
        + canary("set-cookie").encode()
        + b"\r\ncontent-length: 2\r\n\r\n{}"
    )
    settings = {"redact__headers": ["x-my-own-token"], "log__level": "debug"}
    with proxy_process(tmp_path, upstream, **settings) as proxy:
        upstream.handler = script(answer)
        for name, value in [*HEADERS.items(), ("authorization", AWS)]:
            await _post(proxy, "/v1/chat/completions", BODY, (name, value))
        await _post(proxy, QUERY, BODY)
        await _post(proxy, "/v1/responses", MCP)
        await _post(proxy, "/v1/responses", zstandard.compress(MCP), ("content-encoding", "zstd"))
        await _proxy_authorization(proxy)
        upstream.handler = _realtime
        await _talk(proxy)
        upstream.handler = _client_secret
        await _post(proxy, "/v1/realtime/client_secrets", b"{}")
        seen = b"".join(exchange.raw for exchange in upstream.exchanges)
        assert all(
            canary(kind).encode() in seen
            for kind in ("bearer", "cookie", "mcp", "websocket", "aws-signature")
        ), "sent untouched"
    assert not found(tmp_path), "in the journal or the logs"
    drain(tmp_path, **settings)
    assert len(calls(tmp_path)) >= len(HEADERS) + 4
    assert not found(tmp_path), "in the database"


async def _post(proxy, path: str, body: bytes, *headers: tuple[str, str]) -> None:
    wire = await client.connect(proxy.address, "api.openai.com", ca_file=proxy.ca_file)
    fields = [
        ("Host", "api.openai.com"),
        ("content-type", "application/json"),
        ("content-length", str(len(body))),
        *headers,
    ]
    head = f"POST {path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n"
    await wire.send(head.encode() + body)
    await http1.read_message(wire, answer_to=b"POST")
    await wire.close()


async def _proxy_authorization(proxy) -> None:
    wire = await client.plain(proxy.address)
    await wire.send(
        b"POST http://llm.example/v1/chat/completions HTTP/1.1\r\nHost: llm.example\r\ncontent-type: application/json\r\n"
        b"proxy-authorization: Basic " + base64.b64encode(canary("proxy").encode()) + b"\r\n"
        b"content-length: %d\r\n\r\n" % len(BODY) + BODY
    )
    await http1.read_message(wire, answer_to=b"POST")


async def _realtime(exchange: Exchange) -> None:
    await exchange.wire.send(websocket.accept(exchange.request.head))
    secret = canary("client-secret").encode()
    created = b'{"type": "session.created", "session": {"client_secret": {"value": "' + secret + b'"}}}'
    await exchange.wire.send(websocket.frame(created))
    await websocket.read_message(exchange.wire)
    await exchange.wire.close()


async def _talk(proxy) -> None:
    wire = await client.connect(proxy.address, "api.openai.com", ca_file=proxy.ca_file)
    protocol = f"realtime, openai-insecure-api-key.{canary('websocket')}".encode()
    await wire.send(
        websocket.handshake("api.openai.com", "/v1/realtime?model=m", (b"Sec-WebSocket-Protocol", protocol))
    )
    assert (await http1.read_head(wire)).status == 101
    assert canary("client-secret").encode() in (await websocket.read_message(wire)).payload, (
        "handed on untouched"
    )
    await wire.send(websocket.frame(b'{"type": "response.create"}', mask=True))
    await wire.some()
    await wire.close()


async def _client_secret(exchange: Exchange) -> None:
    body = b'{"value": "ek_' + canary("ephemeral").encode() + b'", "session": {"type": "realtime"}}'
    await exchange.wire.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    )


def found(folder: Path) -> list[str]:
    """Where a canary stands, in any file, in any of its usual spellings; compressed blobs are opened."""
    plain = CANARY.encode()
    spellings = {
        plain,
        quote(CANARY, safe="").encode(),
        quote(CANARY).encode(),
        CANARY.replace("/", "\\/").encode(),
    }
    for shift in range(
        3
    ):  # base64 of the canary at each alignment, without the characters its neighbours decide
        spellings.add(base64.b64encode(b"x" * shift + plain)[4 if shift else 0 : -4])
    hits = []
    for path in (p for p in folder.rglob("*") if p.is_file() and p.suffix not in (".pem",)):
        data = path.read_bytes()
        hits += [f"{path.name}: {s!r}" for s in spellings if s in data]
    database = folder / "data" / "traffic.db"
    if database.exists():
        with closing(sqlite3.connect(database)) as db:
            for (table,) in db.execute("select name from sqlite_master where type = 'table'").fetchall():
                for row in db.execute(f'select * from "{table}"'):
                    for value in row:
                        hits += [f"{table}: {s!r}" for s in spellings if s in _opened(value)]
    return hits


def _opened(value: object) -> bytes:
    if isinstance(value, bytes):
        try:
            return zstandard.ZstdDecompressor().decompressobj().decompress(value)
        except zstandard.ZstdError:
            return value
    return str(value).encode("utf-8", "surrogateescape")


def test_the_search_itself_finds_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" + base64.b64encode(b"yy" + canary("z").encode()))
    (tmp_path / "b").write_text(quote(canary("z"), safe=""))
    assert len(found(tmp_path)) >= 2
