from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasette_plugins.overview import sums
from datasette_plugins.overview.sums import CALLS, DAILY, HOURLY, WEEKLY, begin
from tests.datasette_plugins.overview.records import DAY, HOUR, add_call, now_ms

times = st.integers(0, 5 * DAY)


@given(
    times, times, st.sampled_from([[HOURLY, CALLS], [DAILY, HOURLY, CALLS], [WEEKLY, DAILY, HOURLY, CALLS]])
)
def test_pieces_are_the_whole_and_each_is_whole(start: int, end: int, given_: list[str]) -> None:
    found = sums.pieces(start, end, given_)
    at = start
    for table, low, high in found:
        assert low == at and low < high
        assert begin(table, low) == low and begin(table, high) == high
        at = high
    assert at == max(start, end) or not found
    if end - start >= 2 * DAY and DAILY in given_:
        assert DAILY in {table for table, _, _ in found}


def test_all_tables_say_the_same(db: sqlite3.Connection) -> None:
    """To the millisecond, by any key, whatever the piece is read from."""
    now = now_ms()
    for n in range(40):
        age = n * 7 * HOUR + n * 1234
        add_call(
            db,
            age_ms=age,
            usd=n / 100,
            model=f"m{n % 3}",
            client=None if n % 2 else "curl",
            duration_ms=n * 100.0,
        )
    add_call(db, state="pending")
    start, end = now - 9 * DAY - 12345, now - 3 * HOUR
    exact = {key: s.values for key, s in sums.by(db, start, end, [CALLS], ("model", "client")).items()}
    for given_ in ([HOURLY, CALLS], [DAILY, HOURLY, CALLS], [WEEKLY, DAILY, HOURLY, CALLS]):
        found = {key: s.values for key, s in sums.by(db, start, end, given_, ("model", "client")).items()}
        assert found.keys() == exact.keys()
        for key, values in found.items():
            assert values == pytest.approx(exact[key])
    total = sums.folded(sums.by(db, start, end, [HOURLY, CALLS], ("model",)))[None]
    ages = [n * 7 * HOUR + n * 1234 for n in range(40)]
    assert total.number("requests") == sum(age - 1000 >= 3 * HOUR and age < 9 * DAY + 12345 for age in ages)


def test_only_these_calls(db: sqlite3.Connection) -> None:
    for user in ("ann", "ann", None):
        add_call(db, user=user)
    for given_ in ([CALLS], [HOURLY, CALLS]):
        for value, count in (("ann", 2), ("", 1), ("bob", 0)):
            found = sums.by(db, now_ms() - HOUR, now_ms() + 2 * HOUR, given_, (), (("user", value),))
            assert sums.folded(found).get(None, sums.Sums()).number("requests") == count


def test_the_longer_the_span_the_coarser_the_table() -> None:
    assert sums.tables(7 * DAY) == [HOURLY, CALLS]
    assert sums.tables(30 * DAY) == [DAILY, HOURLY, CALLS]
    assert sums.tables(365 * DAY) == [WEEKLY, DAILY, HOURLY, CALLS]


def test_unknown_stays_unknown() -> None:
    assert (
        sums.Sums()["cost_usd"] is None
        and sums.Sums().error_share is None
        and sums.Sums().cache_share is None
    )


def test_steps_are_numbered(db: sqlite3.Connection) -> None:
    origin = now_ms() // HOUR * HOUR - 3 * HOUR
    for n in (0, 0, 2):
        add_call(db, started_at=origin + n * HOUR + 5)
    for table in (CALLS, HOURLY):
        piece = (table, origin, origin + 4 * HOUR)
        found = {n: v[0] for (n,), v in sums.rows(db, piece, (), names=["requests"], step=(origin, HOUR))}
        assert found == {0: 2, 2: 1}
