"""Both ends of an HTTP/2 connection, over a `Wire`: header fields in their order, data in the pieces it came
in.

Nothing is normalised on the way in or out. Flow control is kept, so a slow reader is seen by the sender.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions

from tests.rig.wire import Wire

type Fields = list[tuple[bytes, bytes]]


class StreamReset(Exception):
    """The peer reset the stream, or the connection ended under it."""


class Stream:
    """One request and its answer, seen from either end. What the other end sent fills up as it comes."""

    def __init__(self, peer: H2Peer, stream_id: int) -> None:
        self._peer = peer
        self.id = stream_id
        self.headers: Fields = []
        self.trailers: Fields = []
        self.pieces: list[tuple[float, bytes]] = []
        self.finished = False
        self.reset = False
        self._read = 0
        self._news = asyncio.Event()

    @property
    def received(self) -> bytes:
        return b"".join(data for _, data in self.pieces)

    def get(self, name: bytes) -> bytes | None:
        return next((v for n, v in self.headers if n == name), None)

    def notify(self) -> None:
        self._news.set()

    async def _wait(self, ready: Callable[[], bool]) -> None:
        while not ready():
            if self.reset:
                raise StreamReset
            self._news.clear()
            await self._news.wait()

    async def head(self) -> Fields:
        """The other end's header fields. Raises `StreamReset`."""
        await self._wait(lambda: bool(self.headers))
        return self.headers

    async def piece(self) -> bytes:
        """The next piece of data, `b""` at the end. Raises `StreamReset`."""
        await self._wait(lambda: self.finished or self._read < len(self.pieces))
        if self._read == len(self.pieces):
            return b""
        self._read += 1
        return self.pieces[self._read - 1][1]

    async def body(self) -> bytes:
        """All data, once the other end has finished. Raises `StreamReset`."""
        await self._wait(lambda: self.finished)
        return self.received

    async def gone(self) -> None:
        """Waits until the other end has reset the stream or left."""
        try:
            await self._wait(lambda: False)
        except StreamReset:
            return

    async def send_headers(self, headers: Sequence[tuple[bytes, bytes]], *, end: bool = False) -> None:
        self._peer.h2.send_headers(self.id, list(headers), end_stream=end)
        await self._peer.flush()

    async def send(self, data: bytes, *, end: bool = False) -> None:
        """Raises `StreamReset`."""
        while data:
            try:
                room = min(
                    self._peer.h2.local_flow_control_window(self.id), self._peer.h2.max_outbound_frame_size
                )
            except h2.exceptions.StreamClosedError:
                raise StreamReset from None
            if room <= 0:
                self._news.clear()
                await self._news.wait()
                if self.reset:
                    raise StreamReset
                continue
            self._peer.h2.send_data(self.id, data[:room])
            data = data[room:]
            await self._peer.flush()
        if end:
            self._peer.h2.end_stream(self.id)
            await self._peer.flush()

    async def cancel(self) -> None:
        self._peer.h2.reset_stream(self.id, h2.errors.ErrorCodes.CANCEL)
        await self._peer.flush()


class H2Peer:
    """A connection. A server hands each new stream to `on_stream` as soon as its headers are there."""

    def __init__(
        self, wire: Wire, *, client: bool, on_stream: Callable[[Stream], None] | None = None
    ) -> None:
        self.wire = wire
        self.streams: dict[int, Stream] = {}
        self._on_stream = on_stream
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=client,
                header_encoding=False,
                normalize_inbound_headers=False,
                normalize_outbound_headers=False,
                validate_outbound_headers=False,
                split_outbound_cookies=False,
            )
        )
        self.h2.initiate_connection()

    async def flush(self) -> None:
        if data := self.h2.data_to_send():
            await self.wire.send(data)

    async def run(self) -> None:
        """Reads until the connection ends."""
        try:
            await self.flush()
            while data := await self.wire.some():
                for event in self.h2.receive_data(data):
                    self._handle(event)
                await self.flush()
        except (OSError, h2.exceptions.ProtocolError):
            pass
        finally:
            for stream in self.streams.values():
                stream.reset = True
                stream.notify()

    async def request(
        self, headers: Sequence[tuple[bytes, bytes]], body: bytes = b"", *, end: bool = True
    ) -> Stream:
        stream = Stream(self, self.h2.get_next_available_stream_id())
        self.streams[stream.id] = stream
        await stream.send_headers(headers, end=end and not body)
        if body:
            await stream.send(body, end=end)
        return stream

    def _handle(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.WindowUpdated) and not event.stream_id:
            for stream in self.streams.values():
                stream.notify()
            return
        stream_id = getattr(event, "stream_id", None)
        if stream_id is None:
            return
        if isinstance(event, h2.events.RequestReceived):
            opened = self.streams[stream_id] = Stream(self, stream_id)
            opened.headers = list(event.headers)
            assert self._on_stream is not None
            self._on_stream(opened)
        if stream_id not in self.streams:
            return
        stream = self.streams[stream_id]
        match event:
            case h2.events.ResponseReceived():
                stream.headers = list(event.headers)
            case h2.events.DataReceived():
                if event.data:
                    stream.pieces.append((time.monotonic(), event.data))
                if event.flow_controlled_length:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, stream_id)
            case h2.events.TrailersReceived():
                stream.trailers = list(event.headers)
            case h2.events.StreamEnded():
                stream.finished = True
            case h2.events.StreamReset():
                stream.reset = True
        stream.notify()
