"""The reading end of the journal: the sound frames of a segment, and which segments there are. See `journal` for the format.

Reading takes no lock and changes nothing: a segment may be read while its proxy writes it. A torn tail ends it; damaged
bytes with sound frames behind them are passed over, and counted, once nobody writes there any more.
"""

from __future__ import annotations

import fcntl
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from intelligence.store.ids import id_text
from intelligence.store.journal import FIRST_MARKER, FORMAT, FRAME, MAX_PAYLOAD, PAYLOAD, U32, Kind, RunHead

# Read at a time; a larger frame is read whole.
_BLOCK = 1 << 18

_decode_any = msgspec.msgpack.Decoder(dict[str, Any]).decode


class JournalError(Exception):
    """A segment that cannot be read at all."""


@dataclass(slots=True)
class Frame:
    """One frame as read. `end` is the offset in the segment after it; `skipped` counts damaged bytes before it."""

    kind: Kind
    call: bytes
    t_us: int
    body: bytes
    end: int
    skipped: int = 0

    @property
    def call_id(self) -> str:
        return id_text(self.call)

    def split(self) -> tuple[bytes, bytes]:
        """Head and bytes of a `REQUEST` or `MESSAGE` frame."""
        (length,) = U32.unpack_from(self.body)
        return self.body[4 : 4 + length], self.body[4 + length :]


class SegmentReader:
    """Reads one segment. Raises `JournalError` when the file does not begin with a `RUN` frame of a format we know."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._block, self._block_at = memoryview(b""), 0
        try:
            first = self._frame_at(0, FIRST_MARKER)
            if first is None or first.kind is not Kind.RUN:
                raise JournalError(f"{path}: not a journal segment")
            format_ = _decode_any(first.body).get("format")
            if format_ != FORMAT:
                raise JournalError(f"{path}: journal format {format_}, this program reads {FORMAT}")
            self.head = msgspec.msgpack.decode(first.body, type=RunHead)
        except (JournalError, msgspec.MsgspecError) as e:
            self.close()
            raise e if isinstance(e, JournalError) else JournalError(f"{path}: {e}") from None
        self.start = first.end

    def close(self) -> None:
        os.close(self.fd)

    def frames(self, offset: int = 0, *, over: bool = False) -> Iterator[Frame]:
        """Whole frames from `offset` (0: the first after `RUN`) to the end or a torn tail. With `over=True` (nobody writes
        here any more) damaged bytes that have sound frames behind them are skipped and counted in `Frame.skipped`."""
        offset = max(offset, self.start)
        skipped = 0
        while True:
            frame = self._frame_at(offset, self.head.marker)
            if frame is not None:
                frame.skipped, skipped = skipped, 0
                yield frame
                offset = frame.end
            elif over and (found := self._next_frame(offset + 1)) is not None:
                skipped, offset = found - offset, found
            else:
                self._block = memoryview(b"")  # its writer may be at it: read anew next time
                return

    def _frame_at(self, offset: int, expected: bytes) -> Frame | None:
        head = self._read(offset, FRAME.size)
        if len(head) < FRAME.size:
            return None
        marker, length, crc = FRAME.unpack(head)
        if marker != expected or not PAYLOAD.size <= length <= MAX_PAYLOAD:
            return None
        payload = self._read(offset + FRAME.size, length)
        if len(payload) < length or zlib.crc32(payload) != crc:
            return None
        kind, call, t_us = PAYLOAD.unpack_from(payload)
        return Frame(Kind(kind), call, t_us, bytes(payload[PAYLOAD.size :]), offset + FRAME.size + length)

    def _read(self, offset: int, size: int) -> memoryview:
        start = offset - self._block_at
        if start < 0 or start + size > len(self._block):
            self._block = memoryview(os.pread(self.fd, max(size, _BLOCK), offset))
            self._block_at, start = offset, 0
        return self._block[start : start + size]

    def _next_frame(self, offset: int) -> int | None:
        """The next offset behind `offset` at which a sound frame starts."""
        step = 1 << 20
        while block := os.pread(self.fd, step + len(self.head.marker), offset):
            at = block.find(self.head.marker)
            while at != -1:
                if self._frame_at(offset + at, self.head.marker):
                    return offset + at
                at = block.find(self.head.marker, at + 1)
            offset += step
        return None


def segments(folder: Path) -> list[Path]:
    """All segments, oldest run first, in order within a run."""
    return sorted(folder.glob("*.seg"))


def is_live(path: Path) -> bool:
    """Whether a proxy still holds this segment. A vanished segment is not live."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)
