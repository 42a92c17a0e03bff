"""What a request goes on from: the request whose whole conversation is the longest beginning of this one, and whose answer comes
next in it (see `sessions`).
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any

from intelligence.store.asked import Asked, squeezed
from intelligence.store.meaning import ASSISTANT, answer_in, answer_key
from intelligence.wire.json_value import decode, items, obj, text

FAILED = ("error", "aborted", "interrupted", "blocked")
# Requests of one kind that are looked at.
_LOOKED_AT = 32
_RETRY_MS = 60 * 60 * 1000
# Characters without whitespace from which on words are taken to be the same for no other reason than being copied.
COPIED = 40
_NOTHING = answer_key("", [])

_TURN = """
    select t.request, t.session, t.state, t.answer, t.claimed, t.system, q.credential_fingerprint as fingerprint,
        q.client_address as address, q.run, q.started_at
    from turns t join requests q on q.seq = t.request"""
_AT = f"""{_TURN} where t.thread = :thread and (:session is null or t.session = :session)
    and t.request <> :seq order by t.claimed, t.request desc limit {_LOOKED_AT}"""
_ANSWERED = _AT.replace("where ", "where t.answer = :answer and ")
_BY_RESPONSE = f"{_TURN} where t.response_id = ? order by t.request desc limit 1"
_BY_ID = f"{_TURN} where q.id = ?"
ANSWER = "select text, tool_calls from responses where request = ?"


@dataclass(frozen=True, slots=True)
class Found:
    """A turn with the columns of `_TURN`, and `continue` or `retry`."""

    turn: sqlite3.Row
    link: str


class Ancestry:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """`cursor` gives rows by name."""
        self._db = cursor
        self.waits = False  # the answer that was looked for last may still be coming

    def find(self, asked: Asked, session: int | None, *, final: bool) -> Found | None:
        """Within a session, if one is named. None also when it `waits`, unless `final`."""
        self.waits = False
        return self._previous(asked) or self._longest(asked, session, final)

    def before_on_socket(self, asked: Asked) -> Found | None:
        """The response asked for before this one on the same WebSocket."""
        socket, _, number = asked.id.partition(".")
        if not number.isdigit():
            return None
        before = socket if number == "2" else f"{socket}.{int(number) - 1}"
        return self._named(_BY_ID, before)

    def _previous(self, asked: Asked) -> Found | None:
        """What the request itself names."""
        if not asked.stated.previous_response:
            return None
        return self._named(_BY_RESPONSE, asked.stated.previous_response)

    def _named(self, sql: str, name: str) -> Found | None:
        turn = self._db.execute(sql, (name,)).fetchone()
        return Found(turn, "continue") if turn and turn["session"] is not None else None

    def _longest(self, asked: Asked, session: int | None, final: bool) -> Found | None:
        known = asked.threads
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
            if found is None and self.waits and not final:
                return None
            if found is None and final:
                found = next((t for t in turns if t["state"] is None and not t["claimed"]), None)
            if found is None and length > first_answer and turns:
                found = turns[0]  # all up to here is known, only the last answer was written anew
            if found:
                if again and found["claimed"]:
                    return again
                return Found(found, "continue")
        return again

    def _again(self, asked: Asked, thread: bytes, session: int | None, answered: bool) -> Found | None:
        """The same request: after a failure or, once something was answered in it, for another answer."""
        if not asked.path:
            return None
        for turn in self._turns(asked, _AT, thread, session):
            recent = asked.row["started_at"] - turn["started_at"] < _RETRY_MS
            if turn["system"] != asked.system:
                continue
            failed = turn["state"] in FAILED or asked.stated.retried
            if answered or (recent and failed and not turn["claimed"]):
                return Found(turn, "retry")
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
            self.waits = True
        loose, names = squeezed(said), [(name, args) for _, name, args in calls]
        for turn in turns:
            row = self._db.execute(ANSWER, (turn["request"],)).fetchone() if turn["state"] else None
            if row is None:
                continue
            was = squeezed(row["text"])
            called = [(c.get("name"), text(c.get("arguments"))) for c in calls_of(row["tool_calls"])]
            if (
                loose
                and was
                and (loose == was or (min(len(loose), len(was)) >= COPIED and (loose in was or was in loose)))
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
            if turn["session"] is not None and _same_owner(asked, turn, answer)
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


def _same_owner(asked: Asked, turn: sqlite3.Row, answer: bytes | None) -> bool:
    """The tokens of a subscription are renewed under way: then the answer must tell."""
    if turn["fingerprint"] == asked.row["credential_fingerprint"]:
        return True
    return answer is not None and asked.row["credential_kind"] == "oauth"


def calls_of(stored: str | None) -> list[dict[str, Any]]:
    """Of `responses.tool_calls`."""
    return [obj(call) for call in items(decode((stored or "[]").encode()))]
