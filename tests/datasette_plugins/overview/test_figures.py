from __future__ import annotations

import sqlite3

import pytest

from datasette_plugins.overview import sums
from datasette_plugins.overview.figures import Figure, change, figures, points, tone
from tests.datasette_plugins.overview.records import HOUR, add_call, now_ms


@pytest.mark.parametrize(
    "now, before, shown",
    [
        (112, 100, "+12 %"), (95, 100, "−5 %"), (100, 100, "same"), (1400, 100, "× 14"), (5, 0, ""), (5, None, ""),
        (None, 5, ""), (0, 5, "−100 %"),
    ],
)  # fmt: skip
def test_changes(now: float | None, before: float | None, shown: str) -> None:
    assert change(now, before) == shown


def test_shares_change_by_points() -> None:
    assert (
        points(0.05, 0.02) == "+3 pts" and points(0.02, 0.05) == "−3 pts" and points(0.0201, 0.02) == "same"
    )
    assert points(None, 0.1) == ""


def test_what_is_worse_has_a_tone() -> None:
    assert (
        tone(2, 1, 0.25) == "bad"
        and tone(1, 2, 0.25) == "good"
        and tone(1.1, 1, 0.25) == tone(1, 0, 0.25) == ""
    )


def shown(db: sqlite3.Connection, running: int = 0) -> dict[str, Figure]:
    found = sums.folded(sums.by(db, now_ms() - HOUR, now_ms() + HOUR, [sums.CALLS], ()))
    before = sums.folded(sums.by(db, now_ms() - 2 * HOUR, now_ms() - HOUR, [sums.CALLS], ()))
    return {f.name: f for f in figures(found.get(None, sums.Sums()), before.get(None, sums.Sums()), running)}


def test_without_calls_there_is_nothing_to_know(db: sqlite3.Connection) -> None:
    found = shown(db)
    assert found["requests"].value == "0"
    assert {found[name].value for name in ("errors", "duration", "ttft", "cache")} == {"–"}
    assert all(f.change == "" for f in found.values())


def test_what_no_provider_stated_is_unknown_not_zero(db: sqlite3.Connection) -> None:
    add_call(db, input_tokens=None, output_tokens=None, ttft_ms=None, duration_ms=None)
    found = shown(db)
    for name in ("input", "output", "cost", "duration", "ttft", "cache"):
        assert found[name].value == "unknown", name


def test_sums_name_what_they_leave_out_and_flat_rates_stand_apart(db: sqlite3.Connection) -> None:
    add_call(db, usd=0.5, input_tokens=1000, cache_read_tokens=900)
    add_call(db, usd=2.0, basis="subscription", input_tokens=1000, cache_read_tokens=0)
    add_call(db, input_tokens=None)
    add_call(db, state="error", input_tokens=None, output_tokens=None)
    found = shown(db, running=2)
    assert (found["cost"].value, found["cost"].note) == ("$0.5000", "1 unpriced")
    assert found["flat"].value == "$2.00"
    assert (found["input"].value, found["input"].note) == ("2k", "1 uncounted")
    assert (found["errors"].value, found["errors"].note) == ("25 %", "1")
    assert found["requests"].note == "2 running"
    assert found["cache"].value == "45 %"


def test_the_span_before(db: sqlite3.Connection) -> None:
    for _ in range(2):
        add_call(db, age_ms=HOUR + 60_000, duration_ms=100.0)
    for _ in range(3):
        add_call(db, duration_ms=4000.0)
    found = shown(db)
    assert (found["requests"].change, found["requests"].before) == ("+50 %", "2")
    assert found["duration"].tone == "bad"
