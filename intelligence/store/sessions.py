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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from intelligence.store.meaning import ASSISTANT, answer_in, answer_key, own_words, read
from intelligence.store.stated import Stated, repository, title, user_texts, working_folder
from intelligence.store.tree import HASH_BYTES
from intelligence.store.tree_rows import Said
from intelligence.wire.json_value import decode, items, obj, text
from intelligence.wire.parts import Message

FAILED = ("error", "aborted", "interrupted", "blocked")
# Requests of one kind, and sessions of one user and client, that are looked at.
_LOOKED_AT = 32
_RECENT_MS = 12 * 60 * 60 * 1000
_RETRY_MS = 60 * 60 * 1000
# Characters without whitespace from which on words are taken to be the same for no other reason than being copied.
_SUMMARY = 40
_TASK = 12
_NOTHING = answer_key("", [])

_TURN = """
    select t.request, t.session, t.state, t.answer, t.claimed, t.system, q.credential_fingerprint as fingerprint,
        q.client_address as address, q.run, q.started_at
    from turns t join requests q on q.seq = t.request"""
_AT = f"""{_TURN} where t.thread = :thread and (:session is null or t.session = :session)
    and t.request <> :seq order by t.claimed, t.request desc limit {_LOOKED_AT}"""
_ANSWERED = _AT.replace("where ", "where t.answer = :answer and ")
_BY_RESPONSE = f"{_TURN} where t.response_id = ? order by t.request desc limit 1"
_ONE = """select t.state, t.answer, t.claimed, q.credential_fingerprint as fingerprint
    from turns t join requests q on q.seq = t.request where t.request = ?"""
_BY_ID = f"{_TURN} where q.id = ?"
_SIBLING = "select state from turns where session = ? and parent = ? and link = 'continue' limit 1"
_ANSWER = "select text, tool_calls from responses where request = ?"
_HINTED = "select seq, last_request from sessions where client_session = ? and user is ? limit 1"
_RECENT = """select seq, last_request, requests from sessions where scope = ? and last_at >= ?
    order by last_at desc limit ?"""
_SAME_SYSTEM = "select 1 from turns where session = ? and system is ? limit 1"
_CLAIM = "update turns set claimed = 1 where request = ?"
_CLAIM_FAILED = "update turns set claimed = 1 where request = ? and state is not 'complete'"
_INSERT = """insert into sessions (id, parent, title, user, client, client_version, client_session, working_folder,
    repository, started_at, last_at, requests, last_request, scope) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?)"""
_TOUCH = """update sessions set requests = requests + 1, last_at = max(last_at, :at), last_request = :seq,
    client_session = coalesce(client_session, :hint), title = coalesce(title, :title) where seq = :session"""


@dataclass(slots=True)
class Asked:
    """A request to be placed. `raw` gives the JSON of messages `from`-`to` of its conversation; `key` is that of their list."""

    seq: int
    id: str
    row: dict[str, Any]
    stated: Stated
    system: bytes | None
    system_texts: list[str] = field(default_factory=list)
    path: Sequence[Said] = ()
    key: str = ""
    raw: Callable[[int, int], list[bytes]] = lambda start, stop: []

    def messages(self, start: int, stop: int) -> list[Message]:
        return read(self.key, self.row["format"], self.raw(start, stop))


@dataclass(frozen=True, slots=True)
class Placed:
    session: int
    link: str
    parent: int | None


@dataclass(frozen=True, slots=True)
class _Found:
    turn: sqlite3.Row
    link: str


def scope_of(row: dict[str, Any]) -> bytes:
    said = f"{row['user'] or ''}\0{row['client'] or ''}".encode("utf-8", "replace")
    return blake2b(said, digest_size=HASH_BYTES).digest()


def threads(scope: bytes, path: Sequence[Said]) -> list[bytes]:
    """For every beginning of a conversation, the empty one first, the hash of all it says."""
    found = [scope]
    for said in path:
        last = found[-1]
        found.append(blake2b(last + said.meaning, digest_size=HASH_BYTES).digest() if said.meaning else last)
    return found


