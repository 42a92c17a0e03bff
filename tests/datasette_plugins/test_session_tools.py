from __future__ import annotations

import sqlite3

import pytest

from datasette_plugins import tool_use
from tests.datasette_plugins.conftest import Site
from tests.datasette_plugins.session_records import Talk, coding, user


async def test_tools_and_files_with_their_turns(site: Site, db: sqlite3.Connection) -> None:
    ids = coding(Talk(db), 5)
    page = (await site.get(f"/-/sessions/{ids[0]}/tools")).text
    for words in ("/src/parser_0.py", "pytest -x", "Files <small>3</small>", "Median time"):
        assert words in page
    assert f'href="/-/sessions/{ids[0]}?turn=4"' in page


async def test_without_a_tool(site: Site, db: sqlite3.Connection) -> None:
    first = Talk(db).say([user("hello")])
    assert "No tool was called" in (await site.get(f"/-/sessions/{first}/tools")).text


async def test_a_long_session_is_read_in_part(
    site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tool_use, "MOST_TURNS", 3)
    monkeypatch.setattr(tool_use, "MOST_THINGS", 1)
    ids = coding(Talk(db), 5)
    page = (await site.get(f"/-/sessions/{ids[0]}/tools")).text
    assert "the first 2 are not in it" in page and "and 1 more" in page
