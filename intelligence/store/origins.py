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

# One question for all of them: a request that begins a session asks it, and most do. `waits`: for the results of tools.
_RECENT = f"""
    select s.seq, s.last_request, s.requests > 1 as went_on, t.answer,
        t.state is not null and not t.claimed and r.tool_calls <> '[]' as waits
    from (select seq, last_request, requests, last_at from sessions where scope = :scope and last_at >= :since
        order by last_at desc limit {_LOOKED_AT}) s
    join turns t on t.request = s.last_request join requests q on q.seq = s.last_request
    left join responses r on r.request = s.last_request
    where (went_on or waits) and q.credential_fingerprint is :fingerprint order by s.last_at desc"""  # noqa: S608
_SAME_SYSTEM = "select 1 from turns where session = ? and system is ? limit 1"

# Session, its last request, whether it went on, the key of its last answer, whether that waits.
type _Recent = tuple[int, int, int, bytes | None, int]


class Origins:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        """`cursor` gives rows by name."""
        self._db = cursor
        self._tasks_of: dict[int, list[str]] = {}

    def find(self, asked: Asked) -> tuple[str, int, int] | None:
        """`compaction` or `subagent`, the session and its last request."""
        if not asked.path:
            return None
        recent = self._recent(asked)
        if not asked.stated.session:
            for session, last, went_on, answer, _ in recent:
                if went_on and self._compacted(asked, session, last, answer):
                    return "compaction", session, last
        first = next(iter(asked.first_texts), "").strip()
        if len(first) >= _TASK:
            for session, last, _, _, waits in recent:
                if waits:
                    for task in self._tasks(last):
                        if task in first or first in task:
                            return "subagent", session, last
        return None

    def summary(self, asked: Asked, last: int) -> bool:
        """Whether the answer to the request `last` stands in the first words of this one."""
        row = self._db.execute(ANSWER, (last,)).fetchone()
        summary = squeezed(row["text"]) if row else ""
        return len(summary) >= COPIED and any(summary in said for said in asked.opening_squeezed)

    def _recent(self, asked: Asked) -> list[_Recent]:
        values = {
            "scope": asked.scope,
            "since": asked.row["started_at"] - _RECENT_MS,
            "fingerprint": asked.row["credential_fingerprint"],
        }
        return self._db.connection.execute(_RECENT, values).fetchall()

    def _compacted(self, asked: Asked, session: int, last: int, answer: bytes | None) -> bool:
        same_system = self._db.execute(_SAME_SYSTEM, (session, asked.system)).fetchone()
        if same_system and self.summary(asked, last):
            return True
        # A history cut at its beginning ends with the last answer all the same.
        if asked.last_answer is None or answer is None:
            return False
        said, calls = asked.last_answer
        if answer_key(said, calls) != answer:
            return False
        return len(squeezed(said)) >= COPIED or any(id_ for id_, _, _ in calls)

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
