"""The elements of one JSON array that grows over time (Gemini without `alt=sse`), each as soon as it is whole.

A lone object in place of the array is given as one element: that is how errors come. Elements are objects; anything else
between them is passed over. Strings, and runs of brackets, are jumped over by regular expressions, so time is linear in the
input and small. An element longer than `max_bytes` is dropped.
"""

from __future__ import annotations

import re

from intelligence.wire.lines import MAX_EVENT_BYTES


def _up_to(stops: bytes) -> re.Pattern[bytes]:
    """Matches whole strings, and all else but these bytes."""
    other = rb'[^"' + stops + rb"]*+"
    return re.compile(other + rb'(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"' + other + rb")*+", re.DOTALL)


_INSIDE = _up_to(rb"{}\[\]")
# Between elements: once the array has begun no bracket opens anything there, once it has ended none closes anything.
_BEFORE, _BETWEEN, _BEHIND = _up_to(rb"{\["), _up_to(rb"{\]"), _up_to(rb"{")
_REST_OF_STRING = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_BRACKETS = re.compile(rb"[{\[]++|[}\]]++")


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

    def feed(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        start = at = 0
        size = len(data)
        if self._escaped and data:
            self._escaped = False
            at = 1
        while at < size:
            if self._in_string:
                at = self._string(data, at)
                continue
            skipped = self._other().match(data, at)
            at = skipped.end() if skipped else at
            if at == size:
                break
            if data[at] == 0x22:
                self._in_string = True
                at += 1
            elif self._depth:
                at = self._inside(data, at)
                if not self._depth:
                    self._keep(data[start:at])
                    self._end(found)
            elif data[at] == 0x7B:
                start, at = at, at + 1
                self._depth = 1
            else:
                self.closed = self.closed or self._array
                self._array = True
                at += 1
        if self._depth:
            self._keep(data[start:] if start else data)
        return found

    def _other(self) -> re.Pattern[bytes]:
        """What to pass over here."""
        if self._depth:
            return _INSIDE
        if not self._array:
            return _BEFORE
        return _BEHIND if self.closed else _BETWEEN

    def _string(self, data: bytes, at: int) -> int:
        rest = _REST_OF_STRING.match(data, at)
        at = rest.end() if rest else at
        if at < len(data):
            self._in_string = data[at] != 0x22
            self._escaped = self._in_string and at + 1 == len(data)
            at += 1
        return at

    def _inside(self, data: bytes, at: int) -> int:
        run = _BRACKETS.match(data, at)
        count = run.end() - at if run else 1
        if data[at] in b"{[":
            self._depth += count
            return at + count
        closing = min(count, self._depth)
        self._depth -= closing
        return at + closing

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
        self._element, self._size = bytearray(), 0
        self.closed = self.closed or not self._array
