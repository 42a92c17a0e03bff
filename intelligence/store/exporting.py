"""Which calls leave, and each as it was: what `llmitm export` is made of. Reads only, and waits for nobody.

Calls come in the order in which they began, a page at a time, so that no long read keeps the worker's log from being begun
anew. Calls that have not ended are left out. Memory holds one call.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from intelligence.store import queries
from intelligence.store.bodies import FROM_CLIENT, TEXT
from intelligence.store.exchange import Exchange, Message, RawHeaders, Reply, call_id
from intelligence.store.journal import EndHead, RequestHead
from intelligence.wire.encoding import decode_body

PAGE = 200

_FROM = """
    from calls c join requests q on q.id = c.id left join turns t on t.request = q.seq
    where c.state <> 'pending'"""
_WHERE = {
    "since_ms": "c.started_at >= :since_ms",
    "until_ms": "c.started_at < :until_ms",
    "session": "c.session_id = :session",
    "model": "(c.model glob :model or c.response_model glob :model)",
    "client": "c.client glob :client",
    "provider": "c.provider glob :provider",
    "text": """q.seq in (select request from search_texts where id in
        (select rowid from search_texts_fts where search_texts_fts match :text))""",
}
# What nothing goes on from: the last call of each branch of a conversation, which holds all before it.
_LAST = "coalesce(t.claimed, 0) = 0"


@dataclass(frozen=True, slots=True)
class Filter:
    """`model`, `client`, `provider` are globs; `text` are words that must all be in what a call added to its conversation, or was
    answered. `last_only`: of each conversation the calls that hold all of it."""

    since_ms: int | None = None
    until_ms: int | None = None
    session: str | None = None
    model: str | None = None
    client: str | None = None
    provider: str | None = None
    text: str | None = None
    last_only: bool = False

    def sql(self) -> tuple[str, dict[str, Any]]:
        values = {name: getattr(self, name) for name in _WHERE if getattr(self, name) is not None}
        where = [_WHERE[name] for name in values]
        if "text" in values:
            # Each word in quotes: what people search for is no query language.
            values["text"] = " ".join('"' + word.replace('"', '""') + '"' for word in values["text"].split())
        if self.last_only:
            where.append(_LAST)
        return "".join(f" and {clause}" for clause in where), values


def count(db: sqlite3.Connection, wanted: Filter) -> int:
    where, values = wanted.sql()
    return int(db.execute(f"select count(*) {_FROM}{where}", values).fetchone()[0])


def ids(db: sqlite3.Connection, wanted: Filter) -> Iterator[str]:
    """Of the calls, in the order in which they began."""
    where, values = wanted.sql()
    sql = f"""select q.id, q.started_at, q.seq {_FROM}{where}
        and (q.started_at, q.seq) > (:after_ms, :after_seq)
        order by q.started_at, q.seq limit {PAGE}"""
    after = (-1, -1)
    while found := db.execute(sql, values | {"after_ms": after[0], "after_seq": after[1]}).fetchall():
        for row in found:
            yield str(row["id"])
        after = (found[-1]["started_at"], found[-1]["seq"])


def sessions(db: sqlite3.Connection, wanted: Filter) -> Iterator[list[str]]:
    """The ids of the calls, by session, in the order in which the sessions began; a call without one is alone."""
    where, values = wanted.sql()
    groups = db.execute(
        f"select coalesce(c.session_id, '') as session, min(c.started_at) {_FROM}{where} group by 1 order by 2",
        values,
    ).fetchall()
    for group in groups:
        if group["session"]:
            yield list(ids(db, replace(wanted, session=group["session"])))
        else:
            lone = f"select q.id {_FROM}{where} and c.session_id is null order by c.started_at"
            for row in db.execute(lone, values).fetchall():
                yield [row["id"]]


def calls(db: sqlite3.Connection, wanted: Filter) -> Iterator[dict[str, Any]]:
    """Rows of the view `calls`."""
    for id_ in ids(db, wanted):
        row = db.execute("select * from calls where id = ?", (id_,)).fetchone()
        if row is not None:  # forgotten meanwhile
            yield dict(row)


def exchanges(db: sqlite3.Connection, wanted: Filter) -> Iterator[tuple[dict[str, Any], Exchange | None]]:
    """Each call's row of the view `calls`, and its exchange; None for further responses on a WebSocket, whose exchange came with
    the first that was wanted."""
    told: set[str] = set()
    for row in calls(db, wanted):
        whole = row["id"][:36]
        if whole in told:
            yield row, None
            continue
        found = queries.call(db, whole)
        if found is None:
            continue
        if found["websocket"]:
            told.add(whole)
        yield row, exchange_of(db, found)


def exchange_of(db: sqlite3.Connection, row: dict[str, Any]) -> Exchange:
    """`row`: as `queries.call` gives it."""
    started = row["started_at"] * 1000
    head = _head(row)
    socket = head.websocket and row["status_code"] in (101, None)
    body = b"" if socket else b"".join(p.data for p in queries.pieces(db, row["seq"], "request"))
    headers = _raw(row["request_headers"])
    if not socket and queries.is_in_tree(db, row["seq"]):
        headers = _without_encoding(headers)
    exchange = Exchange(
        id=call_id(row["id"].encode(), started),
        started_us=started,
        method=head.method,
        scheme=head.scheme,
        host=head.host,
        port=head.port,
        path=head.path,
        http_version=head.http_version,
        headers=headers,
        body=body,
        websocket=socket,
        ended_us=started + round((row["duration_ms"] or 0) * 1000),
        user=head.user,
        client_address=head.client_address,
        head=head,
        missing=_missing(db, row),
    )
    if row["status_code"] is not None:
        exchange.reply = _reply(db, row, started, socket=socket)
    if socket:
        exchange.messages = [
            Message(
                started + p.at_us, bool((p.flags or 0) & FROM_CLIENT), bool((p.flags or 0) & TEXT), p.data
            )
            for p in queries.pieces(db, row["messages_seq"], "messages")
        ]
        exchange.ended_us = max(
            [exchange.ended_us, _last_end(db, row["id"]), *(m.at_us for m in exchange.messages)]
        )
    if row["ended"]:
        exchange.end = EndHead(
            row["ended"],
            row["error_message"],
            connect_ms=row["connect_ms"],
            tls_ms=row["tls_ms"],
            request_ms=row["request_ms"],
            close_code=row["close_code"],
            untimed=not socket and row["chunks"] is None,
        )
    return exchange


def decoded(exchange: Exchange) -> Exchange:
    """The same with the content-encodings undone; the headers stay as they were."""
    reply = exchange.reply
    if reply and reply.pieces and (encoding := _encoding(reply.headers)):
        whole = decode_body(encoding, b"".join(data for _, data in reply.pieces))
        reply = replace(reply, pieces=[(reply.pieces[-1][0], whole)])
    encoding = _encoding(exchange.headers)
    body = decode_body(encoding, exchange.body) if encoding else exchange.body
    return replace(exchange, body=body, reply=reply)


def request_body(db: sqlite3.Connection, row: dict[str, Any], max_bytes: int) -> bytes:
    """What was asked, decoded; of a WebSocket the request for this response. `row`: as `queries.call` gives it."""
    return queries.body(db, row["seq"], "request", row["request_headers"], max_bytes)


_HEAD_FIELDS = frozenset(RequestHead.__struct_fields__) - {"headers", "websocket", "body_redacted"}


def _head(row: dict[str, Any]) -> RequestHead:
    values = {name: row[name] for name in _HEAD_FIELDS if row.get(name) is not None}
    values["body_bytes"] = row["request_bytes"]
    values["stream"] = None if row["stream"] is None else bool(row["stream"])
    for name in ("method", "scheme", "host", "path", "http_version"):
        values.setdefault(name, "")
    values.setdefault("port", 0)
    return msgspec.convert(
        values
        | {
            "headers": row["request_headers"],
            "websocket": bool(row["websocket"]),
            "body_redacted": bool(row["request_redacted"]),
        },
        RequestHead,
        strict=False,
    )


def _reply(db: sqlite3.Connection, row: dict[str, Any], started: int, *, socket: bool) -> Reply:
    pieces: list[tuple[int, bytes]] | None = []
    if not socket:
        pieces = [(started + p.at_us, p.data) for p in queries.pieces(db, row["seq"], "response")]
        if not pieces and row["response_bytes"]:
            pieces = None  # retention took it
    return Reply(
        row["status_code"],
        row["reason"] or "",
        row["response_http_version"] or "",
        _raw(row["response_headers"]),
        pieces[0][0] if pieces else started,
        pieces,
        bool(row["response_redacted"]),
    )


def _missing(db: sqlite3.Connection, row: dict[str, Any]) -> str | None:
    (pruned,) = db.execute("select pruned from requests where seq = ?", (row["seq"],)).fetchone()
    if pruned:
        return (
            "retention took what was said" if pruned == "content" else "retention took the answer as it came"
        )
    return "it was recorded in part only" if row["truncated"] else None


def _last_end(db: sqlite3.Connection, id_: str) -> int:
    """When the last response on a WebSocket ended, in microseconds."""
    (last,) = db.execute(
        "select max(started_at + coalesce(duration_ms, 0)) from calls where id = :id or id glob :id || '.*'",
        {"id": id_},
    ).fetchone()
    return round((last or 0) * 1000)


def _raw(headers: list[tuple[str, str]]) -> RawHeaders:
    return [(n.encode("latin-1", "replace"), v.encode("latin-1", "replace")) for n, v in headers]


def _without_encoding(headers: RawHeaders) -> RawHeaders:
    return [(n, v) for n, v in headers if n.lower() != b"content-encoding"]


def _encoding(headers: RawHeaders) -> str | None:
    return ", ".join(v.decode("latin-1") for n, v in headers if n.lower() == b"content-encoding") or None
