"""What the drain tells of requests and their ends, taken into the message tree and into sessions.

Runs inside the transaction of a batch, once its rows are there. A body that is not split (no JSON, no conversation, larger
than is parsed) stays as it came, in `bodies`; `request_body` gives either. `Backlog` moves what an older version stored whole,
some requests at a time while the worker has nothing else to do.
"""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from intelligence.store import session_sums, tree_rows
from intelligence.store.asked import Asked
from intelligence.store.bodies import PART_BYTES, compress, decompress
from intelligence.store.meaning import answer_key
from intelligence.store.sessions import Placed, Sessions
from intelligence.store.stated import stated
from intelligence.store.system_prompt import SystemPrompts
from intelligence.store.tree import Split, split
from intelligence.store.tree_rows import Said, Stored, Tree
from intelligence.wire.encoding import decode_body
from intelligence.wire.json_value import decode, obj

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024 * 1024
# Operations that hold a conversation; `unknown` may.
_CONVERSATIONS = ("chat", "responses", "generate_content", "realtime")
_IN_TREE = (*_CONVERSATIONS, "count_tokens", "text_completion", "unknown", None)
_RESPONSE_ID = re.compile(rb'"id"\s*:\s*"(resp_[\w-]{1,200})"')

_COLUMNS = """seq, id, run, started_at, user, client, client_version, client_address, credential_kind,
    credential_fingerprint, format, operation, headers, state"""
_REQUEST = f"select {_COLUMNS} from requests where seq = ?"  # noqa: S608
_NEXT = f"select {_COLUMNS} from requests where seq >= ? and seq <= ? order by seq limit 1"  # noqa: S608
_INSERT_TURN = """insert into turns (request, session, link, parent, tip, envelope, marks, thread, system)
    values (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_PLACE = "update turns set session = ?, link = ?, parent = ? where request = ?"
_ENDED = "update turns set state = ?, answer = ?, response_id = ? where request = ?"
_UNPLACED = "select tip from turns where request = ? and session is null and thread is not null"
_INSERT_BODY = "insert into bodies (request, kind, part, bytes, data) values (?, 'request', ?, ?, ?)"
_DELETE_BODY = "delete from bodies where request = ? and kind = 'request'"
_BODY = "select data from bodies where request = ? and kind = ? order by part"
_RESPONSE = "select text, tool_calls, headers from responses where request = ?"


@dataclass(frozen=True, slots=True)
class Opened:
    """A request; `row` has its columns, `body` is as it came."""

    row: dict[str, Any]
    body: bytes


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of a call; `calls` is JSON, as stored."""

    seq: int
    state: str
    text: str | None
    calls: str | None
    response_id: str | None = None


def response_id(format: str | None, headers: Sequence[tuple[str, str]], first: bytes) -> str | None:
    """The id that a Responses answer gives itself, from its first bytes as they came."""
    if format != "openai-responses":
        return None
    encoding = ", ".join(value for name, value in headers if name.lower() == "content-encoding")
    found = _RESPONSE_ID.search(decode_body(encoding or None, first[:PART_BYTES], 65_536))
    return found[1].decode() if found else None


