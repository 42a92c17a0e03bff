from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.rewrite.apply import apply
from intelligence.rewrite.edits import Edit, Rewrite
from intelligence.store import governing, queries
from intelligence.store.drain import Drain
from intelligence.store.governing import WEIGHTS, Governed
from intelligence.store.ids import id_text, uuid7
from intelligence.store.journal import DecisionHead, DetectionHead, EndHead, GovernHead, RewriteHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from tests.intelligence.rewrite.bodies import TEXTS, spelled
from tests.intelligence.store.traffic import one_call, request_head, rows


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with one_call(tmp_path) as db:
        yield db


def _decided(action: str, acted: bool = True) -> DecisionHead:
    return DecisionHead("r", action, "enforce" if acted else "shadow", acted, "why")


def test_what_was_said_becomes_rows(db: sqlite3.Connection) -> None:
    seen = DetectionHead("secret", "token", 0.9, "/messages/0/content", 3, 9, "user", "d1", "r")
    changed = RewriteHead("r", "why", "/messages/0/content", None, "REDACTED")
    head = GovernHead("v1", "request", [_decided("redact")], [seen], [changed], [(1, 9, b"secret")])
    governing.store(db, [Governed(1, 5000, head)])
    (decision,) = rows(db, "select * from decisions")
    assert (decision["rule"], decision["action"], decision["acted"], decision["policy"]) == (
        "r",
        "redact",
        1,
        "v1",
    )
    (detection,) = rows(db, "select * from detections")
    assert (detection["at"], detection["start"], detection["digest"]) == (5000, 3, "d1")
    (rewrite,) = rows(db, "select * from rewrites")
    assert (rewrite["before"], rewrite["after"]) == (None, "REDACTED")
    assert len(rows(db, "select * from originals")) == 1
    assert rows(db, "select decision from calls") == [{"decision": "redact"}]


class Recorded:
    """Requests on their way through journal and worker into the message tree."""

    def __init__(self, folder: Path) -> None:
        self.journal = JournalWriter(folder / "journal")
        self.db = open_database(folder / "traffic.db")
        self.drain = Drain(self.db, folder / "journal")

    def close(self) -> None:
        self.journal.close()
        self.drain.close()
        self.db.close()

    def rewritten(self, body: bytes, edits: list[Edit]) -> tuple[bytes, bytes | None]:
        """What was sent, and the original as the record tells it."""
        done = apply(body, [Rewrite("r", "", edits)])
        assert not done.refused
        raw = uuid7()
        undo = [(one.start, one.end, one.original) for one in done.splices]
        self.journal.request(raw, request_head(), done.body)
        self.journal.govern(raw, GovernHead("v", "request", [_decided("redact")], undo=undo))
        self.journal.end(raw, EndHead("complete"))
        while self.drain.step():
            pass
        (seq,) = self.db.execute("select seq from requests where id = ?", (id_text(raw),)).fetchone()
        stored = queries.body(self.db, seq, "request", [], 1 << 30)
        return done.body, governing.original(self.db, seq, stored)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    with closing(Recorded(tmp_path_factory.mktemp("originals"))) as made:
        yield made


LONG = "a long text, so that it is a part of its own. " * 9


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=4), st.data())
def test_the_original_is_rebuilt_exactly_or_not_at_all(
    recorded: Recorded, texts: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """Of a body put together again from the message tree: with its bytes, if these are the ones that were sent."""
    messages = [{"role": "user", "content": text + LONG * long} for text, long in texts]
    body = data.draw(spelled({"model": "m", "messages": messages}))
    edits = [
        Edit(f"/messages/{n}/content", len(one["content"]) // 3, len(one["content"]) // 2, "[gone]")
        for n, one in enumerate(messages)
    ]
    _, came = recorded.rewritten(body, edits)
    assert came in (body, None)


def test_the_first_spelling_of_a_message_is_rebuilt_exactly_and_another_is_not_guessed(
    tmp_path: Path,
) -> None:
    with closing(Recorded(tmp_path)) as here:
        edit = [Edit("/messages/0/content", 0, 3, "[gone]")]
        first = b'{"model": "m", "n":1.50,\n "messages":[{"role":"user", "content":"key\\u0020is here"}]}'
        assert here.rewritten(first, edit)[1] == first
        assert here.rewritten(first, edit)[1] == first
        assert queries.is_in_tree(here.db, 2)
        # The same message in other letters: the tree has it in those that came first.
        assert here.rewritten(first.replace(b"\\u0020", b" "), edit)[1] is None
        assert here.rewritten(first, [])[1] is None  # nothing was changed


@given(st.lists(st.tuples(st.sampled_from(WEIGHTS), st.booleans()), max_size=8))
def test_the_weightiest_that_was_done_stands_in_lists(said: list[tuple[str, bool]]) -> None:
    """However many heads it came in, in whatever order."""
    with closing(sqlite3.connect(":memory:")) as db:
        db.executescript("""
            create table requests (seq integer primary key, decision text);
            create table decisions (request, at, direction, rule, action, mode, acted, reason, failed, policy);
            create table detections (request, at, direction, kind, type, score, pointer, start, "end", source, digest, rule);
            create table rewrites (request, at, direction, rule, reason, pointer, before, after);
            insert into requests values (1, null)""")
        heads = [GovernHead("v", "request", [_decided(*one)]) for one in said]
        governing.store(db, [Governed(1, 0, head) for head in heads])
        acted = [action for action, acts in said if acts]
        expected = max(acted, key=WEIGHTS.index, default=None)
        assert db.execute("select decision from requests").fetchone() == (expected,)
        assert governing.done(heads) == expected
