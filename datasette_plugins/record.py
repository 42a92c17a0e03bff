"""One call as it is stored: the columns of its tables, its bodies, and when the pieces of its answer came.

Bodies may be huge; what is read here for showing is at most `SHOWN_BYTES` of each.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from intelligence.store import queries
from intelligence.store.bodies import FROM_CLIENT, TEXT, Piece
from intelligence.wire.encoding import decode_body

SHOWN_BYTES = 4_000_000

Headers = list[tuple[str, str]]


@dataclass(frozen=True)
class Message:
    """One WebSocket message. `text` is `None` for binary ones."""

    at_ms: float
    from_client: bool
    size: int
    text: str | None


@dataclass(frozen=True)
class Record:
    """`row` is what `queries.call` gives. Bodies are decoded and perhaps cut."""

    row: dict[str, Any]
    request_body: bytes
    response_body: bytes
    response_raw: bytes  # as it came, still content-encoded
    arrivals: list[tuple[float, int]]  # ms from the request on, bytes
    messages: list[Message]
    cut: bool


def read(db: sqlite3.Connection, call_id: str) -> Record | None:
    """`None` if there is no such call. Raises `sqlite3.Error`."""
    row = queries.call(db, call_id)
    if row is None:
        return None
    sent, sent_cut = _pieces(db, row["seq"], "request")
    if row["websocket"]:
        answered, answer_cut = _pieces(db, row["messages_seq"], "messages")
        raw, messages = b"", [_message(piece) for piece in answered]
    else:
        answered, answer_cut = _pieces(db, row["seq"], "response")
        raw, messages = b"".join(piece.data for piece in answered), []
    return Record(
        row,
        _decoded(
            [] if queries.is_in_tree(db, row["seq"]) else row["request_headers"],
            b"".join(piece.data for piece in sent),
        ),
        _decoded(row["response_headers"], raw),
        raw,
        [(p.at_us / 1000, len(p.data)) for p in answered if not (p.flags or 0) & FROM_CLIENT],
        messages,
        sent_cut or answer_cut,
    )


def request_of(db: sqlite3.Connection, call_id: str) -> tuple[dict[str, Any], bytes] | None:
    """What was asked in a call: its row, and the decoded body, at most `SHOWN_BYTES` of it."""
    row = queries.call(db, call_id)
    if row is None:
        return None
    return row, queries.body(db, row["seq"], "request", row["request_headers"], SHOWN_BYTES)


def body(db: sqlite3.Connection, call_id: str, side: str, max_bytes: int) -> bytes | None:
    """The decoded body of a side (`request` or `response`), at most `max_bytes` of it. `None` without such a call."""
    row = queries.call(db, call_id)
    return None if row is None else queries.body(db, row["seq"], side, row[f"{side}_headers"], max_bytes)


def _pieces(db: sqlite3.Connection, seq: int, kind: str) -> tuple[list[Piece], bool]:
    """The first `SHOWN_BYTES` of a body, and whether there are more."""
    read: list[Piece] = []
    size = 0
    for piece in queries.pieces(db, seq, kind):
        if size >= SHOWN_BYTES:
            return read, True
        read.append(piece)
        size += len(piece.data)
    return read, False


def _plain_request(db: sqlite3.Connection, row: dict[str, Any], data: bytes) -> bytes:
    # What comes from the message tree has its content-encoding undone already.
    return data if queries.is_in_tree(db, row["seq"]) else _decoded(row["request_headers"], data)


def _decoded(headers: Headers, data: bytes) -> bytes:
    encoding = ", ".join(value for name, value in headers if name.lower() == "content-encoding")
    return decode_body(encoding or None, data, SHOWN_BYTES)


def _message(piece: Piece) -> Message:
    flags = piece.flags or 0
    text = piece.data.decode("utf-8", "replace") if flags & TEXT else None
    return Message(piece.at_us / 1000, bool(flags & FROM_CLIENT), len(piece.data), text)
