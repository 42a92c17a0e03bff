from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from datasette_plugins import tables
from intelligence.store import descriptions
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site, as_user


def shown(html: str) -> list[str]:
    return re.findall(r'<th[^>]* data-column="([^"]+)"', html)


async def test_a_page_has_the_columns_one_looks_at_first(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db)
    first = shown((await site.get("/traffic/calls")).text)
    assert first == tables.SHOWN["calls"].split()
    page = (await site.get("/traffic/calls?state=complete&_sort_desc=started_at")).text
    assert shown(page) == first and "Show all columns" in page
    everything = shown((await site.get("/traffic/calls?_all=1")).text)
    assert set(first) < set(everything) and "usage_raw" in everything
    assert shown((await site.get("/traffic/calls?_col=path")).text) == ["path"]
    (row,) = (await site.get("/traffic/calls.json")).json()["rows"]
    assert list(row) == everything


async def test_every_page_answers_and_names_columns_there_are(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db)
    for table in (*tables.NEWEST, *descriptions.VIEWS):
        response = await site.get(f"/traffic/{table}")
        assert response.status_code == 200, table
        text = tables.metadata()["databases"]["traffic"]["tables"][table]["description"]
        assert re.sub("['’\"&].*", "", text) in response.text, table


async def test_columns_are_told_of(site: Site, db: sqlite3.Connection) -> None:
    page = (await site.get("/traffic/calls")).text
    assert "US dollars, list price unless costs.basis says otherwise" in page


async def test_the_newest_come_first(site: Site, db: sqlite3.Connection) -> None:
    calls = [records.add_call(db, started_at=1_790_000_000_000 + n) for n in range(3)]
    page = (await site.get("/traffic/calls")).text
    assert re.findall(r'href="/-/calls/([^"]+)"', page) == calls[::-1]


async def test_words_are_searched_in_the_table_of_texts(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db)
    for n, text in enumerate(("the heron", "the otter")):
        db.execute("insert into search_texts values (?, 1, 'user', ?)", (4 + n, text))
    page = (await site.get("/traffic/search_texts?_search=heron")).text
    assert "the heron" in page and "the otter" not in page and 'name="_search"' in page


async def test_the_questions_lead_to_their_sql(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, state="error", error_message="slow down")
    page = (await site.get("/traffic")).text
    for question in tables.questions():
        assert question.text.replace("'", "&#39;") in page
    (path,) = re.findall(r'<li><a href="([^"]+)">The latest calls that failed</a>', page)
    found = await site.get(path.replace("&amp;", "&"))
    assert found.status_code == 200 and "slow down" in found.text and call_id


async def test_a_viewer_gets_none_of_it(locked: Site, tokens: dict[str, str], db: sqlite3.Connection) -> None:
    response = await locked.get("/traffic", headers=as_user(tokens["viewer"]))
    assert response.status_code == 403 and "The latest calls that failed" not in response.text


def test_every_example_is_a_question_in_a_section() -> None:
    page = tables.QUERIES_PAGE.read_text("utf-8")
    found = tables.questions()
    assert len(found) == page.count("```sql") > 10
    assert {q.section for q in found} >= {"Calls", "Cost", "Full text"}
    assert all(q.sql.startswith(("select", "with")) and 5 < len(q.text) < 130 for q in found)


def test_where_the_page_is_not_installed_nothing_is_asked(tmp_path: Path) -> None:
    assert tables.questions(tmp_path / "queries.md") == ()


def test_what_the_worker_keeps_for_itself_is_hidden() -> None:
    found = tables.config()["databases"]["traffic"]["tables"]
    assert all(found[name] == {"hidden": True} for name in descriptions.INTERNAL)
