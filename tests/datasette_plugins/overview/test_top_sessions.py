from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from datasette_plugins.overview.top_sessions import SHOWN, Session, sessions
from datasette_plugins.traffic import connect
from tests.datasette_plugins.overview.records import DAY, HOUR, add_call, add_session, now_ms


def top(db: sqlite3.Connection, where: Sequence[tuple[str, str]] = ()) -> list[Session]:
    (_, _, path), *_ = db.execute("pragma database_list").fetchall()
    return sessions(connect(Path(path)), now_ms() - DAY, now_ms() + HOUR, where)


def test_what_those_seen_in_the_span_cost_altogether(db: sqlite3.Connection) -> None:
    add_session(db, "over", [add_call(db, age_ms=3 * DAY, usd=100.0)])
    add_session(db, "old", [add_call(db, age_ms=3 * DAY, usd=0.5), add_call(db, usd=0.25)], title=None)
    add_session(db, "dear", [add_call(db, usd=1.0), add_call(db, usd=2.0)])
    add_session(db, "flat", [add_call(db, usd=1.5, basis="subscription")])
    add_session(db, "unpriced", [add_call(db)])
    found = [(s.id, s.cost, s.flat, s.requests) for s in top(db)]
    assert found == [
        ("dear", "$3.00", "", "2"),
        ("flat", "$1.50", "flat rate", "1"),
        ("old", "$0.7500", "", "2"),
    ]
    assert top(db)[-1].title == "without a title"


def test_only_what_is_asked_for_and_no_more_than_fit(db: sqlite3.Connection) -> None:
    for n in range(SHOWN + 3):
        add_session(
            db, f"s{n:02}", [add_call(db, usd=1.0 + n, model="m" if n % 2 else None, response_model="r")]
        )
    assert len(top(db)) == SHOWN
    assert [s.id for s in top(db, [("model", "m")])][:2] == ["s09", "s07"]
    assert [s.id for s in top(db, [("model", "r")])][:2] == ["s10", "s08"]
    assert top(db, [("user", "")])[0].id == "s10"
