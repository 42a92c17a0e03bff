"""A stream cut into the frames its events come in, with every byte kept: joined, the frames are the stream.

Server-sent events, lines of JSON, and the elements of one growing JSON array, from bytes cut anywhere. The JSON in a frame can be
replaced; all else in it (event names, comments, line ends, what stands between elements) stays. A frame that grows beyond
`max_bytes` is given in pieces that hold no data, and `lost` tells.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from intelligence.wire.json_array import JsonArrayReader
from intelligence.wire.lines import MAX_EVENT_BYTES

# Two line ends in a row. A CR that is the last byte so far may be half of one.
_BLANK_LINE = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r(?=.))", re.DOTALL)
_LINE = re.compile(rb"([^\r\n]*)(\r\n|\n|\r|\Z)")
_BOM = b"\xef\xbb\xbf"


@dataclass(slots=True)
class Frame:
    """`data` is the JSON in it, which stands in `raw` at `spans`: one for each of its lines."""

    raw: bytes
    name: str = ""
    data: bytes = b""
    spans: tuple[tuple[int, int], ...] = ()

    def holding(self, data: bytes) -> bytes:
        """The frame with other JSON in it."""
        if not self.spans:
            return self.raw
        (start, end), *more = self.spans
        behind, at = b"", end
        for begin, stop in more:  # further `data:` lines go empty
            behind += self.raw[at:begin]
            at = stop
        if more:
            data = data.replace(b"\n", b" ")
        return self.raw[:start] + data + behind + self.raw[at:]


class Frames(Protocol):
    lost: bool

    def feed(self, data: bytes) -> list[Frame]: ...

    def finish(self) -> list[Frame]:
        """What is left at the end of the stream."""
        ...

    def rest(self) -> bytes:
        """The bytes of the frame that is not whole yet; they are forgotten here."""
        ...


class _Buffered:
    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self.lost = False
        self._max_bytes = max_bytes
        self._held = bytearray()

    def rest(self) -> bytes:
        held, self._held = bytes(self._held), bytearray()
        return held

    def _bounded(self) -> list[Frame]:
        if len(self._held) <= self._max_bytes:
            return []
        self.lost = True
        return [Frame(self.rest())]


class SseFrames(_Buffered):
    _looked = 0

    def feed(self, data: bytes) -> list[Frame]:
        held = self._held
        held += data
        frames, at, look = [], 0, self._looked
        while end := _BLANK_LINE.search(held, look):
            frames.append(_event(bytes(held[at : end.end()])))
            at = look = end.end()
        del held[:at]
        frames += self._bounded()
        self._looked = max(0, len(self._held) - 3)
        return frames

    def finish(self) -> list[Frame]:
        rest = self.rest()
        return [_event(rest)] if rest else []


class LineFrames(_Buffered):
    def feed(self, data: bytes) -> list[Frame]:
        held = self._held
        if b"\n" not in data:
            held += data
            return self._bounded()
        held += data
        *lines, rest = bytes(held).split(b"\n")
        self._held = bytearray(rest)
        return [_line(line + b"\n") for line in lines] + self._bounded()

    def finish(self) -> list[Frame]:
        rest = self.rest()
        return [_line(rest)] if rest else []


class ArrayFrames(_Buffered):
    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_bytes)
        self._elements = JsonArrayReader(max_bytes)

    def feed(self, data: bytes) -> list[Frame]:
        self._held += data
        frames = []
        for element in self._elements.feed(data):
            start = self._held.find(element)
            if start < 0:
                continue  # a part of it is gone already: it was too long
            end = start + len(element)
            frames.append(Frame(bytes(self._held[:end]), "", element, ((start, end),)))
            del self._held[:end]
        self.lost = self.lost or self._elements.dropped > 0
        return frames + self._bounded()

    def finish(self) -> list[Frame]:
        rest = self.rest()
        return [Frame(rest)] if rest else []


def _line(raw: bytes) -> Frame:
    data = raw.strip()
    start = raw.find(data)
    return Frame(raw, "", data, ((start, start + len(data)),) if data else ())


def _event(raw: bytes) -> Frame:
    name, spans = b"", []
    at = len(_BOM) if raw.startswith(_BOM) else 0
    while at < len(raw):
        line = _LINE.match(raw, at)
        assert line
        text = line[1]
        if text.startswith(b"data:"):
            spans.append((line.start() + (6 if text[5:6] == b" " else 5), line.end(1)))
        elif text.startswith(b"event:"):
            name = text[6:].removeprefix(b" ")
        at = max(line.end(), at + 1)
    data = b"\n".join(raw[start:end] for start, end in spans)
    return Frame(raw, name.decode("utf-8", "replace"), data, tuple(spans))


KINDS: dict[str, type[SseFrames] | type[LineFrames] | type[ArrayFrames]] = {
    "sse": SseFrames,
    "lines": LineFrames,
    "array": ArrayFrames,
}

_LINES = frozenset(
    ["application/x-ndjson", "application/ndjson", "application/stream+json", "application/jsonl"]
)
_ARRAYS = ("streamGenerateContent", "streamRawPredict")


def kind_of(content_type: str, path: str, streams: bool | None) -> str | None:
    """How an answer is cut: a key of `KINDS`, or `whole`; None for what cannot be held. `streams`: a stream was asked for."""
    stated = content_type.partition(";")[0].strip().lower()
    if stated == "text/event-stream":
        return "sse"
    if stated in _LINES:
        return "lines"
    if stated == "application/json" or stated.endswith("+json"):
        return "array" if path.partition("?")[0].endswith(_ARRAYS) else "whole"
    if not stated or stated.startswith("text/plain"):
        return "sse" if streams else "whole"
    return None


def kind_within(body: bytes) -> str | None:
    """The same of a whole body that is no JSON value."""
    start = body[:64].removeprefix(_BOM).lstrip()
    if start.startswith((b"data:", b"event:", b":")):
        return "sse"
    return "lines" if start[:1] == b"{" else None
