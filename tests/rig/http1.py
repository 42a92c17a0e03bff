"""HTTP/1.1 messages kept as the bytes they were, with just enough parsing (RFC 9112) to know where they
end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field

from tests.rig.wire import Ended, Wire


@dataclass(slots=True)
class Head:
    """Start line and header fields; `raw` is exactly what came, blank line included."""

    raw: bytes
    start: bytes
    headers: list[tuple[bytes, bytes]]

    def values(self, name: bytes) -> list[bytes]:
        return [v for n, v in self.headers if n.lower() == name.lower()]

    def get(self, name: bytes) -> bytes | None:
        return next(iter(self.values(name)), None)

    @property
    def method(self) -> bytes:
        return self.start.split(b" ", 1)[0]

    @property
    def target(self) -> bytes:
        return self.start.split(b" ", 2)[1]

    @property
    def status(self) -> int:
        return int(self.start.split(b" ", 2)[1])

    @property
    def chunked(self) -> bool:
        return any(b"chunked" in v.lower() for v in self.values(b"transfer-encoding"))


@dataclass(slots=True)
class Message:
    """A whole message. `chunks` are the pieces the body came in; `complete` is false when it was cut
    short."""

    head: Head
    chunks: list[bytes] = field(default_factory=list)
    trailers: bytes = b""
    complete: bool = True

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def parse_head(raw: bytes) -> Head:
    start, *lines = raw.removesuffix(b"\r\n\r\n").split(b"\r\n")
    return Head(raw, start, [(n, v.strip()) for n, _, v in (line.partition(b":") for line in lines)])


async def read_head(wire: Wire) -> Head:
    """Raises `Ended`."""
    return parse_head(await wire.until(b"\r\n\r\n"))


async def body_pieces(wire: Wire, message: Message, *, answer_to: bytes | None) -> AsyncIterator[bytes]:
    """The body as it arrives, also kept in `message`. `answer_to` is the method answered, `None` for a
    request. Raises `Ended` when the connection ends within a body of known length."""
    head = message.head
    message.complete = False
    if _has_no_body(head, answer_to):
        pass
    elif head.chunked:
        while size := int((await wire.until(b"\r\n")).split(b";")[0], 16):
            while size:
                piece = await _piece(wire, size)
                size -= len(piece)
                message.chunks.append(piece)
                yield piece
            await wire.exactly(2)
        while (line := await wire.until(b"\r\n")) != b"\r\n":
            message.trailers += line
    elif (length := head.get(b"content-length")) is not None or answer_to is None:
        left = int(length or 0)
        while left:
            piece = await _piece(wire, left)
            left -= len(piece)
            message.chunks.append(piece)
            yield piece
    else:
        while piece := await wire.some():
            message.chunks.append(piece)
            yield piece
    message.complete = True


async def _piece(wire: Wire, limit: int) -> bytes:
    piece = await wire.some(limit)
    if not piece:
        raise Ended(b"")
    return piece


def _has_no_body(head: Head, answer_to: bytes | None) -> bool:
    if answer_to is None:
        return False
    return answer_to == b"HEAD" or head.status < 200 or head.status in (204, 304)


async def read_message(wire: Wire, *, answer_to: bytes | None) -> Message:
    """A whole message, or what came of it (`complete` is false then). Raises `Ended` when not even a head
    came."""
    message = Message(await read_head(wire))
    try:
        async for _ in body_pieces(wire, message, answer_to=answer_to):
            pass
    except Ended:
        pass
    return message


def head_bytes(start: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"\r\n".join([start, *(n + b": " + v for n, v in headers)]) + b"\r\n\r\n"


def chunked(pieces: Iterable[bytes], trailers: Iterable[tuple[bytes, bytes]] = ()) -> list[bytes]:
    """Each piece as one chunk, then the end of the body."""
    end = b"0\r\n" + b"".join(n + b": " + v + b"\r\n" for n, v in trailers) + b"\r\n"
    return [*(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces if p), end]
