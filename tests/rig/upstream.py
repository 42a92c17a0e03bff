"""A provider made of raw sockets: keeps each request byte for byte, answers whatever a test tells it to.

One port serves TLS (told by its first byte) and plain HTTP. Each HTTP/1.1 request becomes an `Exchange`, each
HTTP/2 request a `h2_peer.Stream`; both go to the handler in force. `script()` makes a handler of a list of
steps.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum

from tests.rig import http1
from tests.rig.authority import Authority
from tests.rig.h2_peer import H2Peer, Stream
from tests.rig.wire import Ended, Wire

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"


class End(Enum):
    """Ways to end a connection in the middle of a script."""

    CLOSE = "close_notify and FIN"
    CUT = "FIN"
    RESET = "RST"


type Step = bytes | float | asyncio.Event | End


@dataclass(slots=True)
class Exchange:
    """One HTTP/1.1 request as it came. `raw` is every byte of it; `wire` is there for what comes after, and
    `wire.gone()` waits for the client to leave."""

    wire: Wire
    request: http1.Message
    raw: bytes

    async def play(self, steps: Sequence[Step]) -> None:
        """Bytes are sent, floats waited (seconds), events waited for, an `End` ends the connection."""
        for step in steps:
            match step:
                case bytes():
                    await self.wire.send(step)
                case asyncio.Event():
                    await step.wait()
                case End.CLOSE:
                    await self.wire.close()
                case End.CUT:
                    self.wire.cut()
                case End.RESET:
                    self.wire.reset()
                case _:
                    await asyncio.sleep(step)


type Handler = Callable[[Exchange], Awaitable[None]]


def script(*steps: Step) -> Handler:
    """A handler that plays these steps for every request."""

    async def play(exchange: Exchange) -> None:
        await exchange.play(steps)

    return play


class Upstream:
    """Listens on 127.0.0.1 between `start` and `stop`. `exchanges` and `streams` hold what came since
    `forget`."""

    def __init__(self, authority: Authority, *, alpn: Sequence[str] = ("http/1.1",)) -> None:
        self.ca_file = authority.ca_file
        self.handler: Handler = script(OK)
        self.h2_handler: Callable[[Stream], Awaitable[None]] | None = None
        self.exchanges: list[Exchange] = []
        self.streams: list[Stream] = []
        self.errors: list[BaseException] = []
        self._context = authority.server_context(alpn)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self._listener.setblocking(False)
        self._tasks: set[asyncio.Task[None]] = set()
        self.port: int = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._spawn(self._accept())

    async def stop(self) -> None:
        self._listener.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def forget(self) -> None:
        """Back to the default answer, with nothing recorded."""
        self.handler, self.h2_handler = script(OK), None
        self.exchanges.clear()
        self.streams.clear()
        self.errors.clear()

    def _spawn(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self.errors.append(error)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            sock, _ = await loop.sock_accept(self._listener)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._spawn(self._serve(sock))

    async def _serve(self, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        tls = await _first_byte(sock) == b"\x16"
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol, sock, ssl=self._context if tls else None
            )
        except OSError:
            return  # the client did not want this handshake after all
        wire = Wire(reader, asyncio.StreamWriter(transport, protocol, reader, loop))
        try:
            if wire.alpn == "h2":
                await H2Peer(wire, client=False, on_stream=self._h2_stream).run()
            else:
                await self._http1(wire)
        finally:
            wire.cut()

    def _h2_stream(self, stream: Stream) -> None:
        self.streams.append(stream)
        assert self.h2_handler is not None, "an HTTP/2 request came, and the test has no answer for it"
        self._spawn(self.h2_handler(stream))

    async def _http1(self, wire: Wire) -> None:
        while True:
            begin = len(wire.received)
            try:
                request = await http1.read_message(wire, answer_to=None)
            except Ended:
                return
            exchange = Exchange(wire, request, bytes(wire.received[begin:]))
            self.exchanges.append(exchange)
            with contextlib.suppress(ConnectionError):
                await self.handler(exchange)
            if wire.ended:
                return


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _first_byte(sock: socket.socket) -> bytes:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, _resolve, ready)
    try:
        await ready
    finally:
        loop.remove_reader(sock)
    return sock.recv(1, socket.MSG_PEEK)


@asynccontextmanager
async def running(authority: Authority, *, alpn: Sequence[str] = ("http/1.1",)) -> AsyncIterator[Upstream]:
    upstream = Upstream(authority, alpn=alpn)
    upstream.start()
    try:
        yield upstream
    finally:
        await upstream.stop()
