"""WebSocket frames (RFC 6455) as bytes, and the handshake around them."""

from __future__ import annotations

import base64
import hashlib
import os
import struct
from dataclasses import dataclass

from tests.rig import http1
from tests.rig.wire import Wire

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


@dataclass(slots=True)
class Frame:
    opcode: int
    payload: bytes
    fin: bool = True


def frame(payload: bytes, *, opcode: int = TEXT, fin: bool = True, mask: bool = False) -> bytes:
    """The bytes of one frame. A client's are masked."""
    size = len(payload)
    flag = 0x80 if mask else 0
    head = bytes([(0x80 if fin else 0) | opcode])
    if size < 126:
        head += bytes([flag | size])
    elif size < 1 << 16:
        head += bytes([flag | 126]) + struct.pack(">H", size)
    else:
        head += bytes([flag | 127]) + struct.pack(">Q", size)
    if mask:
        key = os.urandom(4)
        payload = bytes(b ^ key[i % 4] for i, b in enumerate(payload))
        head += key
    return head + payload


async def read_frame(wire: Wire) -> Frame:
    """Raises `Ended`."""
    first, second = await wire.exactly(2)
    size = second & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", await wire.exactly(2))
    elif size == 127:
        (size,) = struct.unpack(">Q", await wire.exactly(8))
    key = await wire.exactly(4) if second & 0x80 else b""
    payload = await wire.exactly(size)
    if key:
        payload = bytes(b ^ key[i % 4] for i, b in enumerate(payload))
    return Frame(first & 0x0F, payload, bool(first & 0x80))


async def read_message(wire: Wire) -> Frame:
    """One whole message, fragments put together. Raises `Ended`."""
    whole = await read_frame(wire)
    while not whole.fin:
        part = await read_frame(wire)
        whole.payload += part.payload
        whole.fin = part.fin
    return whole


def handshake(host: str, path: str, *headers: tuple[bytes, bytes]) -> bytes:
    """A client's request for the upgrade."""
    fields = [
        (b"Host", host.encode()),
        (b"Upgrade", b"websocket"),
        (b"Connection", b"Upgrade"),
        (b"Sec-WebSocket-Key", base64.b64encode(os.urandom(16))),
        (b"Sec-WebSocket-Version", b"13"),
    ]
    return http1.head_bytes(b"GET %b HTTP/1.1" % path.encode(), [*fields, *headers])


def accept(request: http1.Head) -> bytes:
    """The head of a 101 answer to this request."""
    key = request.get(b"sec-websocket-key") or b""
    magic = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    digest = base64.b64encode(hashlib.sha1(key + magic, usedforsecurity=False).digest())
    return http1.head_bytes(
        b"HTTP/1.1 101 Switching Protocols",
        [(b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"), (b"Sec-WebSocket-Accept", digest)],
    )
