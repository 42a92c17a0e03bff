from contextlib import closing

import pytest

from intelligence.store.added import MAX_MESSAGE, added
from intelligence.store.migrations import open_database
from tests.datasette_plugins import records
from tests.datasette_plugins.session_records import Talk, assistant, call, result, user


@pytest.fixture
def db(tmp_path):
    with closing(open_database(tmp_path / "traffic.db")) as connection:
        yield connection


def told(db, call_id, **more):
    (seq,) = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
    return added(db, seq, **more)


def words(found):
    return [(m.role, p.type, p.text) for m in found.messages for p in m.parts]


def test_what_stands_after_the_last_answer(db):
    talk = Talk(db)
    calls = [call("c1", "Read", path="a")]
    first = talk.say([user("hello")], "", calls)
    history = [user("hello"), assistant("", calls), result("c1", "the file"), user("and?")]
    second = talk.say(history, "done")
    assert words(told(db, first)) == [("user", "text", "hello")]
    assert words(told(db, second)) == [("tool", "tool_result", "the file"), ("user", "text", "and?")]


def test_at_most_so_many_the_last_ones(db):
    call_id = Talk(db).say([user(f"{n}") for n in range(9)])
    found = told(db, call_id, most=3)
    assert [text for _, _, text in words(found)] == ["6", "7", "8"] and found.more
    assert not told(db, call_id, most=9).more


def test_of_a_huge_message_the_words(db):
    call_id = Talk(db).say([user("x" * (MAX_MESSAGE + 1))])
    ((role, kind, text),) = words(told(db, call_id))
    assert (role, kind) == ("user", "text") and 0 < len(text) <= 20_000


@pytest.mark.parametrize(
    ("format", "body"),
    [
        ("anthropic-messages", {"messages": [{"role": "user", "content": "hi"}]}),
        ("gemini", {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}),
        ("openai-responses", {"input": [{"role": "user", "content": "hi"}]}),
        ("openai-responses", {"input": "hi"}),
    ],
)
def test_in_every_shape(db, format, body):
    talk = Talk(db)
    call_id = talk.tell(body, "ok", [], format=format, operation="responses" if "input" in body else "chat")
    assert words(told(db, call_id)) == [("user", "text", "hi")]


def test_a_body_that_is_not_in_the_tree_is_read(db):
    body = {"model": "m", "messages": [user("a"), assistant("b"), user("c")]}
    assert words(told(db, records.add_call(db, request=body))) == [("user", "text", "c")]
    assert told(db, records.add_call(db, request=b"no json")).messages == []


def test_what_retention_took_is_missing(db):
    call_id = records.add_call(db)
    db.execute("update requests set pruned = 'content'")
    found = told(db, call_id)
    assert found.messages == [] and found.more
    assert added(db, 999).messages == []
