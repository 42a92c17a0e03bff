from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from datasette_plugins import dashboard, traffic
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site


async def test_the_file_is_picked_up_when_it_has_its_tables(site: Site, data_dir: Path) -> None:
    assert "No calls yet" in (await site.get("/")).text
    assert not (data_dir / "traffic.db").exists()
    (data_dir / "traffic.db").touch()  # a worker that has not got to its tables
    assert (await site.get("/")).status_code == 200
    assert (await site.get("/traffic")).status_code == 404
    db = records.make(data_dir)
    records.add_call(db, text="picked up")
    assert "picked up" in (await site.get("/")).text
    assert (await site.get("/traffic")).status_code == 200
    db.close()


async def test_another_file_in_its_place(site: Site, data_dir: Path, tmp_path: Path) -> None:
    for name, text in (("one", "of the first file"), ("two", "of the second")):
        db = records.make(tmp_path / name)
        records.add_call(db, text=text)
        db.close()
        (tmp_path / name / "traffic.db").replace(data_dir / "traffic.db")
        assert text in (await site.get("/")).text
    (data_dir / "traffic.db").unlink()
    assert "No calls yet" in (await site.get("/")).text


def test_connections_only_read(db: sqlite3.Connection, data_dir: Path) -> None:
    reading = traffic.connect(data_dir / "traffic.db")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reading.execute("delete from requests")
    reading.close()


def test_text_that_is_not_utf8_is_read(db: sqlite3.Connection, data_dir: Path) -> None:
    call_id = records.add_call(db)
    db.execute("update requests set model = cast(x'ff41' as text) where id = ?", (call_id,))
    reading = traffic.connect(data_dir / "traffic.db")
    assert reading.execute("select model from requests").fetchone()[0] == "\ufffdA"
    reading.close()


def test_no_file(data_dir: Path) -> None:
    assert traffic.file_id(data_dir / "traffic.db") is None
    assert not traffic.has_schema(data_dir / "traffic.db")
    assert not data_dir.exists()


async def test_a_file_that_is_no_database(site: Site, data_dir: Path) -> None:
    (data_dir / "traffic.db").write_bytes(b"not a database, whatever its name says" * 100)
    page = await site.get("/")
    assert page.status_code == 200
    assert "cannot be read: file is not a database" in page.text
    assert '<p class="problem error" data-unread>' in page.text


async def test_rows_are_counted_up_to_a_limit(
    site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        records.add_call(db)
    here = dashboard.here(site.datasette).traffic.attached(site.datasette)
    assert here is not None
    counts = await here.table_counts()
    assert (counts["requests"], counts["sessions"], counts["to_read"]) == (3, 0, None)
    monkeypatch.setattr(here, "count_limit", 1)
    assert (await here.table_counts())["requests"] == 2


async def test_datasette_counts_without_reading_rows(
    site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its count of a page's rows is written otherwise; this fails when another version of it asks in other words."""
    records.add_call(db, provider="openai")
    records.add_call(db, provider="anthropic")
    asked = []
    slow = dashboard.here(site.datasette).traffic.slow
    timed = slow.timed
    monkeypatch.setattr(slow, "timed", lambda sql: asked.append(sql) or timed(sql))
    for path, count in (("calls", "2 rows"), ("calls?provider__exact=openai", "1 row")):
        assert count in (await site.get(f"/traffic/{path}")).text
    counted = [sql for sql in asked if sql.startswith("select count(*) from (select *")]
    assert len(counted) == 2 and all(traffic._COUNTED.match(sql) for sql in counted)


async def test_what_takes_too_long_says_so(site: Site, db: sqlite3.Connection) -> None:
    endless = "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"
    db.execute(f"create view endless as {endless}")
    page = await site.get("/traffic/endless")
    assert page.status_code == 400 and "takes too long" in page.text


async def test_tables_that_are_not_there_yet(site: Site) -> None:
    page = await site.get("/traffic")
    assert page.status_code == 404 and "Nothing is recorded yet" in page.text


async def test_no_lock_at_what_strangers_may_not_see(site: Site, db: sqlite3.Connection) -> None:
    for path in ("/traffic", "/traffic/calls", "/traffic/-/query?sql=select+1"):
        assert "🔒" not in (await site.get(path)).text
