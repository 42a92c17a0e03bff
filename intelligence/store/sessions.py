"""Which session a request belongs to, and how it came to be there.

A request that goes on with a conversation holds what was asked before *and what was answered*. So the session is that of the
request whose whole conversation is the longest beginning of this one and whose answer comes next in it. Conversations are
compared by meaning (see `meaning`) within one user and client; the system prompt is left out, for agents change it under way.
Equal first turns do not make a session: only the answer, with the ids of its tool calls, tells whose turn is continued.

    start       nothing known comes before it
    continue    goes on from an answer
    retry       asks the same again: after a failure, or for another answer
    edit        goes on from an answer that another request went on from already
    fork        the same, while that other one is still running
    compaction  the history was replaced by a summary, or cut
    subagent    its first words were given in a tool call that waits for its result: a session of its own, with a parent

An id that the client itself states is taken at its word: then all requests that bear it are one session, and what starts
anew within it has the link `subagent`. A request that comes before the end of the answer it continues was recorded is placed
when it ends itself. Everything here is decided from rows of the database, in the order in which frames were written, so
that it comes out the same however the journal is cut into batches.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from intelligence.store.ancestry import Ancestry, Found
from intelligence.store.asked import Asked
from intelligence.store.origins import Origins
from intelligence.store.stated import repository, title, working_folder

_SIBLING = "select state from turns where session = ? and parent = ? and link = 'continue' limit 1"
_HINTED = "select seq, last_request from sessions where client_session = ? and user is ? limit 1"
_CLIENT_SESSION = "select client_session from sessions where seq = ?"
_CLAIM = "update turns set claimed = 1 where request = ?"
_CLAIM_FAILED = "update turns set claimed = 1 where request = ? and state is not 'complete'"
_INSERT = """insert into sessions (id, parent, title, user, client, client_version, client_session, working_folder,
    repository, started_at, last_at, requests, last_request, scope) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)"""
_TOUCH = """update sessions set requests = requests + 1, last_at = max(last_at, :at), last_request = :seq,
    client_session = coalesce(client_session, :hint) where seq = :session"""


@dataclass(frozen=True, slots=True)
class Placed:
    session: int
    link: str
    parent: int | None


class Sessions:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db.cursor()
        self._db.row_factory = sqlite3.Row
        self._ancestry = Ancestry(self._db)
        self._origins = Origins(self._db)

    def place(self, asked: Asked, *, final: bool) -> Placed | None:
        """Find or make the session. None when it is to be asked again, `final`, once the request has ended."""
        hinted = self._hinted(asked)
        found = self._ancestry.find(asked, hinted["seq"] if hinted else None, final=final)
        if found is None and not final and self._ancestry.waits:
            return None
        found = found or self._ancestry.before_on_socket(asked)
        if hinted:
            link, parent = self._linked(found) if found else ("subagent", int(hinted["last_request"]))
            if found is None and self._origins.summary(asked, hinted["last_request"]):
                link = "compaction"
            return self._join(asked, hinted["seq"], link, parent)
        if found:
            link, parent = self._linked(found)
            session = int(found.turn["session"])
            if asked.stated.session and not self._unnamed(session):
                return self._new(asked, "fork", parent, parent_session=session)
            return self._join(asked, session, link, parent)
        return self._afresh(asked)

    def _hinted(self, asked: Asked) -> sqlite3.Row | None:
        if not asked.stated.session:
            return None
        return self._one(_HINTED, asked.stated.session, asked.row["user"])

    def _unnamed(self, session: int) -> bool:
        row = self._one(_CLIENT_SESSION, session)
        return row is not None and row["client_session"] is None

    def _linked(self, found: Found) -> tuple[str, int]:
        turn = found.turn
        parent = int(turn["request"])
        if found.link != "continue":
            self._db.execute(_CLAIM_FAILED, (parent,))
            return found.link, parent
        if turn["claimed"]:
            sibling = self._one(_SIBLING, turn["session"], parent)
            return ("fork" if sibling and sibling["state"] is None else "edit"), parent
        self._db.execute(_CLAIM, (parent,))
        return "continue", parent

    def _afresh(self, asked: Asked) -> Placed:
        origin = self._origins.find(asked)
        if origin is None:
            return self._new(asked, "start", None)
        link, session, parent = origin
        if link == "compaction":
            return self._join(asked, session, link, parent)
        return self._new(asked, link, parent, parent_session=session)

    def _new(
        self, asked: Asked, link: str, parent: int | None, *, parent_session: int | None = None
    ) -> Placed:
        row, texts = asked.row, asked.first_texts
        cursor = self._db.execute(
            _INSERT,
            (
                asked.id,
                parent_session,
                title(texts),
                row["user"],
                row["client"],
                row["client_version"],
                asked.stated.session,
                asked.prompt.working_folder or working_folder(texts),
                asked.prompt.repository or repository(texts),
                row["started_at"],
                row["started_at"],
                asked.seq,
                asked.scope,
            ),
        )
        return self._join(asked, int(cursor.lastrowid or 0), link, parent)

    def _join(self, asked: Asked, session: int, link: str, parent: int | None) -> Placed:
        values = {"at": asked.row["started_at"], "seq": asked.seq, "session": session}
        self._db.execute(_TOUCH, values | {"hint": asked.stated.session})
        return Placed(session, link, parent)

    def _one(self, sql: str, *parameters: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, parameters).fetchone()
        return row
