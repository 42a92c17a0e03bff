import json
from contextlib import closing

import pytest
import sqlite_utils
from hypothesis import given
from hypothesis import strategies as st

from intelligence.store import search
from intelligence.store.drain import Drain
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import migrations, open_database
from intelligence.store.pricing import Prices
from intelligence.store.reading import backlog, read_some
from intelligence.store.search import CLOSE, OPEN, TEXT_CHARS, find, match
from tests.intelligence.store.traffic import call, request_head, rows, stream


def chat(*texts: str) -> bytes:
    messages = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
    return json.dumps({"model": "gpt-4o", "messages": messages}).encode()


@pytest.fixture
def said(tmp_path):
    """Records conversations `(texts…) -> answer` and reads them."""
    with (
        closing(JournalWriter(tmp_path / "journal")) as journal,
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):

        def say(*texts: str, answer: str = "well") -> str:
            call_id = call(journal, stream(answer), body=chat(*texts))
            drain.step()
            while read_some(db, Prices()):
                pass
            return call_id

        yield db, say


def ids(db, words: str) -> list[str]:
    return [row["call_id"] for row in find(db, words)]


def test_what_is_new_and_what_is_answered_is_found_once(said):
    db, say = said
    first = say("Where is the giraffe?", answer="In Nairobi")
    second = say("Where is the giraffe?", "In Nairobi", "And the okapi?", answer="Epulu")
    assert ids(db, "giraffe") == ids(db, "nairobi") == [first]
    assert ids(db, "okapi") == ids(db, "EPULU") == [second]
    (found,) = find(db, "giraffe")
    assert found["role"] == "user" and f"{OPEN}giraffe{CLOSE}" in found["snippet"]
    assert found["model"] == "gpt-4o"


def test_each_role_has_its_row_and_a_system_prompt_only_one(said, tmp_path):
    db, _ = said
    tool = {"role": "tool", "tool_call_id": "t", "content": "the quagga ran"}
    system = {"role": "system", "content": "You are terse as a quagga."}
    user = {"role": "user", "content": "a quagga?"}
    asked = {
        "role": "assistant",
        "content": "quagga",
        "tool_calls": [{"id": "t", "function": {"name": "look"}}],
    }
    with (
        closing(JournalWriter(tmp_path / "journal")) as journal,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        for messages in (
            [system, user],
            [system, user, asked, tool],
            [system, {"role": "user", "content": "other"}],
        ):
            call(journal, stream("quagga"), body=json.dumps({"model": "m", "messages": messages}).encode())
        for _ in range(2):
            body = {"model": "m", "system": "A numbat too.", "messages": [{"role": "user", "content": "hi"}]}
            head = request_head(provider="anthropic", format="anthropic-messages", operation="chat")
            call(journal, stream("x"), head=head, body=json.dumps(body).encode())
        drain.step()
        while read_some(db, Prices()):
            pass
    found = [(row["seq"], row["role"]) for row in find(db, "quagga")]
    assert found == [
        (3, "assistant"),
        (2, "assistant"),
        (2, "tool"),
        (1, "assistant"),
        (1, "user"),
        (1, "system"),
    ]
    assert [(row["seq"], row["role"]) for row in find(db, "numbat")] == [(4, "system")]


def test_newest_first_and_in_pages(said):
    db, say = said
    calls = [say(f"number {n} of the zebra") for n in range(5)]
    page = find(db, "zebra", limit=3)
    assert [row["call_id"] for row in page] == calls[:1:-1]
    rest = find(db, "zebra", limit=3, before_seq=page[-1]["seq"])
    assert [row["call_id"] for row in rest] == calls[1::-1]


def test_how_words_are_found(said):
    db, say = said
    one = say('edit read_file.py: "Café au lait" costs 5€ in über-modern places')
    for words in (
        "cafe LAIT", '"au lait"', "read_file.py", "über-modern", "mod*", "read_file*", 'lait "costs 5"', '"au lait',
    ):  # fmt: skip
        assert ids(db, words) == [one], words
    for words in ("", "  ", "-", '"', "*", "lait NOT here", '"lait au"', "mod", "places café tea"):
        assert ids(db, words) == [], words


@given(st.text(max_size=40))
def test_any_words_are_borne(words):
    wanted = match(words)
    if wanted is not None:
        with closing(__import__("sqlite3").connect(":memory:")) as db:
            db.execute("create virtual table t using fts5 (text)")
            db.execute("select * from t where t match ?", (wanted,)).fetchall()


def test_texts_go_with_their_call(said):
    db, say = said
    say("the heron")
    db.execute("delete from requests")
    assert ids(db, "heron") == [] and rows(db, "select * from search_texts") == []
    db.execute("insert into search_texts_fts (search_texts_fts, rank) values ('integrity-check', 1)")


def test_long_texts_are_cut(said):
    db, say = said
    one = say("begin " + "x " * TEXT_CHARS + "end", answer="\ud83d")
    assert ids(db, "begin") == [one] and ids(db, "end") == []
    assert max(row["n"] for row in rows(db, "select length(text) as n from search_texts")) == TEXT_CHARS


def test_calls_of_tools_are_found():
    calls = json.dumps([{"id": "1", "name": "bash", "arguments": '{"command": "ls /tmp"}'}])
    (row,) = search.rows(4, search.Request(), "", calls)
    assert row[:3] == (19, 4, "assistant") and "bash" in row[3] and "/tmp" in row[3]


def test_the_queue_is_the_backlog(tmp_path):
    with (
        closing(JournalWriter(tmp_path / "journal")) as journal,
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        for n in range(5):
            call(journal, stream("a"), body=chat(f"otter {n}"))
        drain.step()
        assert backlog(db) == 5 and ids(db, "otter") == []
        assert read_some(db, Prices(), calls=2) == 2
        assert backlog(db) == 3
        assert [row["snippet"][-1] for row in find(db, "otter")] == ["4", "3"]  # the newest first
        assert read_some(db, Prices(), seconds=0) == 1
        assert read_some(db, Prices()) == 2 and read_some(db, Prices()) == 0
        assert backlog(db) == 0 and len(find(db, "otter")) == 5


def test_texts_of_before_roles_were_told_apart_are_read_again():
    db = sqlite_utils.Database(memory=True)
    migrations.apply(db, stop_before="m040_search")
    for seq, (state, pruned) in enumerate(
        [("complete", None), ("pending", None), ("error", "content"), ("error", "raw")], 1
    ):
        db.execute(
            "insert into requests (seq, id, run, state, started_at, websocket, body_redacted, truncated, pruned)"
            " values (?, ?, 'r', ?, 0, 0, 0, 0, ?)",
            (seq, f"call-{seq}", state, pruned),
        )
    db.execute("insert into search_texts values (2, 1, 'prompt', 'the heron')")
    db.execute("insert into to_read values (4, 0)")
    migrations.apply(db)
    assert db.execute("select request, settled from to_read order by 1").fetchall() == [(1, 1), (4, 0)]
    assert db.execute(
        "select count(*) from search_texts_fts where search_texts_fts match 'heron'"
    ).fetchone() == (0,)
    db.execute("insert into search_texts values (5, 1, 'user', 'the heron')")
    assert db.execute(
        "select rowid from search_texts_fts where search_texts_fts match 'heron'"
    ).fetchall() == [(5,)]
    db.execute("delete from search_texts")
    assert (
        db.execute("select rowid from search_texts_fts where search_texts_fts match 'heron'").fetchall() == []
    )
