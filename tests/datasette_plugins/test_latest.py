from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from datasette_plugins import latest
from datasette_plugins.latest import AGAIN_AT_ONCE, WINDOW, Latest
from tests.datasette_plugins import records


@pytest.fixture
def reader(data_dir: Path) -> Latest:
    return Latest(data_dir / "traffic.db")


def known_of(found: latest.Found | None) -> dict[int, bool]:
    assert found
    return {seq: row["state"] == "pending" for seq, row in found.rows.items()}


def test_nothing_is_read_twice(reader: Latest, db: sqlite3.Connection) -> None:
    first = records.add_call(db)
    found = reader.read({}, progress=False)
    assert found and [row["id"] for row in found.rows.values()] == [first]
    known = known_of(found)
    assert reader.read(known, progress=False) is None
    second = records.add_call(db)
    found = reader.read(known, progress=False)
    assert found and [row["id"] for row in found.rows.values()] == [second]


def test_a_running_call_is_read_again_when_it_ends(reader: Latest, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, state="pending")
    known = known_of(reader.read({}, progress=False))
    records.add_call(db)
    found = reader.read(known, progress=False)
    assert found and len(found.rows) == 1, "it still runs"
    db.execute("update requests set state = 'error' where id = ?", (call_id,))
    found = reader.read(known, progress=False)
    assert found and [(r["id"], r["state"]) for r in found.rows.values()] == [(call_id, "error")]


def test_all_else_is_seen_in_a_while(
    reader: Latest, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(latest, "AGAIN_SECONDS", 0.0)
    stays, goes = records.add_call(db, model="a", response_model=None), records.add_call(db)
    known = known_of(reader.read({}, progress=False))
    db.execute("update requests set model = 'b' where id = ?", (stays,))
    db.execute("delete from requests where id = ?", (goes,))
    found = reader.read(known, progress=False)
    assert found and found.gone is not None
    assert [row["model"] for row in found.rows.values()] == ["b"]
    assert len(found.gone) == 1


def test_after_a_long_time_only_the_newest(reader: Latest, db: sqlite3.Connection) -> None:
    running = records.add_call(db, state="pending")
    known = known_of(reader.read({}, progress=False))
    db.execute("begin")
    for _ in range(WINDOW + 20):
        records.add_call(db, commit=False)
    db.execute("commit")
    found = reader.read(known, progress=False)
    assert found and len(found.rows) == WINDOW and found.floor == 21
    assert running not in {row["id"] for row in found.rows.values()}


def test_a_call_that_runs_is_found_however_old(reader: Latest, db: sqlite3.Connection) -> None:
    running = records.add_call(db, state="pending")
    db.execute("insert into open_calls values (1, 0, 0, 0, 0, 0)")
    db.execute("begin")
    for _ in range(WINDOW + 20):
        records.add_call(db, commit=False)
    db.execute("commit")
    found = reader.read({}, progress=False)
    assert found and found.rows[1]["id"] == running and len(found.rows) == WINDOW + 1


def test_another_record_in_its_place(reader: Latest, data_dir: Path, tmp_path: Path) -> None:
    data_dir.mkdir()
    known: dict[int, bool] = {}
    for name in ("one", "two"):
        db = records.make(tmp_path / name)
        call_id = records.add_call(db)
        db.close()
        (tmp_path / name / "traffic.db").replace(data_dir / "traffic.db")
        found = reader.read(known, progress=False)
        assert found and (found.gone is None) == (name == "two")
        assert [row["id"] for row in found.rows.values()] == [call_id]
        known = known_of(found)


def test_what_is_known_is_read_again_a_part_at_a_time(reader: Latest, db: sqlite3.Connection) -> None:
    for _ in range(3 * AGAIN_AT_ONCE):
        records.add_call(db)
    known = known_of(reader.read({}, progress=False))
    db.execute("update requests set model = 'other', user = 'ada'")
    reader._again_due = 0
    read: list[int] = []
    while found := reader.read(known, progress=False):
        assert len(found.rows) <= AGAIN_AT_ONCE and found.gone == []
        read += found.rows
    assert sorted(read) == sorted(known)
    db.execute("delete from requests where seq = 5")
    reader._again_due = 0
    gone: list[int] = []
    while found := reader.read(known, progress=False):
        gone += found.gone or []
    assert gone == [5]
