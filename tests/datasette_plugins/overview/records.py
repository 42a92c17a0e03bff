"""Calls with a price, as the worker would have stored and summed them up."""

from __future__ import annotations

import json
import sqlite3
import time
from typing import Any

from intelligence.store import session_sums
from intelligence.store.rollups import add
from tests.datasette_plugins import records

HOUR = 3_600_000
DAY = 24 * HOUR


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def add_call(
    db: sqlite3.Connection, *, age_ms: int = 0, usd: float | None = None, basis: str = "list", **columns: Any
) -> str:
    """A call that began so long ago."""
    given = {"started_at": now_ms() - age_ms, "user": None} | columns
    state, model = given.pop("state", "complete"), given.pop("model", "gpt-5")
    call_id = records.add_call(db, state="pending", status_code=200, **given)
    db.execute("begin immediate")
    db.execute("update requests set state = ?, model = ? where id = ?", (state, model, call_id))
    (seq,) = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
    if usd is not None:
        db.execute(
            "insert into costs (request, usd, basis, source) values (?, ?, ?, 'test')", (seq, usd, basis)
        )
    if state != "pending":
        add(db, [seq])
    db.execute("commit")
    return call_id


def add_session(
    db: sqlite3.Connection, session_id: str, calls: list[str], title: str | None = "A title"
) -> None:
    seqs = [db.execute("select seq from requests where id = ?", (call,)).fetchone()[0] for call in calls]
    db.execute(
        """insert into sessions (id, title, client, started_at, last_at, requests, last_request, scope)
            values (?, ?, 'c', 1, 2, ?, ?, x'00')""",
        (session_id, title, len(seqs), seqs[-1]),
    )
    db.execute(
        "update sessions set last_at = (select max(started_at) from requests where seq in (select value from json_each(?)))"
        " where id = ?",
        (json.dumps(seqs), session_id),
    )
    (session,) = db.execute("select seq from sessions where id = ?", (session_id,)).fetchone()
    for seq in seqs:
        db.execute("insert into turns (request, session, claimed) values (?, ?, 0)", (seq, session))
    session_sums.again(db, [session])
