"""Rows of calls: what the frames of a call say, as it is stored.

Pure: frames and pieces in, dictionaries of columns out. A failure to parse loses no call: its row then has NULL where the
answer would have told something, and an event says so.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from intelligence.store.bodies import Piece
from intelligence.store.conversations import response_id
from intelligence.store.journal import EndHead, Headers, RequestHead, ResponseHead
from intelligence.store.outcome import outcome
from intelligence.store.timing import Arrivals
from intelligence.wire.answer import Answer, AnswerReader, ToolCall
from intelligence.wire.encoding import decode_body
from intelligence.wire.request import read_request

log = logging.getLogger(__name__)

# Bytes of an answer, as they came, that are parsed. What is longer is stored all the same.
PARSE_BYTES = 64 * 1024 * 1024

# So much of it at a time.
_TOGETHER = 256 * 1024

# Characters of one column; SQLite's own limit is a thousand million bytes. The body is stored whole.
MAX_TEXT = 32 * 1024 * 1024

Row = dict[str, Any]


@dataclass(slots=True)
class Call:
    """A call that has not ended. `stored`: it has its row; `pieces`: what arrived since the last commit."""

    seq: int
    id: str
    run: str
    started_us: int
    format: str | None = None
    operation: str | None = None
    path: str = ""
    websocket: bool = False
    truncated: bool = False
    response: ResponseHead | None = None
    last_us: int = 0
    chunks: int = 0
    body_bytes: int = 0
    parts: int = 0
    stored: bool = False
    spilled_bytes: int = 0
    new_row: Row | None = None
    new_body: bytes | None = None
    new_response: bool = False
    pieces: list[Piece] = field(default_factory=list)

    @property
    def started_at(self) -> int:
        return self.started_us // 1000

    @property
    def kind(self) -> str:
        """Of the body of what arrives."""
        return "messages" if self.is_socket else "response"

    @property
    def is_socket(self) -> bool:
        """A WebSocket that was not refused."""
        return self.response.status_code == 101 if self.response else self.websocket

    def elapsed_us(self, t_us: int) -> int:
        """Since the request. The clock of the machine may have been set back meanwhile."""
        return max(t_us - self.started_us, 0)


def begin(
    seq: int,
    call_id: str,
    run: str,
    t_us: int,
    head: RequestHead | None,
    body: bytes,
    *,
    websocket: bool = False,
) -> Call:
    """A call whose first frame has come: usually its request; without `head`, that frame was lost (`websocket` then is what
    the frame that came tells)."""
    row: Row = {column: getattr(head, column, None) for column in REQUEST_COLUMNS}
    if head is None:
        call = Call(seq, call_id, run, t_us, websocket=websocket, truncated=True, last_us=t_us)
    else:
        call = Call(
            seq, call_id, run, t_us, head.format, head.operation, head.path, head.websocket, last_us=t_us
        )
        call.new_body = body
        model, stream = head.model, head.stream
        if head.format and not head.websocket and (model is None or stream is None):
            model, stream = _model_and_stream(head, body, call_id)
        row |= {
            "headers": _headers(head.headers),
            "model": model,
            "stream": stream,
            "body_bytes": len(body) if head.body_bytes is None else head.body_bytes,
            "body_sha256": head.body_sha256 or hashlib.sha256(body).hexdigest(),
        }
    row |= {
        "seq": seq,
        "id": call_id,
        "run": run,
        "state": "pending",
        "started_at": call.started_at,
        "websocket": call.websocket,
        "body_redacted": bool(head and head.body_redacted),
        "truncated": call.truncated,
    }
    call.new_row = row
    return call


def _model_and_stream(head: RequestHead, body: bytes, call_id: str) -> tuple[str | None, bool | None]:
    try:
        decoded = decode_body(header(head.headers, "content-encoding"), body, PARSE_BYTES)
        request = read_request(head.format, head.operation, head.path, decoded)
    except Exception:
        log.exception("%s: the request could not be parsed", call_id)
        return head.model, head.stream
    return (
        head.model if head.model is not None else request.model,
        head.stream if head.stream is not None else request.stream,
    )


def header_columns(call: Call) -> Row:
    """The row of an answer that has begun, with all columns."""
    row: Row = dict.fromkeys(RESPONSE_COLUMNS)
    row |= {"request": call.seq, "body_redacted": False}
    if head := call.response:
        row |= {
            "status_code": head.status_code,
            "reason": head.reason,
            "http_version": head.http_version,
            "headers": _headers(head.headers),
            "body_redacted": head.body_redacted,
        }
    return row


@dataclass(frozen=True, slots=True)
class Ended:
    """`state`, the complete row of `responses`, and what went wrong with parsing."""

    state: str
    row: Row
    problem: str | None = None
    response_id: str | None = None


@dataclass(slots=True)
class Reading:
    """`answer` is None when there was none or it could not be parsed; `whole`: it was parsed to its last byte."""

    answer: Answer | None = None
    columns: Row = field(default_factory=dict)
    ttft_us: int | None = None
    arrivals: Arrivals = field(default_factory=Arrivals)
    whole: bool = True
    problem: str | None = None
    response_id: str | None = None


def end(call: Call, head: EndHead | None, t_us: int, pieces: Iterable[Piece]) -> Ended:
    """The end of a call: of its `END` frame, or (`head` is None) of the run without one. `pieces`: the whole answer."""
    reading = _read_answer(call, pieces) if call.response and not call.is_socket else Reading()
    status_code = call.response.status_code if call.response else None
    untimed = head is not None and head.untimed
    idle = call.is_socket and head is not None and head.cause == "client_left"  # it asked for nothing
    result = outcome(
        EndHead("complete") if idle else head,
        status_code,
        reading.answer,
        whole=reading.whole and not call.truncated,
    )
    arrivals = reading.arrivals
    row = header_columns(call) | reading.columns
    row |= {
        "error_type": result.error_type,
        "error_message": result.error_message,
        "ended": head.cause if head else None,
        "connect_ms": head.connect_ms if head else None,
        "tls_ms": head.tls_ms if head else None,
        "request_ms": head.request_ms if head else None,
        "close_code": head.close_code if head else None,
        "ttft_ms": None if untimed else _ms(reading.ttft_us),
        "first_byte_ms": None if untimed else _ms(arrivals.first_us),
        "gap_max_ms": None if untimed else _ms(arrivals.longest_us),
        "gap_p95_ms": None if untimed else _ms(arrivals.p95_us),
        "duration_ms": call.elapsed_us(t_us) / 1000,
        "chunks": None if untimed else call.chunks,
        "body_bytes": call.body_bytes,
    }
    return Ended(result.state, row, reading.problem, reading.response_id)


def _read_answer(call: Call, pieces: Iterable[Piece]) -> Reading:
    assert call.response is not None
    reading = Reading()
    fed = read = 0
    later: list[bytes] = []  # once there is a token, it does not matter when what came
    try:
        reader = AnswerReader(
            call.format,
            call.operation,
            status_code=call.response.status_code,
            headers=call.response.headers,
            path=call.path,
        )
        for piece in pieces:
            if fed + len(piece.data) > PARSE_BYTES:
                reading.whole = False
                reading.problem = f"only the first {fed} bytes of the answer were parsed"
                break
            reading.arrivals.piece(piece.at_us)
            if not fed:
                reading.response_id = response_id(call.format, call.response.headers, piece.data)
            fed += len(piece.data)
            if reading.ttft_us is None:
                reader.feed(piece.data)
                reading.ttft_us = piece.at_us if reader.saw_token else None
                continue
            later.append(piece.data)
            if fed - read >= _TOGETHER:
                reader.feed(b"".join(later))
                later, read = [], fed
        reader.feed(b"".join(later))
        answer = reader.finish()
        reading.columns = answer_columns(answer)
        reading.answer = answer
    except sqlite3.Error:  # pieces may come from the database: that is no fault of the answer
        raise
    except Exception as e:
        log.exception("%s: the answer could not be parsed", call.id)
        reading = Reading(problem=f"the answer could not be parsed: {type(e).__name__}: {e}")
    return reading


def answer_columns(answer: Answer) -> Row:
    return {
        "model": answer.model,
        "finish_reason": answer.finish_reason,
        "input_tokens": answer.input_tokens,
        "output_tokens": answer.output_tokens,
        "cache_read_tokens": answer.cache_read_tokens,
        "cache_write_tokens": answer.cache_write_tokens,
        "reasoning_tokens": answer.reasoning_tokens,
        "usage_raw": None if answer.usage_raw is None else _json(answer.usage_raw),
        "service_tier": answer.service_tier,
        "text": answer.text,
        "reasoning": answer.reasoning,
        "tool_calls": _tools(answer.tool_calls),
        "server_tool_calls": _tools(answer.server_tool_calls),
    }


def _ms(us: int | None) -> float | None:
    return None if us is None else us / 1000


def header(headers: Headers, name: str) -> str | None:
    """A header's value; several of one name are one list, as HTTP has it."""
    values = [value for key, value in headers if key.lower() == name]
    return ", ".join(values) if values else None


