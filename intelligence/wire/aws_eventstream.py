"""The event stream of AWS (`application/vnd.amazon.eventstream`), from bytes cut anywhere.

    u32 total length | u32 length of headers | u32 CRC-32 of these 8 bytes | headers | payload | u32 CRC-32 of all before
    header: u8 length of name | name | u8 type | value            (integers big-endian)

A wrong CRC in the first 12 bytes means that the place in the stream is lost: the rest is passed over and `lost` is True. A frame
whose own CRC is wrong is dropped alone. A frame longer than `max_bytes` is skipped without being held.
Format: AWS SDK documentation, "Amazon event stream encoding".
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from intelligence.wire.lines import MAX_EVENT_BYTES

_PRELUDE = struct.Struct(">III")
_CRC = struct.Struct(">I")
# Bytes of a header's value by its type; types 6 (bytes) and 7 (string) carry their length.
_FIXED = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}


@dataclass(frozen=True, slots=True)
class Frame:
    """`headers` holds those that are strings."""

    headers: dict[str, str]
    payload: bytes


class EventStreamReader:
    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self.dropped = 0
        self.lost = False
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._wanted = _PRELUDE.size
        self._skip = 0

    def feed(self, data: bytes) -> list[Frame]:
        frames: list[Frame] = []
        if self.lost:
            return frames
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            data = data[skipped:]
        self._held += data
        at = 0
        while len(self._held) - at >= self._wanted and not self.lost:
            at = self._frame(at, frames)
        del self._held[:at]
        return frames

    def _frame(self, at: int, frames: list[Frame]) -> int:
        """Take the frame at this offset, or learn how long it is. Returns the offset to go on at."""
        held = self._held
        total: int
        total, head, crc = _PRELUDE.unpack_from(held, at)
        if zlib.crc32(held[at : at + 8]) != crc or total < head + 16:
            self.lost = True
            return len(held)
        if total > self._max_bytes:
            self.dropped += 1
            self._wanted = _PRELUDE.size
            self._skip = max(at + total - len(held), 0)
            return min(at + total, len(held))
        if len(held) - at < total:
            self._wanted = total
            return at
        self._wanted = _PRELUDE.size
        frame = bytes(held[at : at + total])
        if zlib.crc32(frame[:-4]) == _CRC.unpack_from(frame, total - 4)[0]:
            frames.append(Frame(_headers(frame[12 : 12 + head]), frame[12 + head : -4]))
        else:
            self.dropped += 1
        return at + total


def _headers(block: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    at = 0
    while at < len(block):
        name_end = at + 1 + block[at]
        if name_end >= len(block):
            break
        name, kind = block[at + 1 : name_end], block[name_end]
        at = name_end + 1
        if kind in (6, 7):
            if at + 2 > len(block):
                break
            length = int.from_bytes(block[at : at + 2])
            if kind == 7:
                headers[name.decode("utf-8", "replace")] = block[at + 2 : at + 2 + length].decode(
                    "utf-8", "replace"
                )
            at += 2 + length
        elif kind in _FIXED:
            at += _FIXED[kind]
        else:
            break
    return headers
