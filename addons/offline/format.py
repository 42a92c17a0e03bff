"""What a protocol module must bring: one `Format`, made of plain functions, and the small pieces they share."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .ask import Ask
from .memory import Memory
from .script import Reply

type Json = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """One wire format of chat-like calls.

    `read(body, path, memory)` may raise LookupError, TypeError, ValueError or AttributeError on a body that is not of
    this format. `events` yields the parts of a stream as they go on the wire. `remember` keeps an answer for later
    requests. `request_id` names the header that carries the answer's id.
    """

    read: Callable[[Json, str, Memory], Ask]
    document: Callable[[Ask, Reply], Json]
    events: Callable[[Ask, Reply], Iterator[bytes]]
    error: Callable[[int, str], object]
    error_event: Callable[[int, str], bytes]
    stream_type: str = "text/event-stream; charset=utf-8"
    request_id: str | None = None
    remember: Callable[[Json, Ask, Reply, Memory], None] | None = None
    # What an error inside a 200 stream is, when the prompt does not say.
    event_status: int = 500


def dumps(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def sse(value: object, event: str | None = None) -> bytes:
    """One server-sent event with LF line ends."""
    head = b"event: " + event.encode() + b"\n" if event else b""
    return head + b"data: " + dumps(value) + b"\n\n"


def json_mode(kind: object, schema: object) -> Mapping[str, Any] | None:
    """`Ask.output_schema` for the OpenAI-shaped `json_schema` / `json_object` / `text` kinds."""
    if kind == "json_schema" and isinstance(schema, Mapping):
        return schema
    return {} if kind in ("json_object", "json_schema") else None
