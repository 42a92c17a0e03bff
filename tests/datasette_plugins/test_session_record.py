from __future__ import annotations

import sqlite3

import pytest

from datasette_plugins import session_record
from datasette_plugins.traffic import connect
from tests.datasette_plugins.session_records import START_MS, Talk, assistant, call, coding, result, user


@pytest.fixture
def reading(db: sqlite3.Connection, data_dir) -> sqlite3.Connection:
    return connect(data_dir / "traffic.db")


def test_turns_are_numbered_and_added_up(db: sqlite3.Connection, reading: sqlite3.Connection) -> None:
    talk = Talk(db)
    ids = coding(talk, 4)
    talk.say([user("another session")])
    found = session_record.read(reading, ids[0])
    assert found is not None and found.left_out == 0
    assert [(t.number, t.id, t.link) for t in found.turns] == [
        (1, ids[0], "start"),
        (2, ids[1], "continue"),
        (3, ids[2], "continue"),
        (4, ids[3], "continue"),
    ]
    assert [t.parent for t in found.turns] == [None, *[t.seq for t in found.turns[:-1]]]
    assert found.turns[1].context == (10, 10, 200, 150, 10, 10)
    sums = session_record.sums(found.turns)
    assert sums.cost_usd == pytest.approx(0.01 + 0.011 + 0.012 + 0.02)
    assert (sums.input_tokens, sums.output_tokens, sums.errors, sums.unpriced) == (48, 136, 0, 0)
    assert sums.cache_read_tokens is None  # nobody stated it: unknown, not 0
    assert sums.ended_at == START_MS + 3 * 2000 + 1000
    assert sums.models == [("gpt-5-2026", 4)]


def test_what_is_not_known_is_counted_as_such(db: sqlite3.Connection, reading: sqlite3.Connection) -> None:
    talk = Talk(db)
    first = talk.say([user("a")], state="error", input_tokens=None, output_tokens=None)
    talk.say([user("a")], state="pending")
    found = session_record.read(reading, first)
    assert found is not None
    sums = session_record.sums(found.turns)
    assert (sums.errors, sums.pending, sums.unpriced, sums.uncounted) == (1, 1, 1, 1)
    assert sums.input_tokens is None and sums.cost_usd is None


def test_sub_agents_are_found_from_both_sides(db: sqlite3.Connection, reading: sqlite3.Connection) -> None:
    talk = Talk(db)
    task = call("t", "Task", prompt="List the largest modules of this repository")
    parent = talk.say([user("Clean up")], "", [task])
    child = talk.say([user("List the largest modules of this repository")], "a.py")
    talk.say([user("Clean up"), assistant("", [task]), result("t", "a.py")], "Done.")
    found = session_record.read(reading, parent)
    assert found is not None
    assert [(s["id"], s["parent"]) for s in found.started] == [(child, found.turns[0].seq)]
    of_child = session_record.read(reading, child)
    assert of_child is not None and of_child.row["parent_id"] == parent


def test_of_a_long_session_the_last_turns(
    db: sqlite3.Connection, reading: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_record, "MOST_TURNS", 3)
    ids = coding(Talk(db), 5)
    found = session_record.read(reading, ids[0])
    assert found is not None and found.left_out == 2
    assert [(t.number, t.id) for t in found.turns] == [(3, ids[2]), (4, ids[3]), (5, ids[4])]


def test_no_such_session(db: sqlite3.Connection, reading: sqlite3.Connection) -> None:
    assert session_record.read(reading, "no") is None
