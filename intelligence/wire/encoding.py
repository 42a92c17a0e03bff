"""Content-Encoding undone: gzip, deflate (with zlib's wrapper or without), br, zstd, and chains of them.

Incremental, as event streams come compressed too. Input may be damaged, cut short or a bomb: what could be decoded is given,
the rest is passed over, and `ok` tells. Output is limited in total, and in memory at any moment. A body that does not begin
as its encoding must (a recorder or gateway decoded it and left the header) and one of an unknown encoding pass unchanged.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

import brotli
import zstandard

# All output of one stage of one body; enough for any answer, too little for a bomb to hurt.
MAX_BYTES = 256 * 1024 * 1024
_PIECE = 1 << 16
# Behind the end of a member the rest of the piece is copied, and members may be tiny.
_ZLIB_PIECE = 4096
# A zstd block of 3 bytes may hold 128 KB and its output cannot be limited, so it is fed with a spoon.
_ZSTD_PIECE = 512
# RFC 9659: as content encoding, no window is larger than this.
_ZSTD_WINDOW = 8 * 1024 * 1024
_MAX_CHAIN = 5


class _Stage(Protocol):
    ok: bool

    def feed(self, data: bytes) -> Iterator[bytes]: ...


class _Zlib:
    """gzip, its members one after another, or deflate."""

    def __init__(self, gzip: bool) -> None:
        self.ok = True
        self._gzip = gzip
        self._head = b""
        self._inflate: zlib._Decompress | None = None
        self._plain = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._inflate is None and not self._plain:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return
            self._begin(data)
        if self._plain:
            yield data
            return
        for at in range(0, len(data), _ZLIB_PIECE):
            if not self.ok:
                return
            yield from self._feed(data[at : at + _ZLIB_PIECE])

    def _begin(self, data: bytes) -> None:
        if self._gzip:
            self._plain = data[:2] != b"\x1f\x8b"
            bits = 31
        else:
            wrapped = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
            bits = 15 if wrapped else -15
        self._inflate = zlib.decompressobj(bits)

    def _feed(self, data: bytes) -> Iterator[bytes]:
        while data and self._inflate is not None and self.ok:
            before = self._inflate.copy()
            try:
                out = self._inflate.decompress(data, _PIECE)
            except zlib.error:
                self.ok = False
                yield from _salvage(before, data)
                return
            if out:
                yield out
            if not self._inflate.eof:
                data = self._inflate.unconsumed_tail
                continue
            data = self._inflate.unused_data
            if data and not (self._gzip and data[:1] == b"\x1f"):
                return  # padding behind the end
            self._inflate = zlib.decompressobj(31)


def _salvage(inflate: zlib._Decompress, data: bytes) -> Iterator[bytes]:
    """What zlib had decoded before the error, which it throws away with it."""
    try:
        for i in range(len(data)):
            if out := inflate.decompress(data[i : i + 1]):
                yield out
    except zlib.error:
        return


class _Brotli:
    def __init__(self) -> None:
        self.ok = True
        self._inflate = brotli.Decompressor()

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), 4096):
            piece = data[at : at + 4096]
            while self.ok:
                try:
                    out = self._inflate.process(piece, output_buffer_limit=_PIECE)
                except brotli.error:
                    self.ok = False
                    return
                if out:
                    yield out
                piece = b""
                if self._inflate.is_finished():
                    return
                if self._inflate.can_accept_more_data():
                    break


class _Zstd:
    def __init__(self) -> None:
        self.ok = True
        self._head = b""
        self._begun = self._plain = False
        self._context = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._inflate = self._context.decompressobj()

    def feed(self, data: bytes) -> Iterator[bytes]:
        if not self._begun:
            data = self._head + data
            if len(data) < 4:
                self._head = data
                return
            self._begun = True
            # The magic number of a frame, or of one to skip.
            self._plain = data[:4] != b"\x28\xb5\x2f\xfd" and data[1:4] != b"\x2a\x4d\x18"
        if self._plain:
            yield data
            return
        for at in range(0, len(data), _ZSTD_PIECE):
            piece = data[at : at + _ZSTD_PIECE]
            while piece and self.ok:
                try:
                    if out := self._inflate.decompress(piece):
                        yield out
                except zstandard.ZstdError:
                    self.ok = False
                    return
                piece = b""
                if self._inflate.eof:
                    piece = self._inflate.unused_data
                    self._inflate = self._context.decompressobj()


def _stages(content_encoding: str | None) -> list[_Stage]:
    """In the order of undoing. Empty for identity, and for what we cannot undo."""
    names = [name.strip().lower() for name in (content_encoding or "").split(",")]
    names = [name for name in names if name not in ("", "identity")]
    stages: list[_Stage] = []
    for name in reversed(names[: _MAX_CHAIN + 1]):
        if name in ("gzip", "x-gzip"):
            stages.append(_Zlib(gzip=True))
        elif name == "deflate":
            stages.append(_Zlib(gzip=False))
        elif name == "br":
            stages.append(_Brotli())
        elif name == "zstd":
            stages.append(_Zstd())
        else:
            return []
    return stages if len(stages) <= _MAX_CHAIN else []


class Decoder:
    """`feed` gives the decoded bytes that the input so far makes known. `ok` is False once something had to be passed over:
    damaged input, or output beyond `max_bytes`."""

    def __init__(self, content_encoding: str | None, max_bytes: int = MAX_BYTES) -> None:
        self._stages = _stages(content_encoding)
        self._left = [max_bytes] * max(len(self._stages), 1)
        self._over = False

    @property
    def ok(self) -> bool:
        return not self._over and all(stage.ok for stage in self._stages)

    @property
    def within(self) -> bool:
        """Whether nothing was left out for exceeding `max_bytes`."""
        return not self._over

    def feed(self, data: bytes) -> bytes:
        return b"".join(self.pieces(data))

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """The same in pieces of at most 64 KB, none of them empty: what little input blows up to is never there at once."""
        for out in self._through(0, data) if self._stages else (self._limited(0, data),):
            for at in range(0, len(out), _PIECE):
                yield out[at : at + _PIECE]

    def _through(self, index: int, data: bytes) -> Iterator[bytes]:
        if index == len(self._stages):
            yield data
            return
        for out in self._stages[index].feed(data):
            kept = self._limited(index, out)
            if kept:
                yield from self._through(index + 1, kept)
            if self._over:
                return

    def _limited(self, index: int, data: bytes) -> bytes:
        if len(data) > self._left[index]:
            self._over = True
            data = data[: self._left[index]]
        self._left[index] -= len(data)
        return data


def decode_body(content_encoding: str | None, body: bytes, max_bytes: int = MAX_BYTES) -> bytes:
    """A whole body decoded, at most `max_bytes` of it; of a damaged one what could be. Never raises."""
    if not content_encoding:
        return body[:max_bytes]
    return Decoder(content_encoding, max_bytes).feed(body)
