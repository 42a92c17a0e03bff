"""Reading `traffic.db`: the questions that the commands and the dashboard both ask. SQL as named constants, parameters bound.

Readers never wait for the worker nor hold it up, and cannot write. Sums leave out what the provider did not state, so each
comes with the number of calls it leaves out.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from intelligence.store import tree_rows
from intelligence.store.bodies import Piece, decompress, unpack
from intelligence.wire.encoding import decode_body

Headers = list[tuple[str, str]]

TOTALS = """
select count(*) as calls,
    coalesce(sum(c.state = 'pending'), 0) as pending,
    coalesce(sum(c.state = 'error'), 0) as errors,
    coalesce(sum(c.state = 'blocked'), 0) as blocked,
    sum(c.input_tokens) as input_tokens, sum(c.output_tokens) as output_tokens,
    coalesce(sum(c.input_tokens is null or c.output_tokens is null and c.operation is not 'embeddings'), 0) as uncounted,
    sum(c.cost_usd) as cost_usd, coalesce(sum(c.cost_usd is null), 0) as unpriced,
    min(c.id) as first_id
from calls c join requests q using (id)
where c.started_at >= :since_ms and c.started_at <= :until_ms and (:run is null or q.run = :run)"""

# The messages of a WebSocket are with the row of its first response: `messages_seq`.
CALL = """
select c.*, q.seq, q.run, q.client_version, q.client_address, q.credential_kind, q.credential_fingerprint,
    q.conversation_key, q.format, q.method, q.scheme, q.port, q.http_version, q.websocket, q.truncated,
    q.headers as request_headers, q.body_bytes as request_bytes, q.body_sha256,
    q.body_redacted as request_redacted, r.reason, r.http_version as response_http_version,
    r.headers as response_headers, r.body_bytes as response_bytes, r.body_redacted as response_redacted,
    r.reasoning, r.tool_calls as tool_calls_json, r.server_tool_calls, r.ended, r.connect_ms, r.tls_ms,
    r.request_ms, r.close_code,
    coalesce((select s.seq from requests s where s.id = substr(q.id, 1, 36)), q.seq) as messages_seq
from calls c join requests q using (id) left join responses r on r.request = q.seq
where c.id = :id"""

BODY = "select data, arrivals from bodies where request = :seq and kind = :kind order by part"

# What has come of an answer, or of a WebSocket's messages, that has not ended.
OPEN_BODY = "select data, arrivals from open_chunks where request = :seq order by id"

IN_TREE = "select 1 from turns where request = :seq and envelope is not null"

POSITIONS = "select segment, position from journal_positions"


def connect(database: Path, *, timeout_seconds: float = 5) -> sqlite3.Connection:
    """Read-only; rows by name. Raises `sqlite3.OperationalError` when there is no such file."""
    db = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, timeout=timeout_seconds)
    db.row_factory = sqlite3.Row
    return db


def totals(
    db: sqlite3.Connection, *, since_ms: int = 0, until_ms: int = 2**62, run: str | None = None
) -> dict[str, Any]:
    """Counts and sums over the calls that began in this time, of one run of the proxy if one is named."""
    found = db.execute(TOTALS, {"since_ms": since_ms, "until_ms": until_ms, "run": run}).fetchone()
    return dict(found)


def call(db: sqlite3.Connection, call_id: str) -> dict[str, Any] | None:
    """One call with all that is known of it but its bodies; headers as pairs."""
    found = db.execute(CALL, {"id": call_id}).fetchone()
    if found is None:
        return None
    values = dict(found)
    for side in ("request_headers", "response_headers"):
        values[side] = [(str(name), str(value)) for name, value in json.loads(values[side] or "[]")]
    return values


def pieces(db: sqlite3.Connection, seq: int, kind: str) -> Iterator[Piece]:
    """What arrived, as it arrived: `kind` is `request` (one piece a part), `response` or, for a WebSocket, `messages`.
    Only one part is held at a time: stop reading when you have enough. A request in the message tree is one piece, its
    content-encoding undone (`is_in_tree`)."""
    if kind == "request" and (whole := tree_rows.body(db, seq)) is not None:
        yield Piece(0, whole)
        return
    for data, arrivals in db.execute(BODY, {"seq": seq, "kind": kind}):
        plain = decompress(data)
        if arrivals is None:
            yield Piece(0, plain)
        else:
            yield from unpack(plain, decompress(arrivals))
    if kind != "request":
        for data, arrivals in db.execute(OPEN_BODY, {"seq": seq}):
            yield from unpack(data, arrivals)


def is_in_tree(db: sqlite3.Connection, seq: int) -> bool:
    """Whether the body of a request is put together from the message tree: the same JSON value, without content-encoding."""
    return db.execute(IN_TREE, {"seq": seq}).fetchone() is not None


def body(db: sqlite3.Connection, seq: int, kind: str, headers: Headers, max_bytes: int) -> bytes:
    """A body with its content-encoding undone, at most `max_bytes` of it."""
    raw = bytearray()
    for piece in pieces(db, seq, kind):
        raw += piece.data
        if len(raw) >= max_bytes:
            break
    if kind == "request" and is_in_tree(db, seq):
        return bytes(raw[:max_bytes])
    encoding = ", ".join(value for name, value in headers if name.lower() == "content-encoding")
    return decode_body(encoding or None, bytes(raw), max_bytes)
