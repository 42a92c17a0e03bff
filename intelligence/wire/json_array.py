"""The elements of one JSON array that grows over time (Gemini without `alt=sse`), each as soon as it is whole.

A lone object in place of the array is given as one element: that is how errors come. Elements are objects; anything else
between them is passed over. Runs of text inside strings are jumped over by a regular expression, so time is linear in the
input. An element longer than `max_bytes` is dropped.
"""

from __future__ import annotations

import re

from intelligence.wire.lines import MAX_EVENT_BYTES

# Outside of strings only these bytes change anything; inside of one, only an escape and the end do.
_OUTSIDE = re.compile(rb'["{}\[\]]')
_INSIDE = re.compile(rb'["\\]')


class JsonArrayReader:
    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self.dropped = 0
        self.closed = False
        """Whether the array, or the lone object, has ended."""
        self._max_bytes = max_bytes
        self._depth = 0
        self._array = False
        self._in_string = False
        self._escaped = False
        self._element = bytearray()
        self._size = 0
        self._open = False

    def feed(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        start = 0 if self._open else -1
        at = 0
        size = len(data)
        while at < size:
            if self._escaped:
                self._escaped = False
                at += 1
                continue
            match = (_INSIDE if self._in_string else _OUTSIDE).search(data, at)
            if match is None:
                break
            byte = data[match.start()]
            at = match.end()
            if byte == 0x5C:
                self._escaped = True
            elif byte == 0x22:
                self._in_string = not self._in_string
            elif byte in b"{[":
                if self._depth == 0 and byte == 0x5B and not self._array:
                    self._array = True
                elif self._depth == 0 and byte == 0x7B:
                    self._open, start = True, match.start()
                    self._depth = 1
                elif self._open:
                    self._depth += 1
            elif self._open:
                self._depth -= 1
                if self._depth == 0:
                    self._keep(data[start:at])
                    self._end(found)
                    start = -1
                    self.closed = self.closed or not self._array
            elif byte == 0x5D and self._array:
                self.closed = True
        if self._open:
            self._keep(data[start:] if start > 0 else data)
        return found

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size <= self._max_bytes:
            self._element += piece
        else:
            self._element = bytearray()

    def _end(self, found: list[bytes]) -> None:
        if self._size <= self._max_bytes:
            found.append(bytes(self._element))
        else:
            self.dropped += 1
        self._element, self._size, self._open = bytearray(), 0, False
