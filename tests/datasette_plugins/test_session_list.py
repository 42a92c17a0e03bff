from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from datasette_plugins import session_list
from datasette_plugins.session_list import Filter, filter_of, find, key_of
from datasette_plugins.traffic import connect
from tests.datasette_plugins.session_records import Talk, user


@pytest.fixture
def reading(db: sqlite3.Connection, data_dir: Path) -> sqlite3.Connection:
    return connect(data_dir / "traffic.db")


def many(db: sqlite3.Connection, count: int) -> list[str]:
    talk = Talk(db)
    return [talk.say([user(f"question number {n}")]) for n in range(count)]


def test_newest_first_page_after_page(
    db: sqlite3.Connection, reading: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_list, "PAGE", 4)
    ids = many(db, 10)
    seen, before, pages = [], None, 0
    while True:
        found = find(reading, Filter(), before)
        assert not found.stopped
        seen += [row["id"] for row in found.rows]
        pages += 1
        before = found.next
        if before is None:
            break
    assert seen == ids[::-1] and pages == 3


def test_sums_are_of_the_session(db: sqlite3.Connection, reading: sqlite3.Connection) -> None:
    talk = Talk(db)
    first = talk.say([user("a question of two")], state="error", input_tokens=None)
    talk.priced(talk.say([user("a question of two")]), 0.25)
    talk.say([user("another one")], state="pending")
    pending, row = find(reading, Filter(), None).rows
    assert row["id"] == first
    assert (row["requests"], row["errors"], row["pending"], row["input_tokens"], row["cost_usd"]) == (
        2,
        1,
        0,
        12,
        0.25,
    )
    assert (pending["pending"], pending["input_tokens"], pending["cost_usd"]) == (1, None, None)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (Filter(title="HOLIDAY"), ["holiday"]),
        (Filter(client="codex"), ["bug"]),
        (Filter(user="ada"), ["bug"]),
        (Filter(folder="PROJ"), ["bug"]),
        (Filter(model="claude-x"), ["bug"]),
        (Filter(model="gpt-5"), ["holiday"]),
        (Filter(model="claude-answered"), []),
        (Filter(errors=True), ["holiday"]),
        (Filter(min_cost=0.5), ["bug"]),
        (Filter(min_cost=0.5, errors=True), []),
        (Filter(title="100%"), []),
        (Filter(), ["holiday", "bug"]),
    ],
)
@pytest.mark.parametrize("batch", [1, 60])
def test_filters(
    db: sqlite3.Connection,
    reading: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    wanted: Filter,
    found: list[str],
    batch: int,
) -> None:
    monkeypatch.setattr(session_list, "BATCH", batch)
    talk = Talk(db)
    bug = talk.say(
        [{"role": "system", "content": "Working directory: /home/me/proj"}, user("find the bug")],
        client="codex", user="ada", response_model="claude-answered",
    )  # fmt: skip
    db.execute("update requests set model = 'claude-x' where id = ?", (bug,))
    talk.priced(bug, 0.75)
    holiday = talk.say([user("plan a holiday")], state="error")
    names = {bug: "bug", holiday: "holiday"}
    assert [names[row["id"]] for row in find(reading, wanted, None, seconds=60).rows] == found


def test_a_search_that_takes_long_stops_and_goes_on(
    db: sqlite3.Connection, reading: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_list, "BATCH", 3)
    ids = many(db, 10)
    wanted = Filter(title="number 1")
    before, seen, searches = None, [], 0
    while True:
        found = find(reading, wanted, before, seconds=-1)
        seen += [row["id"] for row in found.rows]
        searches += 1
        before = found.next
        if before is None:
            break
        assert found.stopped
    assert seen == [ids[1]] and searches == 4


def test_filters_of_an_address() -> None:
    assert filter_of({}) == Filter() and not Filter().set
    assert filter_of({"title": "  a \n b ", "errors": "1", "min_cost": "0.5", "x": "y"}) == Filter(
        title="a b", errors=True, min_cost=0.5
    )
    for nonsense in ("abc", "-1", "nan", "inf", "0", ""):
        assert filter_of({"min_cost": nonsense, "errors": "no"}) == Filter()
    assert len(filter_of({"client": "x" * 999}).client) == session_list.LONGEST


@pytest.mark.parametrize("text", ["", None, "1", "-", "1-", "-1", "a-b", "1-2-3", "9" * 30 + "-1", "²-1"])
def test_a_damaged_place_is_the_beginning(text: str | None) -> None:
    assert key_of(text) is None
    assert key_of("12-3") == (12, 3)


def test_every_query_uses_an_index(db: sqlite3.Connection) -> None:
    values = dict.fromkeys(("last_at", "seq", "edge_at", "edge_seq", "most", "batch"), 1)
    asked = {
        "model": "m",
        "errors": True,
        "min_cost": 1.0,
        "title": "t",
        "client": "c",
        "user": "u",
        "folder": "f",
    }
    clauses = session_list._TESTS.values()
    sql = session_list._BATCH + "".join(f" and {c}" for c in clauses) + session_list._ORDER
    for query in (sql, session_list._EDGE):
        plan = [row[3] for row in db.execute(f"explain query plan {query}", values | asked)]
        scans = [
            step for step in plan if ("SCAN" in step and "json_each" not in step) or "TEMP B-TREE" in step
        ]
        assert scans == [], plan
