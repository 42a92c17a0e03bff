from __future__ import annotations

import re
import sqlite3

import pytest

from datasette_plugins import session_page
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site
from tests.datasette_plugins.session_records import Talk, assistant, call, coding, result, user
from tests.datasette_plugins.test_lanes import turn


async def test_the_head_and_the_turns(site: Site, db: sqlite3.Connection) -> None:
    ids = coding(Talk(db, {"client": "codex", "client_version": "0.9"}), 3)
    page = (await site.get(f"/-/sessions/{ids[0]}")).text
    for words in (
        "Fix the failing test in the parser",
        "codex 0.9",
        "gpt-5-2026",
        "$0.0410",
        "Cost by turn",
        "result after 1 s",
    ):
        assert words in page
    assert re.findall(r'id="(t\d+)"', page) == ["t1", "t2", "t3"]
    assert f'href="/-/calls/{ids[1]}" data-step' in page
    assert "2 tool results, shown with the calls above" in page


async def test_pages_of_turns(site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_page, "PAGE", 2)
    ids = coding(Talk(db), 5)

    async def numbers(query: str) -> list[str]:
        return re.findall(r'id="t(\d+)"', (await site.get(f"/-/sessions/{ids[0]}{query}")).text)

    assert await numbers("") == ["1", "2"]
    assert await numbers("?turn=3") == await numbers("?turn=4") == ["3", "4"]
    assert await numbers("?turn=5") == await numbers("?turn=99999") == ["5"]
    assert await numbers(f"?call={ids[3]}") == ["3", "4"]
    assert await numbers("?call=unknown") == ["1", "2"]
    assert await numbers("?turn=0") == await numbers("?turn=x") == ["1", "2"]
    page = (await site.get(f"/-/sessions/{ids[0]}?turn=4")).text
    assert "Turns 3–4 of 5" in page and "?turn=1" in page and "?turn=5" in page
    assert re.search(r'data-step title="Open this call" autofocus>Turn 4<', page)


async def test_forks_say_where_they_come_from(site: Site, db: sqlite3.Connection) -> None:
    talk = Talk(db)
    first = talk.say([user("where to?")], "Norway")
    history = [user("where to?"), assistant("Norway")]
    talk.say([*history, user("Bergen")], "wet")
    talk.say([*history, user("Oslo")], "", state="error", error_type="overloaded")
    talk.say([*history, user("Oslo")], "fine")
    page = " ".join((await site.get(f"/-/sessions/{first}")).text.split())
    assert 'takes another way from <a href="#t1" data-inside>turn 1</a>' in page
    assert 'asks again, after <a href="#t3" data-inside>turn 3</a>' in page
    assert "overloaded" in page


async def test_sub_agents_lead_to_one_another(site: Site, db: sqlite3.Connection) -> None:
    talk = Talk(db)
    task = call("t", "Task", prompt="List the largest modules of this repository")
    parent = talk.say([user("Clean up")], "", [task])
    child = talk.say([user("List the largest modules of this repository")], "a.py")
    talk.say([user("Clean up"), assistant("", [task]), result("t", "a.py")], "Done.")
    assert f'href="/-/sessions/{child}"' in (await site.get(f"/-/sessions/{parent}")).text
    assert f'sub-agent of <a href="/-/sessions/{parent}"' in (await site.get(f"/-/sessions/{child}")).text
    assert "sub-agent</span>" in (await site.get("/-/sessions")).text


async def test_a_call_leads_to_its_turn(site: Site, db: sqlite3.Connection) -> None:
    ids = coding(Talk(db), 3)
    assert f'href="/-/sessions/{ids[0]}?call={ids[2]}"' in (await site.get(f"/-/calls/{ids[2]}")).text


async def test_no_such_session(site: Site, db: sqlite3.Connection) -> None:
    for path in ("no", "no/tools", "no/replay", "no/replay/x", "no/export/markdown"):
        response = await site.get(f"/-/sessions/{path}")
        assert response.status_code == 404 and "There is no such" in response.text


async def test_a_session_whose_calls_are_gone(site: Site, db: sqlite3.Connection) -> None:
    first = Talk(db).say([user("hello")])
    db.execute("delete from turns")
    for path in ("", "/tools", "/replay", "/export/jsonl"):
        assert (await site.get(f"/-/sessions/{first}{path}")).status_code == 200


async def test_hostile_content_is_text(site: Site, db: sqlite3.Connection) -> None:
    hostile = records.HOSTILE
    talk = Talk(
        db, {"client": hostile, "model": hostile, "response_model": hostile, "error_message": hostile}
    )
    calls = [call("h", hostile, file_path=hostile, command=hostile)]
    first = talk.say([user(hostile)], hostile, calls)
    talk.say([user(hostile), assistant(hostile, calls), result("h", hostile)], hostile)
    for path in ("", "/tools", "/replay"):
        page = (await site.get(f"/-/sessions/{first}{path}")).text
        assert "<script>document" not in page and "<img" not in page and "</textarea>" not in page


def test_labels() -> None:
    assert session_page.label(turn(2, 1), 1) == ("", None)
    assert session_page.label(turn(5, 1), 1) == ("goes on from", 1)
    assert session_page.label(turn(5, 1, "compaction"), 4) == ("history made shorter, after", 4)
    assert session_page.label(turn(1, None, "start"), None) == ("", None)
    assert session_page.label(turn(3, None, "start"), None) == ("starts anew", None)
