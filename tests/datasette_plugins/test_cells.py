from __future__ import annotations

import sqlite3

from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site


async def test_ids_lead_to_our_pages_and_times_are_readable(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, started_at=1_790_000_000_000)
    page = (await site.get("/traffic/calls")).text
    assert f'<a href="/-/calls/{call_id}">{call_id}</a>' in page
    assert 'title="1790000000000">21 Sep 2026' in page


async def test_a_cell_is_escaped(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db, call_id='"><script>alert(1)</script>')
    page = (await site.get("/traffic/calls")).text
    assert "<script>alert" not in page


async def test_json_is_datasettes_own(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, started_at=1_790_000_000_000)
    (row,) = (await site.get("/traffic/calls.json")).json()["rows"]
    assert (row["id"], row["started_at"]) == (call_id, 1_790_000_000_000)
