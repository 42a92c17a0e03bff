from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from datasette_plugins import session_record, session_words
from datasette_plugins.session_words import Words
from datasette_plugins.traffic import connect
from tests.datasette_plugins.session_records import Talk, assistant, call, coding, result, user


def said(data_dir: Path, session_id: str, start: int = 0, stop: int = 50) -> list[Words]:
    db = connect(data_dir / "traffic.db")
    found = session_record.read(db, session_id)
    assert found is not None
    return session_words.blocks(session_words.read(db, found.turns, found.turns[start:stop]))


def test_results_stand_with_their_calls(db: sqlite3.Connection, data_dir: Path) -> None:
    ids = coding(Talk(db), 3)
    first, second, last = said(data_dir, ids[0])
    assert [b.text for b in first.asked] == ["Fix the failing test in the parser"]
    assert [(b.kind, b.name) for b in first.answer] == [
        ("text", ""),
        ("tool_call", "Read"),
        ("tool_call", "Bash"),
    ]
    assert first.answer[1].text == "file_path: /src/parser_0.py"
    (read,) = first.answer[1].results
    assert read.label == "result after 1 s" and "def parse_0" in read.text and read.folded
    assert (second.results, second.asked) == (2, [])
    assert last.answer[0].html is not None and "<strong>lexer</strong>" in last.answer[0].html


def test_a_result_of_the_next_page_is_there_and_one_of_the_page_before_is_shown(
    db: sqlite3.Connection, data_dir: Path
) -> None:
    ids = coding(Talk(db), 4)
    (first,) = said(data_dir, ids[0], 0, 1)
    assert all(b.results for b in first.answer if b.kind == "tool_call")
    second, _ = said(data_dir, ids[0], 1, 3)
    assert [b.kind for b in second.asked] == ["tool_result", "tool_result"] and second.results == 0


def test_an_edit_does_not_take_the_results_of_another_branch(db: sqlite3.Connection, data_dir: Path) -> None:
    talk = Talk(db)
    calls = [call("c", "Read", path="a")]
    first = talk.say([user("q")], "", calls)
    history = [user("q"), assistant("", calls)]
    talk.say([*history, result("c", "first result")], "A")
    talk.say([*history, result("c", "second result")], "B")
    one, two, three = said(data_dir, first)
    assert [r.text for r in one.answer[0].results] == ["first result"]
    assert (two.results, two.asked) == (1, [])
    assert [b.text for b in three.asked] == ["second result"]


def test_calls_without_ids_get_results_by_name(db: sqlite3.Connection, data_dir: Path) -> None:
    talk = Talk(db, {"format": "gemini", "operation": "generate_content"})
    calls = [{"id": None, "name": name, "arguments": "{}"} for name in ("ls", "cat")]
    ask = {"role": "user", "parts": [{"text": "hello there, list it"}]}
    first = talk.tell({"contents": [ask]}, "", calls)
    answer = {"role": "model", "parts": [{"functionCall": {"name": c["name"], "args": {}}} for c in calls]}
    back = [{"functionResponse": {"name": n, "response": {"out": n}}} for n in ("cat", "ls")]
    talk.tell({"contents": [ask, answer, {"role": "user", "parts": back}]}, "ok", [])
    words = said(data_dir, first)
    assert [b.results[0].text for b in words[0].answer] == ['{\n  "out": "ls"\n}', '{\n  "out": "cat"\n}']


def test_long_texts_are_cut_and_a_page_has_a_budget(
    db: sqlite3.Connection, data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_words, "BUDGET", 40_000)
    talk = Talk(db)
    messages = [user("q" * 9_000)]
    first = talk.say(messages, "a" * 9_000)
    for n in range(7):
        messages = [*messages, assistant("a" * 9_000), user(f"{n} " + "q" * 9_000)]
        talk.say(messages, "a" * 9_000)
    words = said(data_dir, first)
    longest = session_words.LONGEST["text"]
    assert len(words[0].asked[0].text) == longest and words[0].asked[0].missing == 9_000 - longest
    shown = sum(len(b.text) for w in words for b in [*w.asked, *w.answer])
    assert shown <= 40_000 + 16 * session_words.SHORTEST
    assert all(len(w.asked[0].text) >= session_words.SHORTEST for w in words)


def test_of_many_branches_the_first_bring_results(db: sqlite3.Connection, data_dir: Path) -> None:
    talk = Talk(db)
    calls = [call("c", "Read", path="a")]
    first = talk.say([user("q")], "", calls)
    for n in range(session_words.MOST_CHILDREN + 3):
        talk.say([user("q"), assistant("", calls), result("c", f"result {n}")], f"answer {n}")
    words = said(data_dir, first)
    assert [r.text for r in words[0].answer[0].results] == ["result 0"]
    assert [b.text for b in words[-1].asked] == [f"result {session_words.MOST_CHILDREN + 2}"]


def test_a_failed_call_and_one_that_runs(db: sqlite3.Connection, data_dir: Path) -> None:
    talk = Talk(db)
    first = talk.say([user("q")], "", state="error", error_type="overloaded", error_message="later")
    talk.say([user("q")], state="pending")
    failed, runs = said(data_dir, first)
    assert failed.error == ("overloaded", "later") and failed.answer == []
    assert runs.answer == [] and runs.error is None
