"""Only LLM traffic is opened; what is no LLM call passes untouched and leaves no row."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.rig import client, http1
from tests.rig.processes import Process, calls, drain, proxy_process
from tests.rig.upstream import Exchange, Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "api.openai.com"
MB = 1 << 20


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096 / MB


async def get(wire, head: bytes, method: bytes = b"GET"):
    await wire.send(head)
    return await http1.read_message(wire, answer_to=method)


async def test_another_host_shows_its_own_certificate(proxy: Process, upstream: Upstream) -> None:
    wire = await client.connect(proxy.address, "bank.example", ca_file=upstream.ca_file)
    answer = await get(wire, b"GET / HTTP/1.1\r\nHost: bank.example\r\n\r\n")
    assert answer.head.status == 200
    with pytest.raises(ssl.SSLError):
        await client.connect(proxy.address, "bank.example", ca_file=proxy.ca_file)


async def test_an_llm_host_shows_ours(proxy: Process, upstream: Upstream) -> None:
    await client.connect(proxy.address, HOST, ca_file=proxy.ca_file)
    with pytest.raises(ssl.SSLError):
        await client.connect(proxy.address, HOST, ca_file=upstream.ca_file)


async def test_an_llm_host_is_recognised_by_sni_behind_a_bare_address(proxy: Process) -> None:
    await client.connect(proxy.address, HOST, ca_file=proxy.ca_file, connect_to="203.0.113.9:443")


async def test_a_server_that_speaks_first_is_heard(proxy: Process, upstream: Upstream) -> None:
    """SSH, SMTP and databases greet before the client says a word."""
    greeting = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-test\r\n")
        greeting.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with proxy_process(proxy.folder / "ssh", upstream, proxy__connect_to=[f"*=127.0.0.1:{port}"]) as other:
        wire = await client.connect(other.address, "git.example", 22, ca_file=None)
        assert await wire.exactly(14) == b"SSH-2.0-test\r\n"
        await wire.close()
    server.close()
    assert greeting.is_set()


JSON = b"content-type: application/json\r\n"
NO_CALLS = [
    b"GET /v1/models HTTP/1.1\r\nHost: api.openai.com\r\n\r\n",
    b"POST /v1/files HTTP/1.1\r\nHost: api.openai.com\r\ncontent-type: multipart/form-data\r\ncontent-length: 2\r\n\r\nhi",
    b"POST /v1/telemetry HTTP/1.1\r\nHost: api.openai.com\r\n"
    + JSON
    + b'content-length: 10\r\n\r\n{"a": [1]}',
]


async def test_what_is_no_llm_call_leaves_no_row(upstream: Upstream, tmp_path: Path) -> None:
    with proxy_process(tmp_path, upstream) as proxy:
        for request in NO_CALLS:
            wire = await client.connect(proxy.address, HOST, ca_file=proxy.ca_file)
            assert (await get(wire, request, request[:4].strip())).head.status == 200
            assert upstream.exchanges[-1].raw == request
        plain = await client.plain(proxy.address)
        await get(plain, b"GET http://news.example/ HTTP/1.1\r\nHost: news.example\r\n\r\n")
        wire = await client.connect(proxy.address, HOST, ca_file=proxy.ca_file)
        body = b'{"model": "m", "messages": []}'
        await get(
            wire,
            b"POST /new/way HTTP/1.1\r\nHost: api.openai.com\r\ncontent-type: application/json\r\ncontent-length: 30\r\n\r\n"
            + body,
            b"POST",
        )
    drain(tmp_path)
    assert [(row["host"], row["path"], row["model"]) for row in calls(tmp_path)] == [(HOST, "/new/way", "m")]


@pytest.mark.parametrize("kind", ["plain", "llm-host"])
async def test_a_large_download_passes_with_flat_memory(
    upstream: Upstream, proxy: Process, kind: str
) -> None:
    size, piece = 300 * MB, bytes(256 * 1024)

    async def download(exchange: Exchange) -> None:
        await exchange.wire.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece)):
            await exchange.wire.send(piece)

    upstream.handler = download
    if kind == "plain":
        wire = await client.plain(proxy.address)
        request = b"GET http://files.example/big HTTP/1.1\r\nHost: files.example\r\n\r\n"
    else:
        wire = await client.connect(proxy.address, HOST, ca_file=proxy.ca_file)
        request = b"GET /v1/files/file-1/content HTTP/1.1\r\nHost: api.openai.com\r\n\r\n"
    before = rss_mb(proxy.pid)
    await wire.send(request)
    await http1.read_head(wire)
    received = 0
    while received < size:
        received += len(await wire.some())
        wire.received.clear()
        wire.pieces.clear()
    assert received == size
    assert rss_mb(proxy.pid) - before < 40


async def test_a_client_that_keeps_refusing_our_certificate_is_passed_through(
    upstream: Upstream, tmp_path: Path
) -> None:
    with proxy_process(tmp_path, upstream) as proxy:
        for _ in range(3):
            with pytest.raises(ssl.SSLError):
                await client.connect(proxy.address, HOST, ca_file=upstream.ca_file)
        wire = await client.connect(proxy.address, HOST, ca_file=upstream.ca_file)
        assert (await get(wire, b"GET / HTTP/1.1\r\nHost: api.openai.com\r\n\r\n")).head.status == 200
        assert "passed through UNSEEN" in proxy.log()
        # Another program, told apart by its ClientHello, is still opened.
        await client.connect(proxy.address, HOST, ca_file=proxy.ca_file, alpn=("h2", "http/1.1"))


async def test_the_machines_own_services_are_out_of_reach(upstream: Upstream, tmp_path: Path) -> None:
    with proxy_process(tmp_path, upstream, proxy__connect_to=[], proxy__allow_loopback=[]) as proxy:
        port = upstream.address.rpartition(":")[2].encode()
        for host in (b"127.0.0.1", b"localhost", b"[::1]", b"0.0.0.0"):
            plain = await client.plain(proxy.address)
            answer = await get(plain, b"GET http://%b:%b/ HTTP/1.1\r\nHost: x\r\n\r\n" % (host, port))
            assert answer.head.status == 502, host
            wire = await client.connect(proxy.address, host.decode(), int(port), ca_file=None)
            await wire.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not await wire.some()
    assert upstream.exchanges == []
