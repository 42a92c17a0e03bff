"""Forgetting, alone and with a proxy that goes on writing."""

import json
from contextlib import closing

import pytest

from intelligence.config import Store
from intelligence.store.check import check
from intelligence.store.drain import Drain
from intelligence.store.ids import uuid7
from intelligence.store.journal import EndHead, Kind, ResponseHead
from intelligence.store.journal_reader import SegmentReader, segments
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.perform import perform
from tests.intelligence.store.test_keeping import drained, stored
from tests.intelligence.store.traffic import SSE, call, prompt, request_head, rows, stream

CANARY = b"xqjzcanarykvw"
WORD = CANARY.decode()


@pytest.fixture
def journal(tmp_path):
    writer = JournalWriter(tmp_path / "journal")
    yield writer
    writer.close()


def forget(tmp_path, what, name):
    report = perform(Store(dir=tmp_path), "forget", {"what": what, "name": name, "backups": False})
    assert [f"{f.name}: {f.problem}" for f in check(tmp_path) if f.problem] == []
    return report


def holding(tmp_path):
    return [p.name for p in tmp_path.rglob("*") if p.is_file() and CANARY in p.read_bytes()]


def test_a_proxy_that_writes_on_finds_its_segment_sound(tmp_path, journal):
    call(journal, stream("kept"), body=prompt("kept"), head=request_head(user="bob"))
    call(journal, stream(WORD), body=prompt(WORD), head=request_head(user="ann"))
    call(journal, stream("more"), body=prompt("more"), head=request_head(user="bob"))
    drained(tmp_path)
    assert any(name.endswith(".seg") for name in holding(tmp_path))
    assert forget(tmp_path, "user", "ann")["calls"] == 1
    assert holding(tmp_path) == []
    call(journal, stream("last"), body=prompt("last"), head=request_head(user="bob"))
    (segment,) = segments(tmp_path / "journal")
    with closing(SegmentReader(segment)) as reader:
        frames = list(reader.frames(over=True))
    assert all(frame.skipped == 0 for frame in frames)
    assert [f.kind for f in frames].count(Kind.REQUEST) == 3
    drained(tmp_path)
    assert sorted(row["text"] for row in stored(tmp_path).values()) == ["kept", "last", "more"]


def test_what_the_journal_holds_is_stored_first(tmp_path, journal):
    call(journal, stream(WORD), body=prompt(WORD), head=request_head(user="ann"))
    assert forget(tmp_path, "user", "ann")["calls"] == 1
    assert holding(tmp_path) == []


def test_a_call_that_goes_on_is_not_stored_any_further(tmp_path, journal):
    raw = uuid7()
    journal.request(raw, request_head(user="ann"), prompt(WORD))
    journal.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE))
    drained(tmp_path)
    report = forget(tmp_path, "user", "ann")
    assert (report["calls"], report["going_on"]) == (1, 1)
    assert holding(tmp_path) == []
    for chunk in stream(WORD):
        journal.chunk(raw, chunk)
    journal.end(raw, EndHead("complete"))
    drained(tmp_path)
    assert stored(tmp_path) == {}
    journal.close()
    drained(tmp_path)
    assert holding(tmp_path) == []
    with (
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        drain.abandon()
        assert rows(db, "select * from forgotten") == []


def test_what_others_share_stays_and_sums_are_theirs(tmp_path, journal):
    shared = json.dumps(
        {
            "model": "gpt-4o",
            "messages": [{"role": "system", "content": "shared"}, {"role": "user", "content": "hi"}],
        }
    ).encode()
    for user in ("ann", "bob"):
        call(journal, stream("answer"), body=shared, head=request_head(user=user))
    drained(tmp_path)
    forget(tmp_path, "user", "ann")
    with closing(open_database(tmp_path / "traffic.db")) as db:
        assert db.execute("select sum(requests), sum(output_tokens) from rollup_hourly").fetchone() == (1, 1)
        assert {row["user"] for row in rows(db, "select user from rollup_hourly")} == {"bob"}
        assert [row["kind"] for row in rows(db, "select kind from messages order by kind")] == [
            "message",
            "system",
        ]
        assert rows(db, "select user from sessions") == [{"user": "bob"}]


def test_nothing_but_the_session_goes(tmp_path, journal):
    first = call(journal, stream(WORD), body=prompt(WORD))
    call(journal, stream("kept"), body=prompt("kept"))
    drained(tmp_path)
    session = stored(tmp_path)[first]["session_id"]
    assert forget(tmp_path, "session", session)["calls"] == 1
    assert holding(tmp_path) == []
    assert [row["text"] for row in stored(tmp_path).values()] == ["kept"]


def test_nobody_of_that_name(tmp_path, journal):
    call(journal, stream("kept"), body=prompt("kept"))
    assert forget(tmp_path, "user", "nobody")["calls"] == 0
    assert len(stored(tmp_path)) == 1
