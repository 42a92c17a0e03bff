"""A session as it is recorded: its row, its turns with their numbers, and the sessions it started as sub-agents.

Turns are numbered in the order in which they were asked. Of a session with more than `MOST_TURNS` only the last so many are
read; their numbers stay those of the whole.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_TURNS = 5_000
MOST_STARTED = 200

SESSION = """
    select s.*, p.id as parent_id, p.title as parent_title from sessions s left join sessions p on p.seq = s.parent
    where s.id = :id"""
COUNT = "select count(*) from turns where session = :session"
TURNS = """
    select t.request as seq, q.id, t.link, t.parent, q.state, q.started_at, q.model, r.model as response_model,
        r.duration_ms, r.ttft_ms, r.input_tokens, r.cache_read_tokens, r.output_tokens, c.usd as cost_usd, c.basis,
        x.system_tokens, x.tools_tokens, x.history_tokens, x.tool_results_tokens, x.new_tokens, x.image_tokens
    from turns t join requests q on q.seq = t.request left join responses r on r.request = t.request
        left join costs c on c.request = t.request left join contexts x on x.request = t.request
    where t.session = :session order by t.request desc limit :most"""
# The first turn of a session that was started by another has the turn it came of as its parent.
STARTED = """
    select s.id, s.title, s.requests, s.started_at, t.parent from sessions s
        join requests q on q.id = s.id join turns t on t.request = q.seq
    where s.parent = :session order by s.started_at limit :most"""

CONTEXT = (
    ("System prompt", "system_tokens"),
    ("Tool definitions", "tools_tokens"),
    ("History", "history_tokens"),
    ("Tool results", "tool_results_tokens"),
    ("New", "new_tokens"),
    ("Images and files", "image_tokens"),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One request and its answer. `seq`, `parent` are of requests. `context` is tokens in the order of `CONTEXT`, or None where
    nobody has counted them yet."""

    number: int
    seq: int
    id: str
    link: str
    parent: int | None
    state: str
    started_at: int
    model: str | None
    duration_ms: float | None
    ttft_ms: float | None
    input_tokens: int | None
    cache_read_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    basis: str | None
    context: tuple[int, ...] | None

    @property
    def ended_at(self) -> float | None:
        return None if self.duration_ms is None else self.started_at + self.duration_ms


@dataclass(frozen=True, slots=True)
class Session:
    """`row` has the columns of `sessions` and, of the session that started it, `parent_id` and `parent_title`. `left_out` counts
    turns before the first that was read."""

    row: dict[str, Any]
    turns: list[Turn]
    left_out: int
    started: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sums:
    """Over the turns that were read. What nobody stated is left out: `unpriced` and `uncounted` say how often."""

    input_tokens: int | None
    cache_read_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    unpriced: int
    uncounted: int
    errors: int
    pending: int
    subscription: bool
    ended_at: float | None
    models: list[tuple[str, int]]


def read(db: sqlite3.Connection, session_id: str) -> Session | None:
    """`None` if there is no such session. Raises `sqlite3.Error`."""
    found = db.execute(SESSION, {"id": session_id}).fetchone()
    if found is None:
        return None
    seq = found["seq"]
    rows = db.execute(TURNS, {"session": seq, "most": MOST_TURNS}).fetchall()
    left_out = 0
    if len(rows) == MOST_TURNS:
        left_out = db.execute(COUNT, {"session": seq}).fetchone()[0] - MOST_TURNS
    turns = [_turn(left_out + n, row) for n, row in enumerate(reversed(rows), 1)]
    started = db.execute(STARTED, {"session": seq, "most": MOST_STARTED}).fetchall()
    return Session(dict(found), turns, left_out, [dict(row) for row in started])


def _turn(number: int, row: sqlite3.Row) -> Turn:
    return Turn(
        number=number,
        seq=row["seq"],
        id=row["id"],
        link=row["link"] or "start",
        parent=row["parent"],
        state=row["state"],
        started_at=row["started_at"],
        model=row["response_model"] or row["model"],
        duration_ms=row["duration_ms"],
        ttft_ms=row["ttft_ms"],
        input_tokens=row["input_tokens"],
        cache_read_tokens=row["cache_read_tokens"],
        output_tokens=row["output_tokens"],
        cost_usd=row["cost_usd"],
        basis=row["basis"],
        context=None if row["system_tokens"] is None else tuple(row[column] for _, column in CONTEXT),
    )


def sums(turns: Sequence[Turn]) -> Sums:
    ended = [t for t in turns if t.state != "pending"]
    models = Counter(t.model for t in turns if t.model)
    return Sums(
        input_tokens=_total([t.input_tokens for t in turns]),
        cache_read_tokens=_total([t.cache_read_tokens for t in turns]),
        output_tokens=_total([t.output_tokens for t in turns]),
        cost_usd=_total([t.cost_usd for t in turns]),
        unpriced=sum(t.cost_usd is None for t in ended),
        uncounted=sum(t.input_tokens is None or t.output_tokens is None for t in ended),
        errors=sum(t.state == "error" for t in turns),
        pending=len(turns) - len(ended),
        subscription=any(t.basis == "subscription" for t in turns),
        ended_at=max((t.ended_at or t.started_at for t in turns), default=None),
        models=models.most_common(),
    )


def _total[N: (int, float)](values: Sequence[N | None]) -> N | None:
    """`None` when not one of them is known."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None  # type: ignore[return-value]
