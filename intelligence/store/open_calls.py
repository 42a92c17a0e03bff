"""What the database knows of calls that have not ended: how a worker that starts takes up where the last one was."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator

from intelligence.store import bodies
from intelligence.store.bodies import Piece
from intelligence.store.calls import REQUEST_COLUMNS, Call, Row
from intelligence.store.journal import ResponseHead

_OPEN = """
    select q.seq, q.id, q.run, q.format, q.operation, q.path, q.websocket, q.truncated,
        o.started_us, o.last_us, o.chunks, o.bytes, o.parts,
        r.status_code, r.reason, r.http_version, r.headers, r.body_redacted,
        (select sum(length(data)) from open_chunks c where c.request = q.seq) as spilled
    from requests q join open_calls o on o.request = q.seq left join responses r on r.request = q.seq
    order by q.seq"""
_PARTS = """
    select data, arrivals from bodies where request = ? and kind in ('response', 'messages') order by part"""
_CHUNKS = "select data, arrivals from open_chunks where request = ? order by id"
_REQUEST = f"select {', '.join(REQUEST_COLUMNS)} from requests where seq = ?"  # noqa: S608


def load(db: sqlite3.Connection) -> dict[bytes, Call]:
    """The calls that had not ended at the last commit, by the id they have in the journal."""
    calls = {}
    cursor = db.execute(_OPEN)
    names = [column[0] for column in cursor.description]
    for values in cursor:
        row = dict(zip(names, values, strict=True))
        call = Call(
            seq=row["seq"],
            id=row["id"],
            run=row["run"],
            started_us=row["started_us"],
            format=row["format"],
            operation=row["operation"],
            path=row["path"] or "",
            websocket=bool(row["websocket"]),
            truncated=bool(row["truncated"]),
            last_us=row["last_us"],
            chunks=row["chunks"],
            body_bytes=row["bytes"],
            parts=row["parts"],
            stored=True,
            spilled_bytes=row["spilled"] or 0,
        )
        if row["headers"] is not None:
            call.response = ResponseHead(
                row["status_code"],
                row["reason"],
                row["http_version"],
                [(name, value) for name, value in json.loads(row["headers"])],
                bool(row["body_redacted"]),
            )
        calls[bytes.fromhex(call.id.replace("-", ""))] = call
    return calls


def request_row(db: sqlite3.Connection, seq: int) -> Row:
    return dict(zip(REQUEST_COLUMNS, db.execute(_REQUEST, (seq,)).fetchone(), strict=True))


def arrived(db: sqlite3.Connection, call: Call) -> Iterator[Piece]:
    """All that has come of an answer, or of a WebSocket's messages; one part of it is held at a time."""
    if call.parts:
        for data, arrivals in db.execute(_PARTS, (call.seq,)):
            yield from bodies.unpack(bodies.decompress(data), bodies.decompress(arrivals))
    yield from spilled(db, call)
    yield from call.pieces


def spilled(db: sqlite3.Connection, call: Call) -> Iterator[Piece]:
    """What was put aside and is in no part yet."""
    if call.spilled_bytes:
        for data, arrivals in db.execute(_CHUNKS, (call.seq,)):
            yield from bodies.unpack(data, arrivals)
