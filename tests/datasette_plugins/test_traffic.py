from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from datasette_plugins import traffic
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
