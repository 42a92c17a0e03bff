"""How bodies rest in the database: compressed, cut into parts, and with the times at which their pieces arrived.

A body is a row of pieces: what one read from the network gave, or one WebSocket message. `pack` turns a run of them into
a part: the bytes one after another, and beside them the arrivals, msgpack of three lists of equal length:

    [microseconds from the request to the first piece, then from piece to piece], [sizes], [flags]

`flags` is empty but for a WebSocket. At rest both are zstd. A part holds about `PART_BYTES`, so that neither writing nor
reading the record of an endless stream ever holds more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import zstandard

PART_BYTES = 8 * 1024 * 1024
FROM_CLIENT = 1
TEXT = 2

_Arrivals = tuple[list[int], list[int], list[int]]
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(_Arrivals).decode
_compressor = zstandard.ZstdCompressor(level=3)


@dataclass(frozen=True, slots=True)
class Piece:
    """`at_us` is from the request on. `flags`: `FROM_CLIENT`, `TEXT`, for a WebSocket message."""

    at_us: int
    data: bytes
    flags: int | None = None


def pack(pieces: Sequence[Piece]) -> tuple[bytes, bytes]:
    """Bytes and arrivals, neither compressed."""
    last = 0
    steps = []
    for piece in pieces:
        steps.append(piece.at_us - last)
        last = piece.at_us
    flags = [piece.flags for piece in pieces if piece.flags is not None]
    return b"".join([piece.data for piece in pieces]), _pack((steps, [len(p.data) for p in pieces], flags))


def unpack(data: bytes, arrivals: bytes) -> Iterator[Piece]:
    steps, sizes, flags = _unpack(arrivals)
    at_us = start = 0
    for n, (step, size) in enumerate(zip(steps, sizes, strict=True)):
        at_us += step
        yield Piece(at_us, data[start : start + size], flags[n] if flags else None)
        start += size


def compress(data: bytes) -> bytes:
    return _compressor.compress(data)


def decompress(data: bytes) -> bytes:
    # A new one each time: they are cheap, and not safe to share between the dashboard's threads.
    return zstandard.ZstdDecompressor().decompress(data)


def parts(pieces: Iterable[Piece]) -> Iterator[list[Piece]]:
    """The pieces in groups of about `PART_BYTES`; no group is empty."""
    group: list[Piece] = []
    size = 0
    for piece in pieces:
        group.append(piece)
        size += len(piece.data)
        if size >= PART_BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group