def sound(row: Row) -> Row:
    """The row with what SQLite cannot hold made so that it can: what a provider sends may be anything."""
    for column, value in row.items():
        if type(value) is str:
            if len(value) > MAX_TEXT:
                row[column] = value = value[:MAX_TEXT]
            if not value.isascii():
                row[column] = value.encode("utf-8", "replace").decode()  # lone surrogates
        elif type(value) is int:
            if not -(2**63) <= value < 2**63:
                row[column] = None
        elif value is not None and type(value) not in (bool, float, bytes):
            row[column] = _json(value).encode("utf-8", "replace").decode()
    return row


def _headers(headers: Headers) -> str:
    return _json(headers)


def _tools(calls: list[ToolCall]) -> str:
    return _json([{"id": c.id, "name": c.name, "arguments": c.arguments} for c in calls])


def _json(value: Any) -> str:
    try:
        return _encode(value).decode()
    except (msgspec.MsgspecError, UnicodeEncodeError, TypeError, ValueError, OverflowError):
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


_encode = msgspec.json.Encoder().encode


REQUEST_COLUMNS = (
    "seq", "id", "run", "state", "started_at", "user", "client", "client_version", "client_address",
    "credential_kind", "credential_fingerprint", "conversation_key", "provider", "operation", "format", "method",
    "scheme", "host", "port", "path", "http_version", "headers", "model", "stream", "websocket", "body_bytes",
    "body_sha256", "body_redacted", "truncated",
)  # fmt: skip
RESPONSE_COLUMNS = (
    "request", "status_code", "reason", "http_version", "headers", "body_bytes", "body_redacted", "model",
    "finish_reason", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens",
    "reasoning_tokens", "usage_raw", "text", "reasoning", "tool_calls", "server_tool_calls", "error_type",
    "error_message", "ended", "connect_ms", "tls_ms", "request_ms", "ttft_ms", "duration_ms", "chunks", "close_code",
    "service_tier", "first_byte_ms", "gap_max_ms", "gap_p95_ms",
)  # fmt: skip
