from __future__ import annotations

import logging
import sqlite3

import pytest

from datasette_plugins import dashboard
from datasette_plugins.overview import page
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site


async def test_json_for_programs_a_page_for_people(site: Site, db: sqlite3.Connection) -> None:
    assert (await site.get("/traffic/nothing.json")).json()["error"] == "Table not found"
    page = await site.get("/traffic/nothing")
    assert page.status_code == 404
    assert "There is no such page" in page.text


async def test_an_sql_error_is_told(site: Site, db: sqlite3.Connection) -> None:
    response = await site.get("/traffic/-/query.json", params={"sql": "select * from nowhere"})
    assert "no such table: nowhere" in response.json()["error"]


async def test_our_mistake_is_logged_without_values(
    site: Site,
    db: sqlite3.Connection,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    records.add_call(db, text="a private prompt")

    def broken(conn: sqlite3.Connection) -> None:
        rows = [dict(r) for r in conn.execute("select text from calls")]
        raise KeyError(len(rows))

    monkeypatch.setattr(page, "_latest", broken)
    with caplog.at_level(logging.DEBUG):
        response = await site.get("/")
    assert response.status_code == 500
    assert "private" not in response.text
    written = caplog.text + "".join(capsys.readouterr())
    assert "GET / failed" in written
    assert "a private prompt" not in written
    # and a page that is not there is no mistake of ours
    caplog.clear()
    await site.get("/nowhere")
    assert "Traceback" not in caplog.text + "".join(capsys.readouterr())


async def test_an_address_where_nothing_is(site: Site, db: sqlite3.Connection) -> None:
    page = await site.get("/nowhere")
    assert page.status_code == 404
    assert "Nothing stands at this address" in page.text and "Database" not in page.text


async def test_a_damaged_record_is_not_called_an_empty_one(site: Site) -> None:
    assert "Nothing is recorded yet" in (await site.get("/traffic/calls")).text
    (site.data_dir / "traffic.db").write_bytes(b"no database" * 1000)
    page = await site.get("/traffic/calls")
    assert page.status_code == 404 and "The record cannot be read" in page.text
    dashboard.here(site.datasette).feed.look_at_health()
    assert "<code>llmitm restore FILE</code>" in (await site.get("/")).text
