"""Server-sent events, as in the WHATWG HTML standard ("event stream interpretation"), from bytes cut anywhere.

One departure: an event that the end of the stream cuts off before its blank line is given all the same, as servers forget the
last one. Only names and data matter here; `id` and `retry` are passed over like comments. An event whose data exceeds
`max_bytes` is dropped whole.
"""

from __future__ import annotations

from intelligence.wire.lines import MAX_EVENT_BYTES, LineSplitter

# Name (empty when not given) and data.
Event = tuple[bytes, bytes]

_BOM = b"\xef\xbb\xbf"


class SseReader:
    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._lines = LineSplitter(max_bytes)
        self._max_bytes = max_bytes
        self._first = True
        self._name = b""
        self._data: bytes | bytearray | None = None
        self._size = 0
        self._too_long = 0

    @property
    def dropped(self) -> int:
        """Events and lines passed over for their length."""
        return self._lines.dropped + self._too_long

    def feed(self, data: bytes) -> list[Event]:
        return self._events(self._lines.feed(data))

    def finish(self) -> list[Event]:
        return self._events([*self._lines.finish(), b""])

    def _events(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        for line in lines:
            if self._first:
                self._first = False
                line = line.removeprefix(_BOM)
            if not line:
                if self._data is not None:
                    events.append((self._name, bytes(self._data)))
                if self._size > self._max_bytes:
                    self._too_long += 1
                self._name, self._data, self._size = b"", None, 0
            elif line.startswith(b"data"):
                if line[4:5] == b":":
                    self._add(line[6:] if line[5:6] == b" " else line[5:])
                elif line == b"data":
                    self._add(b"")
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ")
        return events

    def _add(self, value: bytes) -> None:
        self._size += len(value) + 1
        if self._size > self._max_bytes:
            self._data = None
        elif self._data is None:
            self._data = value
        else:
            if isinstance(self._data, bytes):
                self._data = bytearray(self._data)
            self._data += b"\n" + value
