from __future__ import annotations

import sqlite3

from datasette_plugins.overview.status import statuses
from tests.datasette_plugins.overview.records import DAY, HOUR, add_call, now_ms


def states(db: sqlite3.Connection) -> dict[str, str]:
    found = statuses(db, now_ms(), ())
    return {model.label: model.state for provider in found for model in provider.models}


def usual(db: sqlite3.Connection, model: str, **more: object) -> None:
    for n in range(30):
        add_call(db, model=model, age_ms=DAY + n * HOUR, ttft_ms=400.0, **more)


def test_states(db: sqlite3.Connection) -> None:
    for model in ("good", "slow", "failing", "quiet", "one slow call"):
        usual(db, model)
    for n in range(6):
        add_call(db, model="good", ttft_ms=450.0)
        add_call(db, model="slow", ttft_ms=4000.0)
        add_call(db, model="failing", state="error" if n < 3 else "complete")
    add_call(db, model="one slow call", ttft_ms=9000.0)
    add_call(db, model="long ago", age_ms=20 * DAY)
    expected = {
        "good": "good",
        "slow": "slow",
        "failing": "failing",
        "quiet": "no traffic",
        "one slow call": "good",
    }
    assert states(db) == expected


def test_what_usually_fails_is_not_failing_because_it_does(db: sqlite3.Connection) -> None:
    for n in range(40):
        add_call(db, model="flaky", age_ms=DAY + n * HOUR, state="error" if n % 2 else "complete")
    for n in range(10):
        add_call(db, model="flaky", state="error" if n % 2 else "complete")
    assert states(db) == {"flaky": "good"}


def test_answers_that_do_not_stream_are_told_by_their_duration(db: sqlite3.Connection) -> None:
    for n in range(30):
        add_call(db, model="whole", age_ms=DAY + n * HOUR, ttft_ms=None, duration_ms=500.0)
    for _ in range(6):
        add_call(db, model="whole", ttft_ms=None, duration_ms=9000.0)
    assert states(db) == {"whole": "slow"}


def test_few_recent_calls_are_seen_with_those_of_the_hour(db: sqlite3.Connection) -> None:
    for age in (0, 30, 40, 50):
        add_call(db, age_ms=age * 60_000)
    (provider,) = statuses(db, now_ms(), ())
    assert (provider.window, provider.failed) == ("hour", "0 of 4")
    for _ in range(4):
        add_call(db)
    (provider,) = statuses(db, now_ms(), ())
    assert (provider.window, provider.failed) == ("15 min", "0 of 5")


def test_only_what_is_asked_for(db: sqlite3.Connection) -> None:
    add_call(db, provider="openai")
    add_call(db, provider="anthropic")
    assert [s.label for s in statuses(db, now_ms(), (("provider", "openai"),))] == ["openai"]
