"""An answer read back from the wire: text, reasoning, tool calls, token counts, and how it ended.

Bytes come as they were on the wire, still compressed, cut anywhere. They are decoded, cut into events by the framing they are in
(told by content type and first byte, as providers and gateways do not always say), and given to the parser of the format.
No bytes make it raise; what cannot be understood is passed over and leaves None. Memory is bounded: events and bodies beyond
a limit are dropped.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from intelligence.wire import paths
from intelligence.wire.aws_eventstream import EventStreamReader, Frame
from intelligence.wire.draft import Answer, Draft, ToolCall
from intelligence.wire.encoding import Decoder
from intelligence.wire.formats import parser_for
from intelligence.wire.json_array import JsonArrayReader
from intelligence.wire.json_value import INVALID, decode, decode_outline, name, obj, text
from intelligence.wire.ndjson import NdjsonReader
from intelligence.wire.sse import SseReader

__all__ = ["Answer", "AnswerReader", "ToolCall"]

MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_DECODED_BYTES = 128 * 1024 * 1024
# Whole bodies of these are read in outline: they hold vectors, images and sound.
_BULKY = frozenset(["embeddings", "images", "audio", "rerank"])
_OUTLINE_BYTES = 256 * 1024
_MAX_ERROR_TEXT = 2000
_BOM = b"\xef\xbb\xbf"
# By then the framing must have shown.
_MAX_HEAD = 4096
# Of one stream; the longest real ones have a tenth. What comes behind is not read.
MAX_EVENTS = 1_000_000
_LINES_AT_ONCE = 1 << 16

Headers = Iterable[tuple[str, str]] | Mapping[str, str]


class AnswerReader:
    """`format` and `operation` are those of the request's `Target`; `path` is the request's."""

    def __init__(
        self,
        format: str | None,
        operation: str | None,
        *,
        status_code: int,
        headers: Headers,
        path: str = "",
    ) -> None:
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        self._headers = {key.lower(): value for key, value in pairs}
        self._draft = Draft()
        self._format = format
        self._operation = operation
        self._path = path.partition("?")[0]
        self._failed = status_code >= 400
        self._parser = parser_for(format, self._draft, self._headers)
        self._decoder = Decoder(self._headers.get("content-encoding"), MAX_DECODED_BYTES)
        self._head = b""
        self._framing: SseReader | NdjsonReader | JsonArrayReader | EventStreamReader | None = None
        self._kind = ""
        self._some_event = False
        self._events_left = MAX_EVENTS
        self._body = bytearray()
        self._max_body = MAX_DECODED_BYTES if operation in _BULKY else MAX_BODY_BYTES
        self._too_long = False
        self._finished: Answer | None = None

    @property
    def saw_token(self) -> bool:
        """Whether some of the content has come: text, reasoning or a tool call."""
        return self._draft.saw_token

    @property
    def draft(self) -> Draft:
        """What has come so far: its lists grow while bytes are fed."""
        return self._draft

    def feed(self, data: bytes) -> None:
        for piece in self._decoder.pieces(data):
            self._take(piece)

    def _take(self, data: bytes) -> None:
        if not self._kind:
            self._head += data
            self._kind = self._choose(self._head)
            if not self._kind:
                return
            data, self._head = self._head, b""
        if self._framing is None:
            self._hold(data)
        elif self._events_left:
            self._events(self._framing.feed(data))

    def finish(self) -> Answer:
        """The answer, also when its end never came."""
        if self._finished is None:
            if isinstance(self._framing, (SseReader, NdjsonReader)):
                self._events(self._framing.finish())
            if self._framing is None:
                self._read_whole((bytes(self._body) or self._head).removeprefix(_BOM))
            elif isinstance(self._framing, JsonArrayReader):
                self._draft.terminal = self._draft.terminal or self._framing.closed
            finish = getattr(self._parser, "finish", None)
            if finish:
                finish()
            self._finished = self._answer()
        return self._finished

    # Framing

    def _choose(self, head: bytes) -> str:
        """How the body is cut into events; "" as long as its first bytes do not tell."""
        content_type = self._headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type == "application/vnd.amazon.eventstream":
            self._framing = EventStreamReader()
            return "aws"
        # Only so much, however much came at once: what is chosen must not depend on the cuts.
        head = head[:_MAX_HEAD]
        start = head.removeprefix(_BOM).lstrip()[:8]
        if len(head) < _MAX_HEAD and (not start or _BOM.startswith(head)):
            return ""
        if start[:1] in (b"{", b"["):
            if self._format == "gemini" and self._path.endswith(
                ("streamGenerateContent", "streamRawPredict")
            ):
                self._framing = JsonArrayReader()
                return "array"
            if content_type in _NDJSON:
                self._framing = NdjsonReader()
                return "ndjson"
            return "whole"
        if content_type == "text/event-stream" or start.startswith((b"data:", b"event:", b":")):
            self._framing = SseReader()
            return "sse"
        if (
            len(start) < 6
            and len(head) < _MAX_HEAD
            and (b"data:".startswith(start) or b"event:".startswith(start))
        ):
            return ""
        return "whole"

    # Events

    def _events(self, found: Iterable[Any]) -> None:
        for event in found:
            if not self._events_left:
                return
            self._events_left -= 1
            if isinstance(event, Frame):
                self._frame(event)
            elif isinstance(event, tuple):
                self._json_event(event[0].decode("utf-8", "replace"), event[1])
            else:
                self._json_event("", event)

    def _json_event(self, kind: str, data: bytes) -> None:
        if data[:6] == b"[DONE]":
            self._draft.terminal = True
            return
        value = decode(data)
        if value is not INVALID and self._parser is not None:
            self._some_event = True
            self._parser.event(kind, value)
        elif kind == "error" or (value is not INVALID and obj(value).get("error")):
            self._draft.fail(data[:_MAX_ERROR_TEXT].decode("utf-8", "replace") if value is INVALID else value)

    def _frame(self, frame: Frame) -> None:
        kind, headers = frame.headers.get(":message-type", "event"), frame.headers
        value = decode(frame.payload) if frame.payload else {}
        if kind == "event":
            name_ = headers.get(":event-type", "")
            inner = text(obj(value).get("bytes")) if name_ == "chunk" else ""
            if inner:
                try:
                    self._json_event("", base64.b64decode(inner))
                except (binascii.Error, ValueError):
                    return
            elif value is not INVALID and self._parser is not None:
                self._parser.event(name_, value)
            return
        type_ = headers.get(":exception-type") or headers.get(":error-code")
        message = headers.get(":error-message") or text(obj(value).get("message"))
        self._draft.fail_as(name(type_), message or "the provider broke the stream off")
        self._draft.terminal = True

    # Whole bodies

    def _hold(self, data: bytes) -> None:
        if self._too_long or len(self._body) + len(data) > self._max_body:
            self._body, self._too_long = bytearray(), True
        else:
            self._body += data

    def _read_whole(self, body: bytes) -> None:
        draft = self._draft
        content_type = self._headers.get("content-type", "").lower()
        value: Any = INVALID
        if body and self._looks_json(body, content_type):
            value = decode_outline(body, _OUTLINE_BYTES) if self._operation in _BULKY else decode(body)
        if value is not INVALID:
            if self._parser is not None:
                self._parser.whole(value)
            draft.terminal = True
            if self._failed and draft.error_message is None:
                draft.fail(value)
        elif self._read_lines(body):
            return
        elif self._failed:
            excerpt = body[:_MAX_ERROR_TEXT].decode("utf-8", "replace").strip()
            draft.fail_as(None, excerpt) if excerpt else None
        elif self._operation == "audio" and content_type.startswith("text/"):
            draft.say(body.decode("utf-8", "replace"))

    def _read_lines(self, body: bytes) -> bool:
        """Lines of JSON that were announced as one JSON value."""
        head, newline, _ = body.partition(b"\n")
        if not newline or not isinstance(decode(head), dict):
            return False
        lines = NdjsonReader()
        for at in range(0, len(body), _LINES_AT_ONCE):
            self._events(lines.feed(body[at : at + _LINES_AT_ONCE]))
        self._events(lines.finish())
        return True

    @staticmethod
    def _looks_json(body: bytes, content_type: str) -> bool:
        return "json" in content_type or body[:64].lstrip()[:1] in (b"{", b"[", b'"')

    def _unknowable(self) -> bool:
        """Whether the end of this body shows only in HTTP: a file, a page, a binary protocol, events nobody knows; or in what
        was not read for its length."""
        if self._too_long or not self._events_left or not self._decoder.within:
            return True
        if self._framing and self._framing.dropped:
            return True
        if self._kind in ("whole", ""):
            content_type = self._headers.get("content-type", "").lower()
            return "json" not in content_type and bool(content_type) and "event-stream" not in content_type
        draft = self._draft
        blank = draft.model is None and draft.finish_reason is None and draft.usage_raw is None
        return self._parser is None or (self._some_event and blank and not draft.saw_token)

    # The end

    def _answer(self) -> Answer:
        answer = self._draft.answer()
        answer.model = answer.model or self._model_in_path()
        if answer.error_type is None and self._failed and (stated := self._headers.get("x-amzn-errortype")):
            answer.error_type = stated.partition(":")[0] or None
        if not answer.terminal and self._unknowable():
            answer.terminal = None
        return answer

    def _model_in_path(self) -> str | None:
        """Bedrock's answers do not repeat the model; the path alone names it."""
        if self._format is None or not self._format.startswith("bedrock"):
            return None
        return paths.stated(self._format, self._path)[0]


_NDJSON = frozenset(
    ["application/x-ndjson", "application/ndjson", "application/stream+json", "application/jsonl"]
)
