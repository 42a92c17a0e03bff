from __future__ import annotations

import sqlite3

from datasette_plugins import session_list
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site
from tests.datasette_plugins.session_records import Talk, coding, user


async def test_without_a_session_it_says_how_to_make_one(site: Site, db: sqlite3.Connection) -> None:
    page = (await site.get("/-/sessions")).text
    assert "No sessions yet" in page and "llmitm exec -- claude" in page


async def test_before_there_is_a_record(site: Site) -> None:
    assert "No sessions yet" in (await site.get("/-/sessions")).text


async def test_a_row_says_what_the_session_was(site: Site, db: sqlite3.Connection) -> None:
    ids = coding(Talk(db, {"client": "codex", "client_version": "0.9", "user": "ada"}), 3)
    page = (await site.get("/-/sessions")).text
    assert f'href="/-/sessions/{ids[0]}"' in page
    for words in (
        "Fix the failing test in the parser",
        "codex",
        "0.9",
        "ada",
        ">3<",
        ">36<",
        ">102<",
        "$0.0410",
        "5 s",
    ):
        assert words in page


async def test_of_a_long_folder_the_end(site: Site, db: sqlite3.Connection) -> None:
    talk = Talk(db)
    for n, folder in enumerate(("/home/me/short", "/home/someone/with/a/long/way/to/project")):
        first = talk.say([user(f"question {n}")])
        db.execute("update sessions set working_folder = ? where id = ?", (folder, first))
    page = (await site.get("/-/sessions")).text
    assert ">/home/me/short<" in page and ">…/to/project<" in page
    assert 'title="/home/someone/with/a/long/way/to/project"' in page


async def test_the_filter_stays_in_the_address(site: Site, db: sqlite3.Connection, monkeypatch) -> None:
    monkeypatch.setattr(session_list, "PAGE", 1)
    talk = Talk(db)
    for n in range(3):
        talk.say([user(f"a & b {n}")], client="codex")
    page = (await site.get("/-/sessions?title=A+%26+b&client=codex&junk=1")).text
    assert 'value="A &amp; b"' in page
    assert "/-/sessions?title=A+%26+b&amp;client=codex&amp;before=" in page
    assert "No session matches" in (await site.get("/-/sessions?title=nowhere")).text


async def test_a_search_that_stopped_says_so(site: Site, db: sqlite3.Connection, monkeypatch) -> None:
    monkeypatch.setattr(session_list, "BATCH", 1)
    monkeypatch.setattr(session_list.find, "__defaults__", (-1.0, dict))
    talk = Talk(db)
    for n in range(3):
        talk.say([user(f"question {n}")])
    page = (await site.get("/-/sessions?title=nowhere")).text
    assert (
        "Nothing was found so far" in page
        and "Look further back" in page
        and "No session matches" not in page
    )


async def test_hostile_titles_are_text(site: Site, db: sqlite3.Connection) -> None:
    Talk(db).say([user(records.HOSTILE)], client=records.HOSTILE, user=records.HOSTILE)
    page = (await site.get("/-/sessions?title=%3Cscript%3E")).text
    assert "<script>document" not in page and "<img" not in page
