"""Serving the offline provider on loopback: TLS (HTTP/1.1, HTTP/2, WebSocket) and plain HTTP (for Ollama).

    with running() as provider:                 # a thread of its own; from tests and the command line
        provider.address, provider.ca_file
    async with serve() as provider:             # on the running loop

Stopping cuts whatever is still open, within a second. hypercorn brings the protocols; connections are accepted here, so that
each can be dropped on demand and none can delay the end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.utils import wrap_app

from .app import OfflineApp
from .certificates import EphemeralCA
from .exchange import SeenRequest
from .record import Record

log = logging.getLogger("llmitm.offline")

type Address = tuple[str, int]
_STOP_SECONDS = 0.3
_START_SECONDS = 10


class OfflineProvider:
    """A running offline provider. `address` is the TLS listener, or the plain one where TLS was not asked for."""

    def __init__(self, address: Address, http_address: Address, ca_file: Path | None, record: Record) -> None:
        self.address = address
        self.http_address = http_address
        self.ca_file = ca_file
        self._record = record

    @property
    def url(self) -> str:
        scheme = "https" if self.ca_file else "http"
        return f"{scheme}://{_joined(self.address)}"

    @property
    def http_url(self) -> str:
        return f"http://{_joined(self.http_address)}"

    @property
    def requests(self) -> list[SeenRequest]:
        """What has reached the provider, oldest first; the newest are kept, up to a bound."""
        return self._record.requests()

    def wait_for(self, wanted: Callable[[SeenRequest], bool], timeout: float = 5) -> SeenRequest:
        """The first request that is as wanted (`lambda r: r.aborted`), waiting for it. Raises TimeoutError."""
        return self._record.wait_for(wanted, timeout)


@contextlib.contextmanager
def running(
    *,
    tls: bool = True,
    host: str = "127.0.0.1",
    port: int = 0,
    http_port: int = 0,
    hostnames: Sequence[str] = (),
) -> Iterator[OfflineProvider]:
    """The provider in a thread with its own event loop. Raises OSError if a port is taken."""
    started: Future[tuple[OfflineProvider, Callable[[], object]]] = Future()

    async def main() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        async with serve(tls=tls, host=host, port=port, http_port=http_port, hostnames=hostnames) as provider:
            started.set_result((provider, partial(loop.call_soon_threadsafe, stop.set)))
            await stop.wait()

    def body() -> None:
        try:
            asyncio.run(main())
        except OSError as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=body, name="offline-provider", daemon=True)
    thread.start()
    provider, stop = started.result(_START_SECONDS)
    try:
        yield provider
    finally:
        stop()
        thread.join()


@contextlib.asynccontextmanager
async def serve(
    *,
    tls: bool = True,
    host: str = "127.0.0.1",
    port: int = 0,
    http_port: int = 0,
    hostnames: Sequence[str] = (),
) -> AsyncIterator[OfflineProvider]:
    """The provider on the running loop. `hostnames` are put into the certificate of clients that send no SNI."""
    record = Record()
    connections = _Connections(OfflineApp(record))
    with tempfile.TemporaryDirectory(prefix="llmitm-offline-") as folder:
        authority = EphemeralCA(Path(folder), hostnames) if tls else None
        async with contextlib.AsyncExitStack() as listeners:
            plain = await _listen(listeners, connections, host, http_port if tls else port or http_port)
            secure = plain
            if authority:
                secure = await _listen(
                    listeners, connections, host, port, ssl=authority.context, ssl_shutdown_timeout=1
                )
            ca_file = authority.ca_file if authority else None
            try:
                yield OfflineProvider(secure, plain, ca_file, record)
            finally:
                await connections.close()


class _Connections:
    """Accepts connections, hands each to hypercorn, and ends them all at the end."""

    def __init__(self, app: OfflineApp) -> None:
        self._config = _config()
        self._app = wrap_app(app, self._config.wsgi_max_body_size, "asgi")  # type: ignore[arg-type]
        self._context = WorkerContext(None)
        self._open: dict[asyncio.Task[None], asyncio.WriteTransport] = {}

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._context.terminated.is_set():
            writer.transport.abort()
            return
        self._open[task] = writer.transport
        task.add_done_callback(lambda done: self._open.pop(done, None))
        state = {"drop": writer.transport.close}
        loop = asyncio.get_running_loop()
        await TCPServer(self._app, loop, self._config, self._context, state, reader, writer)

    async def close(self) -> None:
        await self._context.terminated.set()
        # Each ends by itself once its transport is gone; cancelled is only what does not.
        for transport in self._open.values():
            transport.abort()
        if self._open:
            await asyncio.wait(self._open, timeout=_STOP_SECONDS)
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=_STOP_SECONDS)


async def _listen(
    stack: contextlib.AsyncExitStack, connections: _Connections, host: str, port: int, **options: Any
) -> Address:
    server = await asyncio.start_server(connections.accept, host, port, backlog=512, **options)
    stack.callback(server.close)
    name = server.sockets[0].getsockname()
    return name[0], name[1]


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = log
    config.include_server_header = False
    config.keep_alive_timeout = 600
    config.keep_alive_max_requests = 1_000_000
    config.h11_max_incomplete_size = 1 << 20
    config.h2_max_header_list_size = 1 << 20
    config.h2_max_concurrent_streams = 256
    config.websocket_max_message_size = 32 << 20
    return config


def _joined(address: Address) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