class Sessions:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db.cursor()
        self._db.row_factory = sqlite3.Row
        self._waits = False
        self._tasks_of: dict[int, list[str]] = {}

    def place(self, asked: Asked, *, final: bool) -> Placed | None:
        """Find or make the session. None when it is to be asked again, `final`, once the request has ended."""
        hinted = self._hinted(asked)
        found = self._previous(asked) or self._longest(asked, hinted["seq"] if hinted else None, final)
        if found is None and not final and self._waits:
            return None
        found = found or self._before_on_socket(asked)
        if hinted:
            link, parent = self._linked(found) if found else ("subagent", hinted["last_request"])
            if found is None and self._summary(asked, hinted["last_request"]):
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
        row = self._one("select client_session from sessions where seq = ?", session)
        return row is not None and row["client_session"] is None

    # What it goes on from

    def _previous(self, asked: Asked) -> _Found | None:
        """What the request itself names."""
        self._waits = False
        if not asked.stated.previous_response:
            return None
        turn = self._one(_BY_RESPONSE, asked.stated.previous_response)
        return _Found(turn, "continue") if turn and turn["session"] is not None else None

    def _before_on_socket(self, asked: Asked) -> _Found | None:
        socket, _, number = asked.id.partition(".")
        if not number.isdigit():
            return None
        before = socket if number == "2" else f"{socket}.{int(number) - 1}"
        turn = self._one(_BY_ID, before)
        return _Found(turn, "continue") if turn and turn["session"] is not None else None

    def _longest(self, asked: Asked, session: int | None, final: bool) -> _Found | None:
        known = threads(scope_of(asked.row), asked.path)
        whole = len(asked.path)
        spoken = [said.role == ASSISTANT for said in asked.path]
        first_answer = spoken.index(True) if True in spoken else whole
        again = self._again(asked, known[whole], session, first_answer < whole)
        if again and again.turn["state"] in FAILED:
            return again
        for length in range(whole - 1, 0, -1):
            if known[length] == known[length + 1] or known[length] == known[0]:
                continue
            turns = self._turns(asked, _AT, known[length], session)
            if not turns and asked.row["credential_kind"] != "oauth":
                continue
            stop = length
            while stop < whole and spoken[stop]:
                stop += 1
            found = self._answered(asked, turns, known[length], session, length, stop)
            if found is None and self._waits and not final:
                return None
            if found is None and final:
                found = next((t for t in turns if t["state"] is None and not t["claimed"]), None)
            if found is None and length > first_answer and turns:
                found = turns[0]  # all up to here is known, only the last answer was written anew
            if found:
                if again and found["claimed"]:
                    return again
                return _Found(found, "continue")
        return again

    def _again(self, asked: Asked, thread: bytes, session: int | None, answered: bool) -> _Found | None:
        """The same request: after a failure or, once something was answered in it, for another answer."""
        if not asked.path:
            return None
        for turn in self._turns(asked, _AT, thread, session):
            recent = asked.row["started_at"] - turn["started_at"] < _RETRY_MS
            if turn["system"] != asked.system:
                continue
            failed = turn["state"] in FAILED or asked.stated.retried
            if answered or (recent and failed and not turn["claimed"]):
                return _Found(turn, "retry")
        return None

    def _answered(
        self,
        asked: Asked,
        turns: list[sqlite3.Row],
        thread: bytes,
        session: int | None,
        start: int,
        stop: int,
    ) -> sqlite3.Row | None:
        """The one whose answer stands at `start`."""
        said, calls, _ = answer_in(asked.messages(start, stop)) if stop > start else ("", [], 0)
        if stop == start:  # the client did not get an answer, and went on
            unanswered = (t for t in turns if t["state"] in FAILED or t["answer"] == _NOTHING)
            return next((t for t in unanswered if not t["claimed"]), None)
        exact = self._turns(asked, _ANSWERED, thread, session, answer_key(said, calls))
        if exact:
            return exact[0]
        if any(t["state"] is None and not t["claimed"] for t in turns):
            self._waits = True
        loose, names = _squeezed(said), [(name, args) for _, name, args in calls]
        for turn in turns:
            row = self._one(_ANSWER, turn["request"]) if turn["state"] else None
            if row is None:
                continue
            was = _squeezed(row["text"])
            called = [(c.get("name"), text(c.get("arguments"))) for c in _calls(row["tool_calls"])]
            if (
                loose
                and was
                and (loose == was or (min(len(loose), len(was)) >= _SUMMARY and _overlap(loose, was)))
            ):
                return turn
            if (
                names
                and called
                and answer_key("", [(None, *c) for c in names])
                == answer_key("", [(None, *c) for c in called])
            ):
                return turn
        return None

    def _turns(
        self, asked: Asked, sql: str, thread: bytes, session: int | None, answer: bytes | None = None
    ) -> list[sqlite3.Row]:
        """Placed requests at this point of a conversation, the likeliest first."""
        values = {"thread": thread, "answer": answer, "session": session, "seq": asked.seq}
        row = asked.row
        turns = [
            turn
            for turn in self._db.execute(sql, values).fetchall()
            if turn["session"] is not None and self._same_owner(asked, turn, answer)
        ]
        turns.sort(
            key=lambda t: (
                t["claimed"],
                t["fingerprint"] != row["credential_fingerprint"],
                t["system"] != asked.system,
                t["run"] != row["run"],
                t["address"] != row["client_address"],
                -t["request"],
            )
        )
        return turns

    def _same_owner(self, asked: Asked, turn: sqlite3.Row, answer: bytes | None) -> bool:
        """The tokens of a subscription are renewed under way: then the answer must tell."""
        if turn["fingerprint"] == asked.row["credential_fingerprint"]:
            return True
        return answer is not None and asked.row["credential_kind"] == "oauth"

    def _linked(self, found: _Found) -> tuple[str, int]:
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

    # What it may have come from otherwise

    def _afresh(self, asked: Asked) -> Placed:
        recent = self._db.execute(
            _RECENT, (scope_of(asked.row), asked.row["started_at"] - _RECENT_MS, _LOOKED_AT)
        ).fetchall()
        if asked.path and not asked.stated.session:
            for session in recent:
                if session["requests"] > 1 and self._compacted(asked, session):
                    return self._join(asked, session["seq"], "compaction", session["last_request"])
        first = next(iter(self._first_texts(asked)), "").strip()
        if len(first) >= _TASK:
            for session in recent:
                if self._tasked(asked, session["last_request"], first):
                    parent = int(session["last_request"])
                    return self._new(asked, "subagent", parent, parent_session=session["seq"])
        return self._new(asked, "start", None)

    def _compacted(self, asked: Asked, session: sqlite3.Row) -> bool:
        last = int(session["last_request"])
        turn = self._one(_ONE, last)
        if turn is None or turn["fingerprint"] != asked.row["credential_fingerprint"]:
            return False
        if self._one(_SAME_SYSTEM, session["seq"], asked.system) and self._summary(asked, last):
            return True
        # A history cut at its beginning ends with the last answer all the same.
        stop = len(asked.path)
        while stop and asked.path[stop - 1].role != ASSISTANT:
            stop -= 1
        start = stop
        while start and asked.path[start - 1].role == ASSISTANT:
            start -= 1
        if start == stop or turn["answer"] is None:
            return False
        said, calls, _ = answer_in(asked.messages(start, stop))
        if answer_key(said, calls) != turn["answer"]:
            return False
        return len(_squeezed(said)) >= _SUMMARY or any(id_ for id_, _, _ in calls)

    def _summary(self, asked: Asked, last: int) -> bool:
        """Whether the answer to the request `last` stands in the first words of this one."""
        row = self._one(_ANSWER, last)
        summary = _squeezed(row["text"]) if row else ""
        if len(summary) < _SUMMARY or not asked.path:
            return False
        opening = asked.messages(0, min(4, len(asked.path)))
        return any(summary in _squeezed(said) for said in user_texts(opening))

    def _tasked(self, asked: Asked, last: int, first: str) -> bool:
        turn = self._one(_ONE, last)
        if turn is None or turn["state"] is None or turn["claimed"]:
            return False
        if turn["fingerprint"] != asked.row["credential_fingerprint"]:
            return False
        return any(task in first or first in task for task in self._tasks(last))

    def _tasks(self, request: int) -> list[str]:
        """What the tool calls of an answer say, remembered for it is asked for often."""
        if (known := self._tasks_of.get(request)) is None:
            if len(self._tasks_of) > 4 * _LOOKED_AT:
                self._tasks_of.clear()
            row = self._one(_ANSWER, request)
            known = self._tasks_of[request] = [
                task
                for call in (_calls(row["tool_calls"]) if row else [])
                for task in _strings(decode(text(call.get("arguments")).encode("utf-8", "replace")), 0)
                if len(task) >= _TASK
            ]
        return known

    # Rows

    def _new(
        self, asked: Asked, link: str, parent: int | None, *, parent_session: int | None = None
    ) -> Placed:
        row = asked.row
        texts = self._first_texts(asked)
        prompts = [*(words.encode("utf-8", "replace").decode() for words in asked.system_texts), *texts]
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
                working_folder(prompts),
                repository(prompts),
                row["started_at"],
                row["started_at"],
                asked.seq,
                scope_of(row),
            ),
        )
        return self._join(asked, int(cursor.lastrowid or 0), link, parent)

    def _join(self, asked: Asked, session: int, link: str, parent: int | None) -> Placed:
        values = {"at": asked.row["started_at"], "seq": asked.seq, "session": session, "title": None}
        self._db.execute(_TOUCH, values | {"hint": asked.stated.session})
        return Placed(session, link, parent)

    def _first_texts(self, asked: Asked) -> list[str]:
        if not asked.path:
            return []
        said = (own_words(words) for words in user_texts(asked.messages(0, min(4, len(asked.path)))))
        return [words.encode("utf-8", "replace").decode() for words in said if words]

    def _one(self, sql: str, *parameters: Any) -> sqlite3.Row | None:
        row: sqlite3.Row | None = self._db.execute(sql, parameters).fetchone()
        return row


def _squeezed(words: str | None) -> str:
    return "".join((words or "").split())


def _overlap(one: str, other: str) -> bool:
    return one in other or other in one


def _calls(stored: str | None) -> list[dict[str, Any]]:
    return [obj(call) for call in items(decode((stored or "[]").encode()))]


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif depth < 4:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for item in inner:
            yield from _strings(item, depth + 1)
