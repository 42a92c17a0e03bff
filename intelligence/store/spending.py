"""What calls have used, read from the record for the limits of policy: all of a window at first, then what is new.

A reader of its own, read-only; it never holds up the worker. Calls that were answered here cost nothing and are left out. A
call that has not ended when it is first seen is looked at again until it has.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from intelligence.policy.facts import Evidence, Facts, Found, Standing, ToolCall
from intelligence.policy.limits import Spent
from intelligence.policy.rule import LimitMatch, LoopMatch

MAX_WAITING = 10_000
COLUMNS = """
    q.seq, q.id, q.state, q.started_at, q.provider, q.host, q.model, q.operation, q.user, q.client, q.client_address,
    q.conversation_key, q.credential_kind, q.credential_fingerprint, q.stream, q.body_bytes,
    r.input_tokens + r.output_tokens as tokens, c.usd
    from requests q left join responses r on r.request = q.seq left join costs c on c.request = q.seq"""
FIRST = "select min(seq) from requests where started_at >= ?"
LAST = "select coalesce(max(seq), 0) from requests"
AFTER = f"select {COLUMNS} where q.seq > ? order by q.seq limit ?"
WAITED = f"select {COLUMNS} where q.seq in (select value from json_each(?))"  # noqa: S608


class Gone:
    """The evidence of a call of which only figures are read."""

    def _gone(self) -> Any:
        raise LookupError("the texts of a recorded call are not read for limits")

    def texts(self) -> Sequence[Any]:
        return self._gone()  # type: ignore[no-any-return]

    def files(self) -> Sequence[bytes]:
        return self._gone()  # type: ignore[no-any-return]

    def tool_calls(self) -> Sequence[ToolCall]:
        return self._gone()  # type: ignore[no-any-return]

    def tool_definitions(self) -> Sequence[tuple[str, str]]:
        return self._gone()  # type: ignore[no-any-return]

    def max_tokens(self) -> int | None:
        return self._gone()  # type: ignore[no-any-return]

    def detections(self, kinds: frozenset[str]) -> Sequence[Found]:
        return self._gone()  # type: ignore[no-any-return]

    def limit(self, rule: str, limit: LimitMatch) -> Standing:
        return self._gone()  # type: ignore[no-any-return]

    def loop(self, loop: LoopMatch) -> str | None:
        return self._gone()  # type: ignore[no-any-return]


GONE = Gone()


class Spending:
    """Of one `traffic.db`. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last = 0
        self._waiting: dict[int, None] = {}

    def since(self, started_ms: int, size: int = 500) -> Iterator[list[Spent]]:
        """All that began since, in pieces; what is new after them comes by `fresh`. Raises `sqlite3.Error`."""
        self._waiting.clear()
        if (db := self._open()) is None:
            return
        with closing(db):
            (first,) = db.execute(FIRST, (started_ms,)).fetchone()
            (last,) = db.execute(LAST).fetchone()
            self._last = last if first is None else first - 1
            while self._last < last:
                yield self._next(db, size)

    def fresh(self, size: int = 200) -> list[Spent]:
        """What has ended since the last time, so much at most. Raises `sqlite3.Error`."""
        if (db := self._open()) is None:
            return []
        with closing(db):
            waiting = [*self._waiting][:size]
            rows = db.execute(WAITED, (f"[{','.join(map(str, waiting))}]",)).fetchall() if waiting else []
            here = {row["seq"] for row in rows}
            for seq in waiting:
                if seq not in here:  # forgotten meanwhile
                    del self._waiting[seq]
            return [*self._spent(rows), *self._next(db, size)]

    def _next(self, db: sqlite3.Connection, size: int) -> list[Spent]:
        rows = db.execute(AFTER, (self._last, size)).fetchall()
        if rows:
            self._last = rows[-1]["seq"]
        return self._spent(rows)

    def _spent(self, rows: list[sqlite3.Row]) -> list[Spent]:
        found = []
        for row in rows:
            if row["state"] == "pending":
                # To the end of the queue, so that one that never ends does not hold up the others.
                self._waiting.pop(row["seq"], None)
                self._waiting[row["seq"]] = None
                continue
            self._waiting.pop(row["seq"], None)
            if row["state"] != "blocked":
                found.append(_spent(row))
        while len(self._waiting) > MAX_WAITING:
            del self._waiting[next(iter(self._waiting))]
        return found

    def _open(self) -> sqlite3.Connection | None:
        if not self._path.exists():
            return None
        db = sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True, timeout=1)
        db.row_factory = sqlite3.Row
        return db


def facts_of(row: Mapping[str, Any], evidence: Evidence = GONE) -> Facts:
    """What a rule may know of a stored call; `row` has `COLUMNS`."""
    return Facts(
        evidence,
        at=row["started_at"] / 1000,
        provider=row["provider"],
        host=row["host"],
        model=row["model"],
        operation=row["operation"],
        user=row["user"],
        client=row["client"],
        client_address=row["client_address"],
        session=row["conversation_key"],
        credential=row["credential_kind"],
        key=row["credential_fingerprint"],
        stream=None if row["stream"] is None else bool(row["stream"]),
        body_bytes=row["body_bytes"],
    )


def _spent(row: sqlite3.Row) -> Spent:
    facts = facts_of(dict(row))
    return Spent(row["id"], facts.at, facts, row["tokens"], row["usd"])
