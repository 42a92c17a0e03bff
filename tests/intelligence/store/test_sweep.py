import json
from contextlib import closing

import pytest

from intelligence.store import sweep
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.tree_rows import body as request_body
from tests.intelligence.store.test_keeping import drained
from tests.intelligence.store.traffic import call, rows, stream


def chat(*texts):
    roles = ("user", "assistant")
    messages = [{"role": roles[n % 2], "content": text} for n, text in enumerate(texts)]
    return json.dumps(
        {"model": "m", "messages": [{"role": "system", "content": "be brief"}, *messages]}
    ).encode()


BODIES = [chat("a"), chat("a", "b", "c"), chat("a", "b", "other"), chat("a", "b", "c", "d", "e")]


@pytest.fixture
def db(tmp_path):
    journal = JournalWriter(tmp_path / "journal")
    for body in BODIES:
        call(journal, stream("x"), body=body)
    journal.close()
    drained(tmp_path)
    with closing(open_database(tmp_path / "traffic.db")) as found:
        yield found


def texts(db):
    return sorted(row["text"] for row in rows(db, "select text from messages"))


def release(db, *seqs):
    db.execute("begin")
    sweep.release(db, seqs)
    db.execute("commit")


def test_what_a_longer_conversation_holds_stays(db):
    release(db, 1, 2)
    assert [json.loads(request_body(db, seq) or b"null") for seq in (3, 4)] == [
        json.loads(b) for b in BODIES[2:]
    ]
    assert texts(db) == ["a", "b", "be brief", "c", "d", "e", "other"]
    assert request_body(db, 1) is None


def test_a_branch_goes_up_to_where_another_leaves_it(db):
    release(db, 4)
    assert texts(db) == ["a", "b", "be brief", "c", "other"]
    release(db, 2)
    assert texts(db) == ["a", "b", "be brief", "other"]


@pytest.mark.parametrize("order", [(1, 2, 3, 4), (4, 3, 2, 1), (2, 4, 1, 3)])
def test_with_the_last_all_goes(db, order):
    for seq in order:
        release(db, seq)
    for table in ("messages", "nodes", "envelopes", "envelope_parts"):
        assert rows(db, f"select * from {table}") == []


def test_a_session_goes_with_its_last_request(db):
    sessions = [row["session"] for row in rows(db, "select distinct session from turns")]
    sweep.sessions(db, sessions)
    assert len(rows(db, "select * from sessions")) == len(sessions)
    db.execute("delete from requests")
    sweep.sessions(db, sessions)
    assert rows(db, "select * from sessions") == []
