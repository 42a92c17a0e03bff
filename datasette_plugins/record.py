"""One call as it is stored: the columns of its tables, its bodies, and when the pieces of its answer came.

Bodies may be huge; what is read here for showing is at most `SHOWN_BYTES` of each.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from datasette_plugins import queries
from intelligence.store.bodies import FROM_CLIENT, TEXT, Piece, decompress, unpack
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
    """`row` has the columns of `requests`, `responses` and the view `calls`. Bodies are decoded and perhaps cut."""

    row: dict[str, Any]
    request_headers: Headers
    response_headers: Headers
    request_body: bytes
    response_body: bytes
    response_raw: bytes  # as it came, still content-encoded
    arrivals: list[tuple[float, int]]  # ms from the request on, bytes
    messages: list[Message]
    cut: bool


def read(db: sqlite3.Connection, call_id: str) -> Record | None:
    """`None` if there is no such call. Raises `sqlite3.Error`."""
    found = db.execute(queries.CALL, {"id": call_id}).fetchone()
    if found is None:
        return None
    row = dict(found)
    request_headers, response_headers = headers(row["request_headers"]), headers(row["response_headers"])
    sent, sent_cut = pieces(db, row["body_call"], "request")
    answered, answer_cut = pieces(db, row["body_call"], "messages" if row["websocket"] else "response")
    raw = b"" if row["websocket"] else b"".join(p.data for p in answered)
    return Record(
        row,
        request_headers,
        response_headers,
        decoded(request_headers, b"".join(p.data for p in sent)),
        decoded(response_headers, raw),
        raw,
        [(p.at_us / 1000, len(p.data)) for p in answered if not (p.flags or 0) & FROM_CLIENT],
        [_message(p) for p in answered] if row["websocket"] else [],
        sent_cut or answer_cut,
    )


def body(db: sqlite3.Connection, call_id: str, side: str, max_bytes: int) -> tuple[Headers, bytes] | None:
    """Headers and decoded body of a side (`request` or `response`), at most `max_bytes` of it. `None` without such a call."""
    found = db.execute(queries.CALL, {"id": call_id}).fetchone()
    if found is None:
        return None
    stored = headers(found[f"{side}_headers"])
    read, _ = pieces(db, found["body_call"], side, max_bytes)
    return stored, decoded(stored, b"".join(p.data for p in read), max_bytes)


def pieces(
    db: sqlite3.Connection, body_call: int, kind: str, max_bytes: int = SHOWN_BYTES
) -> tuple[list[Piece], bool]:
    """The pieces of a body, and whether there are more than these `max_bytes`."""
    read: list[Piece] = []
    size = 0
    for piece in _stored(db, body_call, kind):
        if size >= max_bytes:
            return read, True
        read.append(piece)
        size += len(piece.data)
    return read, False


def _stored(db: sqlite3.Connection, body_call: int, kind: str) -> Iterator[Piece]:
    for data, arrivals in db.execute(queries.BODY, {"request": body_call, "kind": kind}):
        plain = decompress(data)
        if arrivals is None:
            yield Piece(0, plain)
        else:
            yield from unpack(plain, decompress(arrivals))
    if kind != "request":
        for data, arrivals in db.execute(queries.OPEN_BODY, {"request": body_call}):
            yield from unpack(data, arrivals)


def decoded(stored: Headers, data: bytes, max_bytes: int = SHOWN_BYTES) -> bytes:
    encoding = next((value for name, value in stored if name.lower() == "content-encoding"), None)
    return decode_body(encoding, data, max_bytes)


def headers(raw: str | None) -> Headers:
    """The JSON of the column `headers`."""
    return [(str(name), str(value)) for name, value in json.loads(raw or "[]")]


def _message(piece: Piece) -> Message:
    flags = piece.flags or 0
    text = piece.data.decode("utf-8", "replace") if flags & TEXT else None
    return Message(piece.at_us / 1000, bool(flags & FROM_CLIENT), len(piece.data), text)
