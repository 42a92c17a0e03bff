"""What is fuzzed: one function of bytes for each decoder, which raises when a promise is broken.

The promises: no exception on any bytes, and, where a decoder takes a stream, that the cuts of the stream do not matter. The first
bytes of an input choose among variants and cuts; the rest is what the decoder gets.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from intelligence.store import journal_reader
from intelligence.wire.answer import AnswerReader
from intelligence.wire.aws_eventstream import EventStreamReader
from intelligence.wire.credentials import Redactor
from intelligence.wire.encoding import Decoder
from intelligence.wire.formats import _PARSERS
from intelligence.wire.identify import conversation_key, read_fields
from intelligence.wire.json_array import JsonArrayReader
from intelligence.wire.ndjson import NdjsonReader
from intelligence.wire.paths import FORMATS
from intelligence.wire.request import read_request
from intelligence.wire.sse import SseReader
from intelligence.wire.websocket import CallSplitter

Target = Callable[[bytes], None]

_KEY = bytes(32)
_CONTENT_TYPES = (
    "text/event-stream",
    "application/json",
    "application/x-ndjson",
    "application/vnd.amazon.eventstream",
    "",
    "text/plain",
)
_ENCODINGS = ("gzip", "deflate", "br", "zstd", "gzip, br", "zstd, gzip")
_OPERATIONS = ("chat", "embeddings", "audio", "unknown")


def _split(data: bytes, seed: int) -> list[bytes]:
    """Pieces of one to eight bytes, or two halves, as the seed says."""
    if seed % 2:
        at = seed * len(data) // 256
        return [data[:at], data[at:]]
    step = seed // 2 % 8 + 1
    return [data[i : i + step] for i in range(0, len(data), step)]


def _framing(make: Callable[[int], Any]) -> Target:
    def target(data: bytes) -> None:
        if len(data) < 2:
            return
        max_bytes, pieces = (1 << 20 if data[0] < 200 else 16), _split(data[2:], data[1])
        whole, cut = make(max_bytes), make(max_bytes)
        found = [*whole.feed(data[2:])]
        again = [event for piece in pieces for event in cut.feed(piece)]
        if hasattr(whole, "finish"):
            found += whole.finish()
            again += cut.finish()
        assert found == again, "the cuts must not matter"
        assert whole.dropped == cut.dropped

    return target


def _encoding(data: bytes) -> None:
    if len(data) < 2:
        return
    name, body = _ENCODINGS[data[0] % len(_ENCODINGS)], data[2:]
    whole, cut = Decoder(name, 1 << 20), Decoder(name, 1 << 20)
    found = whole.feed(body)
    again = b"".join(cut.feed(piece) for piece in _split(body, data[1]))
    assert len(found) <= 1 << 20
    # Of damaged input brotli and zstd give what they have decoded so far, which depends on how it came.
    assert found == again or not whole.ok, "the cuts must not matter"


def _answer(format_: str | None) -> Target:
    def target(data: bytes) -> None:
        if len(data) < 3:
            return
        content_type = _CONTENT_TYPES[data[0] % len(_CONTENT_TYPES)]
        operation = _OPERATIONS[data[0] // 8 % len(_OPERATIONS)]
        status = 200 if data[2] < 200 else 429
        path = (
            "/v1beta/models/m:streamGenerateContent" if data[0] % 2 else "/model/anthropic.claude-v2/invoke"
        )

        def read(pieces: list[bytes]) -> Any:
            headers = {"content-type": content_type}
            reader = AnswerReader(format_, operation, status_code=status, headers=headers, path=path)
            for piece in pieces:
                reader.feed(piece)
            return reader.finish()

        whole = read([data[3:]])
        # As text, since NaN is not equal to itself.
        assert repr(whole) == repr(read(_split(data[3:], data[1]))), "the cuts must not matter"
        for said in (whole.text, whole.reasoning, whole.model or "", whole.finish_reason or ""):
            said.encode()
        for call in (*whole.tool_calls, *whole.server_tool_calls):
            f"{call.id}{call.name}{call.arguments}".encode()
        f"{whole.error_type}{whole.error_message}".encode()

    return target


def _request(data: bytes) -> None:
    if data:
        read_request(FORMATS[data[0] % len(FORMATS)], "chat", "/v1beta/models/m:generateContent", data[1:])


def _websocket(data: bytes) -> None:
    """Lines; the first byte of each says who sent it."""
    if not data:
        return
    splitter = CallSplitter(("openai-realtime", "openai-responses", "gemini-live")[data[0] % 3], "m")
    began, ended = 0, 0
    for line in data[1:].split(b"\n"):
        for event in splitter.feed(line[:1] == b">", True, line[1:]):
            began += type(event).__name__ == "Began"
            ended += type(event).__name__ == "Ended"
    ended += sum(type(event).__name__ == "Ended" for event in splitter.finish())
    assert began == ended, "a call that began must end"


def _fields(data: bytes) -> None:
    fields = read_fields(data)
    if fields is not None:
        conversation_key(_KEY, None, None, fields)
        start, end = fields.content
        assert 0 <= start <= end <= len(data)


def _strip_body(data: bytes) -> None:
    redactor = Redactor(_KEY)
    stripped = redactor.strip_body(data)
    if stripped is not None:
        assert redactor.strip_body(stripped) in (None, stripped)


def _journal(data: bytes) -> None:
    if not data:
        return
    fd = os.memfd_create("segment")
    try:
        os.write(fd, data[1:])
        with contextlib.suppress(journal_reader.JournalError):
            reader = journal_reader.SegmentReader(Path(f"/proc/self/fd/{fd}"))
            try:
                end = 0
                for frame in reader.frames(over=data[0] % 2 == 1):
                    assert frame.end > end
                    end = frame.end
            finally:
                reader.close()
    finally:
        os.close(fd)


TARGETS: dict[str, Target] = {
    "sse": _framing(SseReader),
    "ndjson": _framing(NdjsonReader),
    "json_array": _framing(JsonArrayReader),
    "aws_eventstream": _framing(EventStreamReader),
    "encoding": _encoding,
    **{f"answer-{name}": _answer(name) for name in [*_PARSERS, "bedrock-invoke", "none"]},
    "request": _request,
    "websocket": _websocket,
    "read_fields": _fields,
    "strip_body": _strip_body,
    "journal": _journal,
}
