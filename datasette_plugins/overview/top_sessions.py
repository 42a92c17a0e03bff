"""The dearest of the sessions that were seen in a span, each with what it cost altogether."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from datasette_plugins import units
from datasette_plugins.mask import Mask

SHOWN = 8
UNTITLED = "without a title"
TESTS = {
    "provider": "exists (select 1 from json_each(providers) where value = :provider)",
    "model": "exists (select 1 from json_each(models) where value = :model)",
    "client": "client = :client",
    "user": "user = :user",
}
UNKNOWN = {
    "provider": "providers is null",
    "model": "models is null",
    "client": "client is null",
    "user": "user is null",
}
# Sorted by what was or would have been paid. The index has all that is asked of sessions which are none of the dearest.
SESSIONS = """
    with dearest as materialized (
        select seq from sessions indexed by sessions_cost
        where last_at >= :start and last_at < :end and cost_usd is not null {tests}
        order by cost_usd desc, seq limit :most)
    select id, title, client, user, last_at, requests, cost_usd as usd, subscription_usd as flat_usd
    from dearest join sessions using (seq) order by cost_usd desc, seq"""


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
    tests = [f"and {TESTS[name] if value else UNKNOWN[name]}" for name, value in where]
    found = db.execute(SESSIONS.format(tests=" ".join(tests)), bound).fetchall()
    return [_session(row, found[0]["usd"]) for row in found]


def masked(found: Sequence[Session], mask: Mask) -> list[Session]:
    return [replace(one, title=mask.text(one.title, cut=one.title.endswith("…"))) for one in found]


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
