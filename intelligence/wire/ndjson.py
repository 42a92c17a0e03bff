"""Newline-delimited JSON (Ollama, Cohere v1): the lines that hold something, from bytes cut anywhere."""

from __future__ import annotations

from intelligence.wire.lines import MAX_EVENT_BYTES, LineSplitter


class NdjsonReader:
    def __init__(self, max_bytes: int = MAX_EVENT_BYTES) -> None:
        self._lines = LineSplitter(max_bytes)

    @property
    def dropped(self) -> int:
        return self._lines.dropped

    def feed(self, data: bytes) -> list[bytes]:
        return [line for line in self._lines.feed(data) if line.strip()]

    def finish(self) -> list[bytes]:
        return [line for line in self._lines.finish() if line.strip()]
