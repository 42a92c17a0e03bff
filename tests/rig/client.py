"""A client of raw bytes: CONNECT and TLS through the proxy, trusting the proxy's CA and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tests.rig import http1
from tests.rig.authority import client_context
from tests.rig.h2_peer import H2Peer
from tests.rig.wire import Wire


async def connect(
    proxy: str,
    host: str,
    port: int = 443,
    *,
    ca_file: Path | None,
    alpn: Sequence[str] = ("http/1.1",),
    connect_to: str | None = None,
) -> Wire:
    """A tunnel to `host:port` (or to `connect_to`, still asking for `host` in the handshake); TLS inside
    unless `ca_file` is None. Raises `OSError` (`ssl.SSLError` is one) and `ConnectionRefusedError` when the
    proxy says no."""
    wire, reader, writer = await _open(proxy)
    target = (connect_to or f"{host}:{port}").encode()
    await wire.send(b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n\r\n" % (target, target))
    answer = await http1.read_head(wire)
    if answer.status != 200:
        await wire.close()
        raise ConnectionRefusedError(answer.start.decode("latin-1"))
    if ca_file is None:
        return wire
    await writer.start_tls(client_context(ca_file, alpn), server_hostname=host)
    return Wire(reader, writer)


async def plain(proxy: str) -> Wire:
    """A connection for plain-HTTP requests in absolute form."""
    return (await _open(proxy))[0]


async def _open(proxy: str) -> tuple[Wire, asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = proxy.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Wire(reader, writer), reader, writer


@asynccontextmanager
async def h2(proxy: str, host: str, *, ca_file: Path, connect_to: str | None = None) -> AsyncIterator[H2Peer]:
    """An HTTP/2 connection to `host`. Raises as `connect`, and `AssertionError` when HTTP/2 was not agreed
    on."""
    wire = await connect(proxy, host, ca_file=ca_file, alpn=("h2",), connect_to=connect_to)
    assert wire.alpn == "h2", f"asked for h2, got {wire.alpn}"
    peer = H2Peer(wire, client=True)
    task = asyncio.ensure_future(peer.run())
    try:
        yield peer
    finally:
        wire.cut()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
