"""What one transaction writes to `traffic.db`: rows gathered from many frames, stored by `executemany`."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from intelligence.store.bodies import Piece, compress, pack, parts
from intelligence.store.calls import REQUEST_COLUMNS, RESPONSE_COLUMNS, Call, Row, sound
from intelligence.store.conversations import Closed, Opened
from intelligence.store.governing import Governed
from intelligence.store.governing import store as store_governed
from intelligence.store.pricing import Prices
from intelligence.store.settle import settle


def _insert(table: str, columns: Sequence[str], verb: str = "insert") -> str:
    names = ", ".join(columns)
    return f"{verb} into {table} ({names}) values ({', '.join(f':{c}' for c in columns)})"


INSERT_REQUEST = _insert("requests", REQUEST_COLUMNS)
PUT_RESPONSE = _insert("responses", RESPONSE_COLUMNS, "replace")
INSERT_BODY = "insert into bodies (request, kind, part, bytes, data, arrivals) values (?, ?, ?, ?, ?, ?)"
INSERT_EVENT = "insert into events (at, run, kind, message, data, call) values (?, ?, ?, ?, ?, ?)"
TRUNCATE_REQUEST = "update requests set truncated = 1 where seq = ?"
ASK = """update requests set model = coalesce(:model, model), stream = :stream, body_bytes = :body_bytes
    where seq = :seq"""
CLOSE_SOCKET = """update responses set ended = :ended, close_code = :close_code, body_bytes = :body_bytes
    where request = :seq"""
UPDATE_REQUEST = "update requests set state = :state, truncated = :truncated where seq = :seq"
PUT_POSITION = "replace into journal_positions (segment, position) values (?, ?)"
DELETE_POSITION = "delete from journal_positions where segment = ?"
PUT_OPEN = """replace into open_calls (request, started_us, last_us, chunks, bytes, parts)
    values (?, ?, ?, ?, ?, ?)"""
INSERT_CHUNKS = "insert into open_chunks (request, data, arrivals) values (?, ?, ?)"
DELETE_OPEN = "delete from open_calls where request = ?"
DELETE_CHUNKS = "delete from open_chunks where request = ?"

BodyRow = tuple[int, str, int, int, bytes, bytes | None]


@dataclass(slots=True)
class Batch:
    """`weight` is about the bytes the rows hold, so that the caller can stop in time. `told` is for `Conversations`, once
    the rows are stored."""

    requests: list[Row] = field(default_factory=list)
    updates: list[Row] = field(default_factory=list)
    asked: list[Row] = field(default_factory=list)
    truncated: list[tuple[int]] = field(default_factory=list)
    responses: list[Row] = field(default_factory=list)
    bodies: list[BodyRow] = field(default_factory=list)
    events: list[tuple[int, str | None, str, str, str, str | None]] = field(default_factory=list)
    opened: list[tuple[Any, ...]] = field(default_factory=list)
    chunks: list[tuple[int, bytes, bytes]] = field(default_factory=list)
    sockets: list[Row] = field(default_factory=list)
    closed: list[tuple[int]] = field(default_factory=list)
    cleared: list[tuple[int]] = field(default_factory=list)
    told: list[Opened | Closed] = field(default_factory=list)
    governed: list[Governed] = field(default_factory=list)
    weight: int = 0

    def request(self, row: Row) -> None:
        self.requests.append(sound(row))

    def begun(self, call: Call) -> None:
        """A call that has no row yet."""
        assert call.new_row is not None
        self.request(call.new_row | {"truncated": call.truncated})

    def open(self, call: Call) -> None:
        """A call that goes on after this transaction."""
        if call.new_row:
            self.begun(call)
        elif call.truncated:
            self.truncated.append((call.seq,))
        self.opened.append(
            (call.seq, call.started_us, call.last_us, call.chunks, call.body_bytes, call.parts)
        )

    def response(self, row: Row) -> None:
        self.responses.append(sound(row))
        self.weight += len(row["text"] or "") + len(row["reasoning"] or "") + len(row["tool_calls"] or "")

    def event(
        self,
        kind: str,
        message: str,
        data: Mapping[str, Any],
        *,
        run: str | None,
        t_us: int,
        call: str | None,
    ) -> None:
        text = json.dumps(data, separators=(",", ":"), default=str)
        self.events.append((t_us // 1000, run, kind, _clean(message), text, call))

    def asks(self, row: Row, body: bytes) -> None:
        """A request, with its body as it came."""
        if body:
            self.told.append(Opened(sound(dict(row)), body))
            self.weight += len(body)

    def answered(self, seq: int, state: str, row: Row, response_id: str | None = None) -> None:
        """`row`: of `responses`, made sound."""
        self.told.append(Closed(seq, state, row["text"], row["tool_calls"], response_id))

    def pieces(self, seq: int, kind: str, first_part: int, pieces: Iterable[Piece]) -> int:
        """A body that came in pieces. Returns the number of parts it has now."""
        for group in parts(pieces):
            data, arrivals = pack(group)
            self._body(seq, kind, first_part, data, compress(arrivals))
            first_part += 1
        return first_part

    def _body(self, seq: int, kind: str, part: int, data: bytes, arrivals: bytes | None) -> None:
        packed = compress(data)
        self.bodies.append((seq, kind, part, len(data), packed, arrivals))
        self.weight += len(packed)

    @property
    def over(self) -> list[int]:
        """The calls that end with this batch: of each, this is said once."""
        return [row["seq"] for row in chain(self.requests, self.updates) if row["state"] != "pending"]

    def store(self, db: sqlite3.Connection, prices: Prices) -> None:
        """Inside the caller's transaction."""
        many = db.executemany
        many(INSERT_REQUEST, self.requests)
        many(ASK, self.asked)
        many(TRUNCATE_REQUEST, self.truncated)
        many(UPDATE_REQUEST, self.updates)
        many(PUT_RESPONSE, self.responses)
        many(CLOSE_SOCKET, self.sockets)
        many(DELETE_CHUNKS, self.cleared)
        many(DELETE_OPEN, self.closed)
        many(INSERT_BODY, self.bodies)
        many(PUT_OPEN, self.opened)
        many(INSERT_CHUNKS, self.chunks)
        many(INSERT_EVENT, self.events)
        store_governed(db, self.governed)
        settle(db, self.over, prices)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
