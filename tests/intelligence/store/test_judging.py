from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from intelligence.policy import handed
from intelligence.policy.load import load
from intelligence.store.drain import Drain
from intelligence.store.journal import DecisionHead, GovernHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.judging import Judge, answer_places
from intelligence.store.migrations import open_database
from intelligence.store.pricing import Prices
from intelligence.store.reading import read_some
from tests.intelligence.store.traffic import call, prompt, rows, stream

RULES = """
rules:
  - {id: told, action: alert, when: {text: {matches: hello}}}
  - {id: said, action: alert, when: {direction: response, text: {matches: world}}}
  - {id: shadow, mode: shadow, action: block, when: {text: {matches: hello}}}
  - {id: acts, action: block, when: {text: {matches: hello}}}
  - {id: head, action: alert, when: {model: gpt*}}
  - {id: after, action: alert, when: {text: {matches: hello}}}
"""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Any]:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text(RULES)
    with (
        closing(JournalWriter(tmp_path / "journal")) as journal,
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        yield tmp_path, journal, db, drain


def _told(db: Any) -> list[tuple[str, str, str, int]]:
    return [
        (row["direction"], row["rule"], row["action"], row["acted"])
        for row in rows(db, "select direction, rule, action, acted from decisions order by id")
    ]


def test_rules_that_only_tell_and_look_at_texts_are_asked_here(place: Any) -> None:
    folder, journal, db, drain = place
    handed.hand_over(folder, load(folder / "policies"))
    call(journal, stream("the ", "world"), body=prompt("hello"))
    drain.step()
    read_some(db, Prices(), judge=Judge(folder, bytes(32)))
    assert _told(db) == [
        ("request", "told", "alert", 1),
        ("request", "shadow", "block", 0),
        ("request", "after", "alert", 1),
        ("response", "said", "alert", 1),
    ]
    assert rows(db, "select decision from calls") == [{"decision": "alert"}]


def test_what_the_proxy_ended_is_not_asked_after(place: Any) -> None:
    folder, journal, db, drain = place
    handed.hand_over(folder, load(folder / "policies"))
    call(journal, stream("x"), body=prompt("hello"))
    drain.step()
    from intelligence.store import governing

    blocked = GovernHead("v", "request", [DecisionHead("acts", "block", "enforce", True, "")])
    governing.store(db, [governing.Governed(1, 0, blocked)])
    read_some(db, Prices(), judge=Judge(folder, bytes(32)))
    assert [rule for _, rule, *_ in _told(db)] == ["acts", "told", "shadow"]


def test_a_set_that_is_damaged_leaves_the_earlier_one(place: Any) -> None:
    folder, journal, db, drain = place
    handed.hand_over(folder, load(folder / "policies"))
    judge = Judge(folder, bytes(32))
    judge.refresh()
    (folder / "policy" / "current.json").write_text("{")
    call(journal, stream("x"), body=prompt("hello"))
    drain.step()
    read_some(db, Prices(), judge=judge)
    assert "told" in [rule for _, rule, *_ in _told(db)]


def test_without_a_set_nothing_is_told(place: Any) -> None:
    folder, journal, db, drain = place
    call(journal, stream("x"), body=prompt("hello"))
    drain.step()
    assert read_some(db, Prices(), judge=Judge(folder, bytes(32))) == 1
    assert _told(db) == []


def test_the_texts_of_an_answer() -> None:
    calls = json.dumps(
        [{"id": "c", "name": "run", "arguments": '{"a": 1}'}, {"name": "x", "arguments": {"b": 2}}]
    )
    places = answer_places("done", calls)
    assert [(one.pointer, one.source, one.text) for one in places] == [
        ("/text", "assistant", "done"),
        ("/tool_calls/0/arguments", "tool_call", '{"a": 1}'),
        ("/tool_calls/1/arguments", "tool_call", '{"b": 2}'),
    ]
    assert answer_places(None, None) == []
