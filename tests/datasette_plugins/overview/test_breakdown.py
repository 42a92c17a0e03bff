from __future__ import annotations

import sqlite3

import pytest

from datasette_plugins.overview import breakdown, sums
from tests.datasette_plugins.overview.records import HOUR, add_call, now_ms


def both(
    db: sqlite3.Connection, key: str = "model"
) -> tuple[dict[str | None, sums.Sums], dict[str | None, sums.Sums]]:
    now = sums.by(db, now_ms() - HOUR, now_ms() + HOUR, [sums.CALLS], (key,))
    before = sums.by(db, now_ms() - 2 * HOUR, now_ms() - HOUR, [sums.CALLS], (key,))
    return sums.folded(now, 0), sums.folded(before, 0)


BEFORE = HOUR + 60_000


def test_rows_are_ordered_cut_and_measured_against_the_largest(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakdown, "SHOWN", 2)
    for model, count in (("few", 1), ("most", 4), (None, 2)):
        for _ in range(count):
            add_call(db, model=model, response_model=model, usd=0.5)
    rows = breakdown.table(*both(db), "model")
    assert [(r.value, r.label, r.requests, r.share) for r in rows] == [
        ("most", "most", "4", 100.0),
        ("", "unknown model", "2", 50.0),
    ]
    assert rows[0].cost == "$2.00" and rows[0].change == "new"


def test_an_unpriced_model_costs_something_unknown(db: sqlite3.Connection) -> None:
    add_call(db, model="unpriced")
    add_call(db, model="flat", usd=2.0, basis="subscription")
    cost = {r.label: (r.cost, r.flat) for r in breakdown.table(*both(db), "model")}
    assert cost == {"unpriced": ("unknown", ""), "flat": ("$0", "$2.00")}


def test_what_changed(db: sqlite3.Connection) -> None:
    add_call(db, model="new", usd=0.1)
    for age in (0, BEFORE):
        add_call(db, model="dear", usd=5.0 if age == 0 else 1.0, age_ms=age)
        add_call(db, model="cheap", usd=1.0 if age == 0 else 5.0, age_ms=age)
        add_call(db, model="same", usd=1.0, age_ms=age)
        for n in range(30):
            add_call(db, model="fails", age_ms=age, state="error" if n < 5 and not age else "complete")
            add_call(db, model="slow", age_ms=age, duration_ms=500.0 if age else 5000.0)
            if age:
                add_call(db, model="gone", age_ms=age)
    found = {
        c.label: (c.says.split(":")[0].split(",")[0], c.tone) for c in breakdown.changes(*both(db), "model")
    }
    assert found == {
        "new": ("new", ""),
        "dear": ("costs $5.00", "bad"),
        "cheap": ("costs $1.00", "good"),
        "fails": ("fails more", "bad"),
        "slow": ("slower", "bad"),
        "gone": ("not used any more; 30 requests before", ""),
    }
