from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.store import governing
from intelligence.store.drain import Drain
from intelligence.store.governing import WEIGHTS, Governed
from intelligence.store.journal import DecisionHead, DetectionHead, GovernHead, RewriteHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from tests.intelligence.store.traffic import call, prompt, rows, stream


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with (
        closing(JournalWriter(tmp_path / "journal")) as journal,
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        call(journal, stream("a"), body=prompt("x"))
        drain.step()
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
    assert governing.undo_of(db, 1) == [(1, 9, b"secret")]
    assert governing.undo_of(db, 2) == []
    assert rows(db, "select decision from calls") == [{"decision": "redact"}]


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
