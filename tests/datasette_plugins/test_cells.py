from __future__ import annotations

import json
import sqlite3

import pytest
from datasette.app import Datasette
from hypothesis import given
from hypothesis import strategies as st

from datasette_plugins import cells
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site

ID = "0199a2b4-0000-7000-8000-000000000001"
DATASETTE = Datasette()


def cell(column: str, value: object, table: str | None = "calls") -> str | None:
    found = cells.render(DATASETTE, "traffic", table, column, value)
    return None if found is None else str(found)


async def test_ids_lead_to_our_pages_and_times_are_readable(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, started_at=1_790_000_000_000)
    page = (await site.get("/traffic/calls")).text
    assert f'href="/-/calls/{call_id}">{call_id}</a>' in page
    assert 'title="1790000000000">21 Sep 2026' in page


async def test_so_do_those_of_sql(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db)
    sql = "select id, id as session_id, 0.25 as cost_usd, 61000 as duration_ms, 5 as id from calls"
    page = (await site.get("/traffic/-/query", params={"sql": sql})).text
    assert f'href="/-/calls/{call_id}"' in page and f'href="/-/sessions/{call_id}"' in page
    assert '<span title="0.25">$0.2500</span>' in page and '<span title="61000">61 s</span>' in page


async def test_a_cell_is_escaped(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db, call_id='"><script>alert(1)</script>', text="<script>alert(2)</script>" * 20)
    page = (await site.get("/traffic/calls")).text
    assert "<script>alert" not in page


async def test_json_is_datasettes_own(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, started_at=1_790_000_000_000)
    (row,) = (await site.get("/traffic/calls.json")).json()["rows"]
    assert (row["id"], row["started_at"]) == (call_id, 1_790_000_000_000)


@pytest.mark.parametrize(
    ("column", "value", "shown"),
    [
        ("cost_usd", 1.5, '<span title="1.5">$1.50</span>'),
        ("usd", 0, '<span title="0">$0</span>'),
        ("input_tokens", 12345, '<span title="12345">12,345</span>'),
        ("ttft_ms", 210.04, '<span title="210.04">210 ms</span>'),
        ("body_bytes", 12300, '<span title="12300">12.3 KB</span>'),
        ("requests", 1000, '<span title="1000">1,000</span>'),
        ("at", 5, None),
        ("seq", 5, None),
        ("chunks", None, None),
        ("tool_calls", '["Bash","Read"]', "Bash, Read"),
        ("tool_calls", "[]", '<span class="nothing">none</span>'),
        ("text", "short", None),
        ("text", "[not json", None),
        ("call_id", "sequel", '<a class="mono" href="/-/calls/sequel">sequel</a>'),
        ("parent_id", ID, f'<a class="mono" href="/-/sessions/{ID}">{ID}</a>'),
        ("call_id", "../x", '<a class="mono" href="/-/calls/..%2Fx">../x</a>'),
    ],
)
def test_by_the_name_of_the_column(column: str, value: object, shown: str | None) -> None:
    assert cell(column, value) == shown


def test_where_an_id_leads() -> None:
    assert "/-/sessions/" in (cell("id", ID, "sessions_overview") or "")
    assert "/-/calls/" in (cell("id", ID, None) or "")
    assert cell("id", "name", None) is None  # of one's own SQL
    assert cells.render(DATASETTE, "other", "calls", "id", ID) is None


def test_json_and_long_texts_are_folded() -> None:
    folded = cell("usage_raw", json.dumps({"a": {"b": "<i>"}, "c": 1})) or ""
    assert "<summary" in folded and "2 members: a, c" in folded and "&lt;i&gt;" in folded
    long = cell("text", "words " * 2000) or ""
    assert long.startswith('<details class="cell"><summary dir="auto">words words') and len(long) < 4000
    assert "and 9,000 more characters" in long
    assert "<summary" in (cell("text", "[" * 15_000) or "")


@given(
    st.text(max_size=400) | st.integers() | st.floats() | st.recursive(st.none(), st.lists).map(json.dumps)
)
def test_any_value_is_shown(value: object) -> None:
    for column in ("id", "text", "started_at", "cost_usd", "duration_ms", "input_tokens", "bytes"):
        shown = cell(column, value, None)
        assert shown is None or "<script" not in shown
