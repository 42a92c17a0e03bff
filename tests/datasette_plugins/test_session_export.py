from __future__ import annotations

import json
import sqlite3

import pytest

from datasette_plugins.guard import RAW_CSP
from tests.datasette_plugins.conftest import Site
from tests.datasette_plugins.session_records import Talk, coding, user


async def test_markdown(site: Site, db: sqlite3.Connection) -> None:
    ids = coding(Talk(db), 3)
    Talk(db).say([user("not of this session")])
    response = await site.get(f"/-/sessions/{ids[0]}/export/markdown")
    assert response.headers["content-type"] == "text/markdown; charset=utf-8"
    assert response.headers["content-disposition"] == f'attachment; filename="session-{ids[0]}.md"'
    assert response.headers["content-security-policy"] == RAW_CSP
    assert response.text.startswith("# Fix the failing test in the parser\n")
    assert "**lexer**" in response.text and "not of this session" not in response.text
    assert response.text.count("Let me look at part 0.") == 1


async def test_jsonl_has_every_call_that_ended(site: Site, db: sqlite3.Connection) -> None:
    ids = coding(Talk(db), 3)
    db.execute("update requests set state = 'pending' where id = ?", (ids[2],))
    lines = (await site.get(f"/-/sessions/{ids[0]}/export/jsonl")).text.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids[:2]


@pytest.mark.parametrize("form", ["openai", "anthropic"])
async def test_fine_tuning_data_is_a_line_for_each_branch(
    site: Site, db: sqlite3.Connection, form: str
) -> None:
    ids = coding(Talk(db), 3)
    (line,) = (await site.get(f"/-/sessions/{ids[0]}/export/{form}")).text.splitlines()
    messages = json.loads(line)["messages"]
    assert messages[0]["role"] == "user" and messages[-1]["role"] == "assistant"
    assert "lexer" in json.dumps(messages[-1])


async def test_other_forms_are_not_there(site: Site, db: sqlite3.Connection) -> None:
    first = Talk(db).say([user("hello")])
    assert (await site.get(f"/-/sessions/{first}/export/exe")).status_code == 404
