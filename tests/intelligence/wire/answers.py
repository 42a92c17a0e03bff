"""Reading an answer in every way it may arrive: whole, byte by byte, cut in two anywhere, compressed. All must agree."""

import gzip
import json
from typing import Any

from intelligence.wire.answer import Answer, AnswerReader

SSE = "text/event-stream; charset=utf-8"
JSON = "application/json"
NDJSON = "application/x-ndjson"


def sse(*events: Any, done: bool = False, end: str = "\n") -> bytes:
    """Each event a JSON value, or a pair of its name and value."""
    lines = []
    for event in events:
        if isinstance(event, tuple):
            lines.append(f"event: {event[0]}{end}")
            event = event[1]
        lines.append(f"data: {json.dumps(event, ensure_ascii=False)}{end}{end}")
    return ("".join(lines) + (f"data: [DONE]{end}{end}" if done else "")).encode()


def ndjson(*values: Any) -> bytes:
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def reader(
    format_: str | None, *, status: int = 200, operation: str = "chat", path: str = "", **headers: str
) -> AnswerReader:
    pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return AnswerReader(format_, operation, status_code=status, headers=pairs, path=path)


def read(format_: str | None, body: Any, content_type: str | None = None, **how: Any) -> Answer:
    """`body` as bytes (then SSE unless said otherwise) or as a JSON value."""
    if not isinstance(body, bytes):
        body, content_type = json.dumps(body).encode(), content_type or JSON
    how["content_type"] = content_type or SSE
    whole = _read(format_, [body], how)
    step = max(len(body) // 60, 1)
    for pieces in (
        [body[i : i + 1] for i in range(len(body))],
        *([body[:at], body[at:]] for at in range(0, len(body), step)),
    ):
        assert _read(format_, pieces, how) == whole, "the cuts must not matter"
    if "content_encoding" not in how:
        packed = gzip.compress(body)
        how = how | {"content_encoding": "gzip"}
        assert _read(format_, [packed[i : i + 5] for i in range(0, len(packed), 5)], how) == whole
    return whole


def _read(format_: str | None, pieces: list[bytes], how: dict[str, Any]) -> Answer:
    answer = reader(format_, **how)
    for piece in pieces:
        answer.feed(piece)
    return answer.finish()


def tools(answer: Answer) -> list[tuple[str | None, str, str]]:
    return [(call.id, call.name, call.arguments) for call in answer.tool_calls]


def tokens(answer: Answer) -> tuple[int | None, ...]:
    """Input, output, cache read, cache write, reasoning."""
    return (
        answer.input_tokens,
        answer.output_tokens,
        answer.cache_read_tokens,
        answer.cache_write_tokens,
        answer.reasoning_tokens,
    )
