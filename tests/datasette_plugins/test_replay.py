from __future__ import annotations

import json
import re
import sqlite3

from datasette_plugins import replay
from tests.datasette_plugins.conftest import Site
from tests.datasette_plugins.session_records import Talk, assistant, call, result, user
from tests.intelligence.store.traffic import delta, event, stream


def tool(index: int, **function: str) -> bytes:
    calls = [{"index": index, "id": f"c{index}", "type": "function", "function": function}]
    return event(choices=[{"index": 0, "delta": {"tool_calls": calls}, "finish_reason": None}])


async def test_the_pieces_come_as_they_came(site: Site, db: sqlite3.Connection) -> None:
    chunks = [
        delta("Let "),
        delta("me "),
        tool(0, name="Read", arguments=""),
        tool(0, arguments='{"path":'),
        tool(0, arguments='"a"}'),
    ]
    answer = [(100.0 * n + 50, chunk) for n, chunk in enumerate(chunks)]
    first = Talk(db).say([user("look")], "Let me ", [call("c0", "Read", path="a")], answer=answer)
    found = (await site.get(f"/-/sessions/{first}/replay/{first}")).json()
    assert found["pieces"] == [
        [50, "text", "Let "],
        [150, "text", "me "],
        [250, "tool", "Read"],
        [350, "arguments", '{"path":'],
        [450, "arguments", '"a"}'],
    ]
    assert found["as_it_came"] and found["error"] is None
    assert found["asked"] == [{"role": "user", "kind": "text", "name": None, "text": "look"}]


async def test_pieces_that_come_together_are_one(site: Site, db: sqlite3.Connection) -> None:
    answer = [(100 + n, chunk) for n, chunk in enumerate(stream("a", "b", "c"))]
    first = Talk(db).say([user("look")], "abc", answer=answer)
    found = (await site.get(f"/-/sessions/{first}/replay/{first}")).json()
    assert found["pieces"] == [[101, "text", "abc"]]


async def test_an_answer_of_which_only_the_words_are_left(site: Site, db: sqlite3.Connection) -> None:
    talk = Talk(db)
    calls = [call("c", "Read", path="a")]
    first = talk.say([user("look")], "I will.", calls, reasoning="hmm")
    second = talk.say(
        [user("look"), assistant("I will.", calls), result("c", "text of a")],
        "",
        state="error",
        error_type="cut",
    )
    found = (await site.get(f"/-/sessions/{first}/replay/{first}")).json()
    assert found["pieces"] == [[1000, "reasoning", "hmm"], [1000, "text", "I will."], [1000, "tool", "Read"]]
    assert not found["as_it_came"]
    found = (await site.get(f"/-/sessions/{first}/replay/{second}")).json()
    assert found["asked"][0]["kind"] == "tool_result" and found["error"] == "cut"


async def test_only_calls_of_the_session(site: Site, db: sqlite3.Connection) -> None:
    talk = Talk(db)
    first, other = talk.say([user("one of them")]), talk.say([user("another thing")])
    assert (await site.get(f"/-/sessions/{first}/replay/{other}")).status_code == 404


async def test_the_page_holds_the_timeline(site: Site, db: sqlite3.Connection) -> None:
    talk = Talk(db)
    first = talk.say(
        [user("</script><script>alert(1)</script>")], model="</script>", response_model="</script>"
    )
    page = (await site.get(f"/-/sessions/{first}/replay")).text
    data = re.search(r'<script type="application/json" id="timeline">(.*?)</script>', page)
    assert data is not None
    assert json.loads(data[1])["turns"] == [[first, 1, 1_790_000_000_000, 1000, "</script>", "complete"]]
    pending = talk.say([user("nothing yet")], state="pending")
    assert "Nothing to replay yet" in (await site.get(f"/-/sessions/{pending}/replay")).text


async def test_a_long_answer_is_cut(site: Site, db: sqlite3.Connection, monkeypatch) -> None:
    monkeypatch.setattr(replay, "MOST_CHARACTERS", 10)
    answer = [(100.0 * n, delta("word ")) for n in range(50)]
    first = Talk(db).say([user("look")], "word " * 50, answer=answer)
    found = (await site.get(f"/-/sessions/{first}/replay/{first}")).json()
    assert 10 <= sum(len(text) for _, _, text in found["pieces"]) <= 20
