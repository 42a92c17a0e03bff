"""Lines out of bytes that are cut anywhere. CR, LF and CRLF all end a line, also when CRLF is split over two pieces.

Linear in the input whatever the cuts. A line longer than `max_bytes` is dropped, counted in `dropped`, and reading goes on
behind it.
"""

from __future__ import annotations

# Enough for a generated image in base64, within one event.
MAX_EVENT_BYTES = 32 * 1024 * 1024


class LineSplitter:
    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self.dropped = 0
        self._max_bytes = max_bytes
        self._held = bytearray()
        self._after_cr = False
        self._skipping = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that ended in this piece, without their ends."""
        if self._after_cr and data:
            self._after_cr = False
            if data[0] == 10:
                data = data[1:]
        if b"\r" in data:
            self._after_cr = data[-1] == 13
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines:
            if self._held:
                lines[0] = bytes(self._held) + lines[0]
                self._held = bytearray()
            if self._skipping:
                self._skipping = False
                del lines[0]
            if len(data) > self._max_bytes or (lines and len(lines[0]) > self._max_bytes):
                self.dropped += sum(len(line) > self._max_bytes for line in lines)
                lines = [line for line in lines if len(line) <= self._max_bytes]
        self._hold(rest)
        return lines

    def finish(self) -> list[bytes]:
        """The last line, when nothing ended it."""
        line, self._held = bytes(self._held), bytearray()
        return [line] if line else []

    def _hold(self, rest: bytes) -> None:
        if not rest or self._skipping:
            return
        if len(self._held) + len(rest) > self._max_bytes:
            self._held, self._skipping = bytearray(), True
            self.dropped += 1
        else:
            self._held += rest
