"""One connection as bytes: what was read, in the pieces it came in, and every way to end it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time


class Ended(Exception):
    """The peer ended the connection before what was asked for had come. `partial` holds what had."""

    def __init__(self, partial: bytes) -> None:
        super().__init__(f"connection ended after {len(partial)} of the wanted bytes: {partial[-200:]!r}")
        self.partial = partial


class Wire:
    """A connection. `received` is every byte so far, `pieces` the same with the monotonic time of each
    arrival."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self.received = bytearray()
        self.pieces: list[tuple[float, bytes]] = []
        self.ended = False
        self.was_reset = False

    @property
    def alpn(self) -> str | None:
        tls = self._writer.get_extra_info("ssl_object")
        return tls.selected_alpn_protocol() if tls else None

    async def fill(self) -> bool:
        """Waits for the next piece. False at the end, however it came."""
        try:
            data = await self._reader.read(1 << 18)
        except OSError:  # reset, or TLS cut off
            self.was_reset = True
            data = b""
        if not data:
            self.ended = True
            return False
        self.pieces.append((time.monotonic(), data))
        self.received += data
        self._buffer += data
        return True

    def _take(self, n: int) -> bytes:
        data = bytes(self._buffer[:n])
        del self._buffer[:n]
        return data

    async def until(self, mark: bytes) -> bytes:
        """Up to and with `mark`. Raises `Ended`."""
        while (at := self._buffer.find(mark)) < 0:
            if not await self.fill():
                raise Ended(self._take(len(self._buffer)))
        return self._take(at + len(mark))

    async def exactly(self, n: int) -> bytes:
        """Raises `Ended`."""
        while len(self._buffer) < n:
            if not await self.fill():
                raise Ended(self._take(len(self._buffer)))
        return self._take(n)

    async def some(self, limit: int = 1 << 20) -> bytes:
        """What is there, or the next piece; `b""` at the end."""
        if not self._buffer:
            await self.fill()
        return self._take(min(limit, len(self._buffer)))

    async def send(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Waits until the peer has ended the connection; what it still sends is kept."""
        while await self.fill():
            pass

    async def close(self) -> None:
        """In order: TLS close_notify, then FIN."""
        self._writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), 2)

    def cut(self) -> None:
        """FIN without close_notify."""
        self._writer.transport.abort()

    def reset(self) -> None:
        """RST."""
        raw: socket.socket = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
