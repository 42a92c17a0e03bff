"""Where a request comes from that goes on with no conversation: one whose history was replaced by a summary or cut, or a task
that another session gave (see `sessions`). Looked for among the sessions of the same user, client and credential last seen.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import Any

from intelligence.store.ancestry import ANSWER, COPIED, calls_of
from intelligence.store.asked import Asked, squeezed
from intelligence.store.meaning import answer_key
from intelligence.wire.json_value import decode, text

# Sessions of one user and client that are looked at.
_LOOKED_AT = 32
_RECENT_MS = 12 * 60 * 60 * 1000
_TASK = 12
# Of an answer is remembered: so many of its texts, and of each so many characters.
_TASKS, _TASK_CHARS = 64, 16_384

# One question for all of them: a request that begins a session asks it, and most do.
_RECENT = f"""
    select s.seq, s.last_request, s.requests, t.state, t.answer, t.claimed, r.tool_calls <> '[]' as called
    from (select seq, last_request, requests, last_at from sessions where scope = :scope and last_at >= :since
        order by last_at desc limit {_LOOKED_AT}) s
    join turns t on t.request = s.last_request join requests q on q.seq = s.last_request
    left join responses r on r.request = s.last_request
    where q.credential_fingerprint is :fingerprint order by s.last_at desc"""  # noqa: S608
_SAME_SYSTEM = "select 1 from turns where session = ? and system is ? limit 1"


class Origins:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """`cursor` gives rows by name."""
        self._db = cursor
        self._tasks_of: dict[int, list[str]] = {}

    def find(self, asked: Asked) -> tuple[str, sqlite3.Row] | None:
        """`compaction` or `subagent`, and the session (`seq`, `last_request`)."""
        if not asked.path:
            return None
        recent = self._recent(asked)
        if not asked.stated.session:
            for session in recent:
                if session["requests"] > 1 and self._compacted(asked, session):
                    return "compaction", session
        first = next(iter(asked.first_texts), "").strip()
        if len(first) >= _TASK:
            for session in recent:
                if self._tasked(session, first):
                    return "subagent", session
        return None

    def summary(self, asked: Asked, last: int) -> bool:
        """Whether the answer to the request `last` stands in the first words of this one."""
        row = self._db.execute(ANSWER, (last,)).fetchone()
        summary = squeezed(row["text"]) if row else ""
        return len(summary) >= COPIED and any(summary in said for said in asked.opening_squeezed)

    def _recent(self, asked: Asked) -> list[sqlite3.Row]:
        values = {
            "scope": asked.scope,
            "since": asked.row["started_at"] - _RECENT_MS,
            "fingerprint": asked.row["credential_fingerprint"],
        }
        return self._db.execute(_RECENT, values).fetchall()

    def _compacted(self, asked: Asked, session: sqlite3.Row) -> bool:
        same_system = self._db.execute(_SAME_SYSTEM, (session["seq"], asked.system)).fetchone()
        if same_system and self.summary(asked, int(session["last_request"])):
            return True
        # A history cut at its beginning ends with the last answer all the same.
        if asked.last_answer is None or session["answer"] is None:
            return False
        said, calls = asked.last_answer
        if answer_key(said, calls) != session["answer"]:
            return False
        return len(squeezed(said)) >= COPIED or any(id_ for id_, _, _ in calls)

    def _tasked(self, session: sqlite3.Row, first: str) -> bool:
        if session["state"] is None or session["claimed"] or not session["called"]:
            return False
        tasks = self._tasks(session["last_request"])
        return bool(tasks) and any(task in first or first in task for task in tasks)

    def _tasks(self, request: int) -> list[str]:
        """What the tool calls of an answer say, remembered for it is asked for often."""
        if (known := self._tasks_of.get(request)) is None:
            if len(self._tasks_of) > 4 * _LOOKED_AT:
                self._tasks_of.clear()
            row = self._db.execute(ANSWER, (request,)).fetchone()
            tasks = (
                task[:_TASK_CHARS]
                for call in (calls_of(row["tool_calls"]) if row else [])
                for task in _strings(decode(text(call.get("arguments")).encode("utf-8", "replace")), 0)
                if len(task) >= _TASK
            )
            known = self._tasks_of[request] = list(islice(tasks, _TASKS))
        return known


def _strings(value: Any, depth: int) -> Iterator[str]:
    if isinstance(value, str):
        yield value.strip()
    elif depth < 4:
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        for item in inner:
            yield from _strings(item, depth + 1)
