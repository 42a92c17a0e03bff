"""The sessions on which the calls of a span cost most.

Nothing keeps their sums, so each call of the span is looked up: a second for a million. That is no time for a page to wait, so it
is added up beside (`content.Contents`), and the page has it when it is there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from datasette_plugins import units

SHOWN = 8
UNTITLED = "without a title"
FILTERS = {
    "provider": "q.provider",
    "model": "coalesce(q.model, (select r.model from responses r where r.request = q.seq))",
    "client": "q.client",
    "user": "q.user",
}
# Sorted by what was or would have been paid. `+` keeps the planner from starting with anything but the times.
SESSIONS = """
    with found as materialized (
        select t.session, count(*) as requests, sum(c.usd) as usd, sum(iif(c.basis = 'subscription', c.usd, null)) as flat_usd
        from requests q indexed by requests_started_at
            join costs c on c.request = q.seq join turns t on t.request = q.seq
        where q.started_at >= :start and q.started_at < :end and t.session is not null {tests}
        group by +t.session order by 3 desc limit :most)
    select s.id, s.title, s.client, s.user, s.last_at, f.requests, f.usd, f.flat_usd
    from found f join sessions s on s.seq = f.session order by f.usd desc, s.id"""


@dataclass(frozen=True)
class Session:
    """Display strings, but for `last_at` (ms) and `share` (0-100, of the dearest)."""

    id: str
    title: str
    client: str
    requests: str
    cost: str
    flat: str
    last_at: int
    share: float


def sessions(
    db: sqlite3.Connection, start_ms: int, end_ms: int, where: Sequence[tuple[str, str]]
) -> list[Session]:
    """The dearest first."""
    bound: dict[str, Any] = {"start": start_ms, "end": end_ms, "most": SHOWN, **dict(where)}
    tests = [
        f"and {FILTERS[name]} = :{name}" if value else f"and {FILTERS[name]} is null" for name, value in where
    ]
    found = db.execute(SESSIONS.format(tests=" ".join(tests)), bound).fetchall()
    return [_session(row, found[0]["usd"]) for row in found]


def _session(row: sqlite3.Row, dearest: float) -> Session:
    flat = row["flat_usd"]
    return Session(
        id=row["id"],
        title=row["title"] or UNTITLED,
        client=row["client"] or "unknown client",
        requests=units.count(row["requests"]),
        cost=units.money(row["usd"]),
        flat=""
        if flat is None
        else "flat rate"
        if flat >= row["usd"]
        else f"{units.money(flat)} of it at a flat rate",
        last_at=row["last_at"],
        share=round(100 * row["usd"] / dearest, 1) if dearest else 0,
    )