class Conversations:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._tree = Tree(db)
        self._sessions = Sessions(db)
        self._prompts = SystemPrompts()

    def swept(self) -> None:
        """Rows of the tree went: nothing that is remembered of it may be relied on."""
        self._tree = Tree(self._db)

    def take(self, told: Sequence[Opened | Closed]) -> None:
        """In the order in which it happened. Raises `sqlite3.Error`."""
        self._db.execute("savepoint told")
        try:
            for one in told:
                self._take(one)
        except sqlite3.Error:
            raise
        except Exception:  # noqa: BLE001 - so rare that only then each is taken by itself, and told of
            self._db.execute("rollback to told")
            self.swept()
            for one in told:
                self._take_alone(one)
        self._db.execute("release told")

    def _take_alone(self, one: Opened | Closed) -> None:
        self._db.execute("savepoint one")
        try:
            self._take(one)
        except sqlite3.Error:
            raise
        except Exception:  # one strange request must not hold up the journal for ever
            seq = one.row["seq"] if isinstance(one, Opened) else one.seq
            log.exception("request %d could not be taken into the message tree", seq)
            self._db.execute("rollback to one")
            self.swept()
            if isinstance(one, Opened):
                self._keep(seq, one.body)
        self._db.execute("release one")

    def _take(self, one: Opened | Closed) -> None:
        if isinstance(one, Closed):
            self.closed(one)
        elif not self.opened(one.row, one.body):
            self._keep(one.row["seq"], one.body)

    def opened(self, row: dict[str, Any], body: bytes) -> bool:
        """Whether the body is in the tree now."""
        seq = int(row["seq"])
        headers = json.loads(row["headers"] or "[]")
        decoded = _decoded(headers, body)
        found = split(decoded) if decoded and row["operation"] in _IN_TREE else None
        stored = self._tree.put(found, seq, row["format"]) if found else None
        columns: tuple[Any, ...] = (*_tree_columns(stored), None, None)
        placed = None
        if decoded and (
            row["operation"] in _CONVERSATIONS or (found and row["operation"] in ("unknown", None))
        ):
            asked = self._asked(row, headers, decoded, found, stored)
            placed = self._sessions.place(asked, final=False)
            columns = (*_tree_columns(stored), asked.threads[-1], asked.system)
        link = (placed.session, placed.link, placed.parent) if placed else (None, None, None)
        self._db.execute(_INSERT_TURN, (seq, *link, *columns))
        return stored is not None

    def closed(self, end: Closed) -> None:
        calls = [obj(call) for call in decode((end.calls or "[]").encode())]
        key = answer_key(end.text, [(c.get("id"), c.get("name"), c.get("arguments") or "") for c in calls])
        self._db.execute(_ENDED, (end.state, key, end.response_id, end.seq))
        unplaced = self._db.execute(_UNPLACED, (end.seq,)).fetchone()
        if unplaced is not None and (placed := self._place_late(end.seq, unplaced[0])):
            self._db.execute(_PLACE, (placed.session, placed.link, placed.parent, end.seq))

    def _place_late(self, seq: int, tip: int | None) -> Placed | None:
        row = _row(self._db, _REQUEST, (seq,))
        body = tree_rows.body(self._db, seq) if row and tip else None
        if row is None or body is None or tip is None:
            return None
        found = split(body)
        path = tree_rows.path(self._db, tip)
        asked = self._asked(row, json.loads(row["headers"] or "[]"), body, found, None, path)
        return self._sessions.place(asked, final=True)

    def _asked(
        self,
        row: dict[str, Any],
        headers: Sequence[Sequence[str]],
        body: bytes,
        found: Split | None,
        stored: Stored | None,
        path: Sequence[Said] = (),
    ) -> Asked:
        asked = Asked(int(row["seq"]), row["id"], row, stated(headers, body))
        if found:
            messages = found.messages
            asked.path = stored.path if stored else path
            asked.key = found.key
            asked.raw = lambda start, stop: messages[start:stop]
            asked.prompt = self._prompts.read(found.parts("system"))
        return asked

    def _keep(self, seq: int, body: bytes) -> None:
        for n, start in enumerate(range(0, len(body), PART_BYTES)):
            part = body[start : start + PART_BYTES]
            self._db.execute(_INSERT_BODY, (seq, n, len(part), compress(part)))

    # What was stored before there was a tree

    def move_backlog(self, max_requests: int, max_bytes: int) -> bool:
        """Move some requests into the tree, in a transaction of their own. False when there are none left."""
        backlog = self._db.execute("select next, until from tree_backlog").fetchone()
        if backlog is None:
            return False
        next_, until = backlog
        self._db.execute("begin immediate")
        try:
            moved = 0
            while max_requests and moved < max_bytes:
                row = _row(self._db, _NEXT, (next_, until))
                if row is None or row["state"] == "pending":
                    next_ = until + 1 if row is None else next_
                    break
                moved += self._move(row)
                next_ = row["seq"] + 1
                max_requests -= 1
            if next_ > until:
                self._db.execute("delete from tree_backlog")
            else:
                self._db.execute("update tree_backlog set next = ?", (next_,))
        except BaseException:
            self._db.execute("rollback")
            raise
        self._db.execute("commit")
        return bool(next_ <= until)

    def _move(self, row: dict[str, Any]) -> int:
        seq = row["seq"]
        if self._db.execute("select 1 from turns where request = ?", (seq,)).fetchone():
            return 0
        body = b"".join(decompress(data) for (data,) in self._db.execute(_BODY, (seq, "request")))
        self._db.execute(_DELETE_BODY, (seq,))
        answer = self._db.execute(_RESPONSE, (seq,)).fetchone() or (None, None, None)
        first = self._db.execute(_BODY + " limit 1", (seq, "response")).fetchone()
        start = decompress(first[0]) if first else b""
        named = response_id(row["format"], json.loads(answer[2] or "[]"), start)
        self.take([Opened(row, body), Closed(seq, row["state"], answer[0], answer[1], named)])
        session_sums.add(self._db, [seq])
        return len(body)


def _tree_columns(stored: Stored | None) -> tuple[Any, ...]:
    return (stored.tip, stored.envelope, stored.marks) if stored else (None, None, None)


def _decoded(headers: Sequence[Sequence[str]], body: bytes) -> bytes:
    encoding = ", ".join(pair[1] for pair in headers if pair[0].lower() == "content-encoding")
    if not encoding:
        return body if len(body) <= MAX_BODY else b""
    decoded = decode_body(encoding, body, MAX_BODY + 1)
    return decoded if len(decoded) <= MAX_BODY else b""


def _row(db: sqlite3.Connection, sql: str, parameters: tuple[Any, ...]) -> dict[str, Any] | None:
    cursor = db.execute(sql, parameters)
    values = cursor.fetchone()
    if values is None:
        return None
    return dict(zip((column[0] for column in cursor.description), values, strict=True))
