from __future__ import annotations

import sqlite3

from datasette_plugins.compare import Line, compare
from intelligence.wire.request import Message, Part, Request, Tool
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site


def said(*words: str, system: str = "Be brief.", **more: object) -> Request:
    return Request(
        system=[Part("text", system)], messages=[Message("user", [Part("text", w)]) for w in words], **more
    )  # type: ignore[arg-type]


def test_messages_added() -> None:
    changes = compare("p", said("a"), said("a", "b", "c"))
    assert (changes.kept, changes.added, changes.removed, changes.first_new) == (1, 2, 0, 1)
    assert changes.nothing_else


def test_an_edit() -> None:
    changes = compare("p", said("a", "b", "c"), said("a", "x"))
    assert (changes.kept, changes.added, changes.removed) == (1, 1, 2)
    assert not changes.nothing_else


def test_all_that_can_change() -> None:
    was = said(
        "a", system="One.\nTwo.", model="m", tools=[Tool("A"), Tool("B", "b")], parameters={"temperature": 1}
    )
    now = said(
        "a", system="One.\n2.", model="n", tools=[Tool("B", "c"), Tool("C")], parameters={"top_p": 0.5}
    )
    changes = compare("p", was, now)
    assert (changes.tools_added, changes.tools_removed, changes.tools_changed) == (["C"], ["A"], ["B"])
    assert changes.parameters == [("temperature", "1", "not set"), ("top_p", "not set", "0.5")]
    assert changes.model == ("m", "n")
    assert changes.system == [Line(" ", "One."), Line("-", "Two."), Line("+", "2.")]


def test_a_text_too_long_to_compare() -> None:
    changes = compare("p", said(system="x" * 90_000), said(system="y" * 90_000))
    assert changes.system_changed and changes.system == []


async def test_the_page_finds_the_request_before(site: Site, db: sqlite3.Connection) -> None:
    def body(*words: str) -> dict[str, object]:
        return {"model": "gpt-5", "messages": [{"role": "user", "content": w} for w in words]}

    first = records.add_call(db, request=body("one"))
    stranger = records.add_call(db, request=body("other"))
    second = records.add_call(db, request=body("one", "two"))
    db.execute("update requests set conversation_key = 'k' where id in (?, ?)", (first, second))
    page = (await site.get(f"/-/calls/{second}")).text
    assert "Since the request before" in page and "+1 message," in page and f"/-/calls/{first}" in page
    for alone in (first, stranger):
        assert "Since the request before" not in (await site.get(f"/-/calls/{alone}")).text
