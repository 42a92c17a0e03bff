import fcntl
import gzip
import os
import random
import shutil
import sqlite3
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intelligence.store import bodies as bodies_module
from intelligence.store import calls as calls_module
from intelligence.store import drain as drain_module
from intelligence.store import migrations as migrations_module
from intelligence.store.batch import Batch
from intelligence.store.drain import Drain
from intelligence.store.ids import id_text, uuid7
from intelligence.store.journal import EndHead, Kind, ResponseHead, RunHead
from intelligence.store.journal_reader import SegmentReader, segments
from intelligence.store.journal_writer import JournalWriter, frame_bytes
from intelligence.store.migrations import open_database
from tests.intelligence.store.traffic import (
    JSON,
    SSE,
    UPGRADED,
    arrivals,
    body,
    call,
    calls,
    event,
    everything,
    prompt,
    request_head,
    rows,
    segment_files,
    socket_head,
    stream,
    turn,
)


@pytest.fixture
def journal(tmp_path):
    writer = JournalWriter(tmp_path / "journal")
    yield writer
    writer.close()


@pytest.fixture
def db(tmp_path, journal):
    with closing(open_database(tmp_path / "traffic.db")) as connection:
        yield connection


def drain(db, tmp_path):
    with closing(Drain(db, tmp_path / "journal")) as d:
        while d.step():
            pass


def test_a_call_is_one_row(tmp_path, journal, db):
    chunks = stream("Hel", "lo")
    call_id = call(journal, chunks, body=prompt("hi"), end=EndHead("complete", connect_ms=1.5))
    drain(db, tmp_path)
    (row,) = calls(db).values()
    expected = {
        "id": call_id,
        "provider": "openai",
        "operation": "chat",
        "host": "api.openai.com",
        "path": "/v1/chat/completions",
        "model": "gpt-4o",
        "response_model": "gpt-4o-2024",
        "stream": 1,
        "state": "complete",
        "status_code": 200,
        "finish_reason": "stop",
        "input_tokens": 7,
        "output_tokens": 2,
        "text": "Hello",
        "tool_calls": "[]",
        "chunks": len(chunks),
        "error_type": None,
        "client": "openai-python",
        "user": None,
        "cost_usd": 3.75e-05,
        "session_id": call_id,
    }
    assert {key: row[key] for key in expected} == expected
    assert 0 <= row["ttft_ms"] <= row["duration_ms"]
    assert body(db, call_id, "request") == prompt("hi")
    assert body(db, call_id, "response") == b"".join(chunks)
    came = arrivals(db, call_id)
    assert [p.data for p in came] == chunks
    assert [p.at_us for p in came] == sorted(p.at_us for p in came)
    assert row["ttft_ms"] == came[1].at_us / 1000  # the first chunk only names the role
    assert rows(db, "select connect_ms from responses") == [{"connect_ms": 1.5}]
    assert everything(db)["open"] == []


def test_what_the_proxy_did_not_read_is_read_from_the_body(tmp_path, journal, db):
    head = request_head(model=None, stream=None, headers=[("content-encoding", "gzip")])
    read = call(journal, stream("x"), head=head, body=gzip.compress(prompt("hi")))
    known = call(journal, stream("x"), head=request_head(model="other", stream=None), body=prompt("hi"))
    garbage = call(journal, stream("x"), head=head, body=b"\x1f\x8b garbage")
    drain(db, tmp_path)
    found = calls(db)
    assert (found[read]["model"], found[read]["stream"]) == ("gpt-4o", 1)
    assert (found[known]["model"], found[known]["stream"]) == ("other", 1)
    assert (found[garbage]["model"], found[garbage]["stream"]) == (None, None)
    assert body(db, read, "request") == prompt("hi")
    assert body(db, garbage, "request") == b"\x1f\x8b garbage"


def test_an_open_call_is_seen_at_once_and_its_answer_waits(tmp_path, journal, db):
    raw = uuid7()
    chunks = stream("one", "two")
    with closing(Drain(db, tmp_path / "journal")) as d:
        journal.request(raw, request_head(), prompt("hi"))
        d.step()
        assert calls(db)[id_text(raw)]["state"] == "pending"
        assert body(db, id_text(raw), "request") == prompt("hi")
        journal.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE))
        journal.chunk(raw, chunks[0])
        d.step()
        row = calls(db)[id_text(raw)]
        assert (row["state"], row["status_code"], row["tool_calls"]) == ("pending", 200, None)
        assert len(everything(db)["open"]) == 2
        for chunk in chunks[1:]:
            journal.chunk(raw, chunk)
        d.step()
        journal.end(raw, EndHead("complete"))
        d.step()
        assert d.stored == 1
    row = calls(db)[id_text(raw)]
    assert (row["state"], row["text"], row["chunks"]) == ("complete", "onetwo", len(chunks))
    assert [p.data for p in arrivals(db, id_text(raw))] == chunks
    assert everything(db)["open"] == []


@pytest.mark.parametrize(
    ("end", "done", "status", "state", "error_type"),
    [
        (EndHead("complete"), True, 200, "complete", None),
        (EndHead("client_left"), True, 200, "complete", None),
        (EndHead("client_left"), False, 200, "aborted", None),
        (EndHead("proxy_stopped"), False, 200, "interrupted", None),
        (EndHead("proxy_stopped"), True, 200, "complete", None),
        (EndHead("upstream_error", "connection reset"), False, 200, "error", "upstream_error"),
        (EndHead("complete"), False, 200, "error", "incomplete_answer"),
        (EndHead("blocked"), True, 403, "blocked", "403"),
    ],
)
def test_states(tmp_path, journal, db, end, done, status, state, error_type):
    call_id = call(journal, stream("par", "tial", done=done), end=end, status=status)
    drain(db, tmp_path)
    row = calls(db)[call_id]
    assert (row["state"], row["error_type"], row["text"]) == (state, error_type, "partial")


def test_errors_of_the_provider(tmp_path, journal, db):
    refused = call(
        journal,
        [b'{"error": {"message": "slow down", "type": "rate_limit_error"}}'],
        status=429,
        headers=JSON,
    )
    inside = call(
        journal,
        [*stream("a", done=False), b'data: {"error": {"message": "overloaded", "type": "server_error"}}\n\n'],
    )
    bare = call(journal, [b"<html>bad gateway</html>"], status=502, headers=[("content-type", "text/html")])
    unreachable = uuid7()
    journal.request(unreachable, request_head(), b"{}")
    journal.end(unreachable, EndHead("upstream_error", "Connection refused"))
    drain(db, tmp_path)
    found = calls(db)
    assert {i: found[i]["state"] for i in found} == dict.fromkeys(found, "error")
    assert (found[refused]["error_type"], found[refused]["error_message"]) == (
        "rate_limit_error",
        "slow down",
    )
    assert (found[inside]["error_message"], found[inside]["text"]) == ("overloaded", "a")
    assert found[bare]["error_type"] == "502"
    row = found[id_text(unreachable)]
    assert (row["status_code"], row["error_type"], row["error_message"]) == (
        None,
        "upstream_error",
        "Connection refused",
    )


def test_a_run_that_died_interrupts_its_calls(tmp_path, journal, db):
    other = JournalWriter(tmp_path / "journal")
    raw, alive = uuid7(), uuid7()
    other.request(raw, request_head(), b"{}")
    other.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE))
    for chunk in stream("so far", done=False):
        other.chunk(raw, chunk)
    journal.request(alive, request_head(), b"{}")
    with closing(Drain(db, tmp_path / "journal")) as d:
        d.step()
        assert {r["state"] for r in calls(db).values()} == {"pending"}
        duration_ms = (d._open[raw].last_us - d._open[raw].started_us) / 1000
    os.close(other._fd)  # as the end of the process does
    drain(db, tmp_path)
    found = calls(db)
    assert found[id_text(raw)]["duration_ms"] == duration_ms > 0
    assert (found[id_text(raw)]["state"], found[id_text(raw)]["text"]) == ("interrupted", "so far")
    assert found[id_text(alive)]["state"] == "pending"
    assert segment_files(tmp_path) == [f"{journal.run}-000001.seg"]


def test_a_torn_tail_is_the_end(tmp_path, db):
    other = JournalWriter(tmp_path / "journal")
    whole = call(other, stream("x"))
    raw = uuid7()
    other.request(raw, request_head(), b"{}")
    os.write(other._fd, other._marker + b"\x00\x00\x10\x00torn")
    os.close(other._fd)
    drain(db, tmp_path)
    assert {i: r["state"] for i, r in calls(db).items()} == {whole: "complete", id_text(raw): "interrupted"}
    assert len(segment_files(tmp_path)) == 1  # of the fixture


def test_a_damaged_stretch_is_told_and_passed_over(tmp_path, db):
    other = JournalWriter(tmp_path / "journal")
    first = call(other, stream("x"))
    second = call(other, stream("y"))
    other.close()
    path = next(p for p in segments(tmp_path / "journal") if p.name.startswith(other.run))
    with closing(SegmentReader(path)) as reader:
        frames = list(reader.frames())
    damaged = [f for f in frames if f.call_id == first][-3]
    with path.open("r+b") as f:
        f.seek(damaged.end - 3)
        f.write(b"\xff\xff")
    drain(db, tmp_path)
    found = calls(db)
    assert set(found) == {first, second}
    assert found[second]["state"] == "complete"
    assert rows(db, "select id, truncated from requests order by seq") == [
        {"id": first, "truncated": 1},
        {"id": second, "truncated": 0},
    ]
    (told,) = rows(db, "select kind, message from events")
    assert told["kind"] == "journal_damaged"


def test_what_could_not_be_written_is_told(tmp_path, journal, db, monkeypatch):
    raw, lost = uuid7(), uuid7()
    journal.request(raw, request_head(), b"{}")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as m:
        m.setattr(os, "writev", full)
        journal.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE))
        journal.request(lost, request_head(), b"{}")
    journal.end(raw, EndHead("complete"))
    journal.response(lost, ResponseHead(200, "OK", "HTTP/1.1", SSE))
    for chunk in stream("x"):
        journal.chunk(lost, chunk)
    journal.end(lost, EndHead("complete"))
    drain(db, tmp_path)
    told = rows(db, "select * from events")[0]
    assert told["kind"] == "journal_dropped"
    assert id_text(lost) in told["data"]
    assert rows(db, "select id, truncated, host from requests order by seq") == [
        {"id": id_text(raw), "truncated": 1, "host": "api.openai.com"},
        {"id": id_text(lost), "truncated": 1, "host": None},
    ]
    assert body(db, id_text(lost), "response") == b"".join(stream("x"))


def test_events_of_the_proxy(tmp_path, journal, db):
    raw = uuid7()
    journal.event("reload", "policies read anew", {"rules": 3})
    journal.event("tap_failed", "boom", call=raw)
    drain(db, tmp_path)
    found = rows(db, "select kind, message, data, call, run from events order by id")
    assert found == [
        {
            "kind": "reload",
            "message": "policies read anew",
            "data": '{"rules":3}',
            "call": None,
            "run": journal.run,
        },
        {"kind": "tap_failed", "message": "boom", "data": "{}", "call": id_text(raw), "run": journal.run},
    ]


def test_a_segment_of_a_later_version_is_left_alone(tmp_path, db, caplog):
    path = tmp_path / "journal" / "zz-000001.seg"
    path.write_bytes(
        b"".join(
            frame_bytes(
                b"LLMITM-1", Kind.RUN, bytes(16), [msgspec.msgpack.encode(RunHead(2, "zz", 1, 1, b"m" * 8))]
            )
        )
    )
    with closing(Drain(db, tmp_path / "journal")) as d:
        for _ in range(3):
            d.step()
    assert path.exists()
    assert caplog.text.count("journal format 2") == 1


def test_a_frame_nobody_understands_stops_nothing(tmp_path, journal, db):
    raw = uuid7()
    journal.request(raw, request_head(), b"{}")
    for kind in (Kind.RESPONSE, Kind.EVENT, Kind.DROPS, Kind.REQUEST, 99):
        os.writev(journal._fd, frame_bytes(journal._marker, kind, raw, [b"\xc1 garbage"]))
    os.writev(journal._fd, frame_bytes(journal._marker, Kind.REQUEST, uuid7(), [b""]))
    journal._size = os.fstat(journal._fd).st_size
    after = call(journal, stream("x"))
    drain(db, tmp_path)
    assert calls(db)[after]["state"] == "complete"
    assert {e["kind"] for e in rows(db, "select kind from events")} == {"frame_unreadable"}


def test_a_parser_that_fails_loses_no_call(tmp_path, journal, db, monkeypatch):
    class Broken:
        saw_token = False

        def __init__(self, *_, **__):
            pass

        def feed(self, data):
            raise RuntimeError("bug")

    monkeypatch.setattr(calls_module, "AnswerReader", Broken)
    call_id = call(journal, stream("x"))
    drain(db, tmp_path)
    row = calls(db)[call_id]
    assert (row["state"], row["text"], row["input_tokens"]) == ("complete", None, None)
    assert body(db, call_id, "response") == b"".join(stream("x"))
    (told,) = rows(db, "select kind, call from events")
    assert told == {"kind": "parse_failed", "call": call_id}


def test_what_sqlite_cannot_hold_is_made_so_that_it_can(tmp_path, journal, db):
    wild = event(
        choices=[{"index": 0, "delta": {"content": "lone \ud800 and \x00"}, "finish_reason": "stop"}],
        usage={"prompt_tokens": 10**30, "completion_tokens": 1, "total_tokens": -1},
    )
    call_id = call(journal, [wild, b"data: [DONE]\n\n"])
    drain(db, tmp_path)
    row = calls(db)[call_id]
    assert row["state"] == "complete"
    assert row["text"].startswith("lone ")


def test_a_stored_segment_that_comes_back_is_passed_over(tmp_path, db):
    other = JournalWriter(tmp_path / "journal")
    call(other, stream("x"))
    other.close()
    path = next(p for p in segments(tmp_path / "journal") if p.name.startswith(other.run))
    shutil.copy(path, tmp_path / "copy")
    drain(db, tmp_path)
    before = everything(db)
    assert not path.exists()
    drain(db, tmp_path)
    assert rows(db, "select * from journal_positions where segment = ?", path.name) == []
    shutil.copy(tmp_path / "copy", path)
    drain(db, tmp_path)
    assert everything(db) == before


def test_a_segment_goes_only_after_a_synced_commit(tmp_path, db, monkeypatch):
    other = JournalWriter(tmp_path / "journal")
    call(other, stream("x"))
    other.close()
    path = next(p for p in segments(tmp_path / "journal") if p.name.startswith(other.run))
    seen = []
    real = Path.unlink

    def unlink(self, missing_ok=False):
        if self == path:
            with closing(sqlite3.connect(tmp_path / "traffic.db")) as reader:
                seen.append(
                    reader.execute("select count(*) from calls where state = 'complete'").fetchone()[0]
                )
            seen.append(db.execute("pragma synchronous").fetchone()[0])
        real(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with monkeypatch.context() as m:

        def fail(self, *_):
            raise sqlite3.OperationalError("database or disk is full")

        m.setattr(Batch, "store", fail)
        with pytest.raises(sqlite3.OperationalError):
            drain(db, tmp_path)
    assert path.exists()
    drain(db, tmp_path)
    assert seen == [1, 2]  # the row is committed; 2 = FULL
    assert not path.exists()


def test_calls_of_a_run_without_segments_are_interrupted(tmp_path, db):
    other = JournalWriter(tmp_path / "journal")
    raw = uuid7()
    other.request(raw, request_head(), b"{}")
    drain(db, tmp_path)
    other._fd = os.close(other._fd) or -1
    for path in segments(tmp_path / "journal"):
        if path.name.startswith(other.run):
            path.unlink()
    with closing(Drain(db, tmp_path / "journal")) as d:
        d.abandon()
    assert calls(db)[id_text(raw)]["state"] == "interrupted"


def test_a_long_answer_is_cut_into_parts_and_never_held(tmp_path, journal, db, monkeypatch):
    monkeypatch.setattr(bodies_module, "PART_BYTES", 1000)
    monkeypatch.setattr(drain_module, "PART_BYTES", 1000)
    raw = uuid7()
    chunks = stream(*(f"word{n} " for n in range(100)))
    with closing(Drain(db, tmp_path / "journal")) as d:
        journal.request(raw, request_head(), b"{}")
        journal.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE))
        for n, chunk in enumerate(chunks):
            journal.chunk(raw, chunk)
            if n % 3 == 0:
                d.step()
                (waiting,) = rows(db, "select coalesce(sum(length(data)), 0) as n from open_chunks")
                assert waiting["n"] < 1000
        journal.end(raw, EndHead("complete"))
        d.step()
    assert [p.data for p in arrivals(db, id_text(raw))] == chunks
    sizes = [r["bytes"] for r in rows(db, "select bytes from bodies where kind = 'response' order by part")]
    assert len(sizes) > 10
    assert all(1000 <= size < 1400 for size in sizes[:-1])
    assert calls(db)[id_text(raw)]["text"] == "".join(f"word{n} " for n in range(100))


def test_an_answer_beyond_the_cap_is_stored_whole_and_parsed_to_the_cap(tmp_path, journal, db, monkeypatch):
    monkeypatch.setattr(calls_module, "PARSE_BYTES", 2000)
    chunks = stream(*(f"word{n} " for n in range(100)))
    call_id = call(journal, chunks)
    drain(db, tmp_path)
    row = calls(db)[call_id]
    assert row["state"] == "complete"
    assert row["text"].startswith("word0 word1 ")
    assert "word90" not in row["text"]
    assert body(db, call_id, "response") == b"".join(chunks)
    assert rows(db, "select kind from events") == [{"kind": "parse_failed"}]


# Any interleaving, any cut, any kill: the same rows.


@contextmanager
def small_parts():
    with pytest.MonkeyPatch.context() as m:
        m.setattr(bodies_module, "PART_BYTES", 300)
        m.setattr(drain_module, "PART_BYTES", 300)
        yield


class Flaky(sqlite3.Connection):
    """Fails once at the statement that `fails_in` counts down to."""

    fails_in = -1

    def _count(self):
        self.fails_in -= 1
        if self.fails_in == 0:
            raise sqlite3.OperationalError("database or disk is full")

    def execute(self, *arguments):
        self._count()
        return super().execute(*arguments)

    def executemany(self, *arguments):
        self._count()
        return super().executemany(*arguments)


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    """Segments of one run with interleaved calls of every kind of end, and what an undisturbed drain makes of them."""
    folder = tmp_path_factory.mktemp("recording")
    journal = JournalWriter(folder / "journal", segment_bytes=3000)
    scripts = []
    for n in range(6):
        raw = uuid7()
        script = [lambda raw=raw, n=n: journal.request(raw, request_head(), prompt(f"question {n}"))]
        if n != 4:
            script.append(lambda raw=raw: journal.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE)))
            for chunk in stream("some ", "words", done=n % 2 == 0):
                script.append(lambda raw=raw, chunk=chunk: journal.chunk(raw, chunk))
        if n != 5:
            cause = ["complete", "client_left", "complete", "upstream_error", "upstream_error"][n]
            script.append(lambda raw=raw, cause=cause: journal.end(raw, EndHead(cause)))
        scripts.append(script)
    raw = uuid7()
    script = [
        lambda: journal.request(raw, socket_head(), b""),
        lambda: journal.response(raw, UPGRADED),
    ]
    for head, data in [*turn(1, "first ", "answer"), *turn(2, "second"), *turn(3, "cut ", "off", done=False)]:
        script.append(lambda head=head, data=data: journal.message(raw, head, data))
    script.append(lambda: journal.end(raw, EndHead("client_left", close_code=1000)))
    scripts.append(script)
    scripts.append([lambda: journal.event("reload", "policies read anew")])
    order = random.Random(1)
    while scripts := [script for script in scripts if script]:
        order.choice(scripts).pop(0)()
    os.close(journal._fd)
    files = [(p.name, p.read_bytes()) for p in segments(folder / "journal")]
    assert len(files) > 2
    with small_parts(), closing(open_database(folder / "traffic.db")) as db:
        drain(db, folder)
        expected = everything(db)
    assert len(expected["requests"]) == 9
    return files, expected


@given(data=st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_cut_and_any_kill_give_the_same_rows(recording, tmp_path_factory, data):
    files, expected = recording
    folder = tmp_path_factory.mktemp("replay")
    (folder / "journal").mkdir()
    total = sum(len(content) for _, content in files)
    cuts = sorted(data.draw(st.lists(st.integers(0, total), max_size=12), label="cuts"))
    action = st.one_of(st.just("step"), st.just("kill"), st.integers(1, 18))
    steps = data.draw(st.lists(action, min_size=len(cuts), max_size=len(cuts)), label="actions")
    with small_parts(), pytest.MonkeyPatch.context() as m:
        m.setattr(migrations_module.sqlite3, "connect", partial(sqlite3.connect, factory=Flaky))
        m.setattr(
            drain_module, "STEP_BYTES", data.draw(st.sampled_from([200, 2000, 1 << 24]), label="step bytes")
        )
        m.setattr(
            drain_module, "STEP_FRAMES", data.draw(st.sampled_from([1, 7, 10_000]), label="step frames")
        )
        replay(folder, files, list(zip(cuts, steps, strict=True)))
    with closing(open_database(folder / "traffic.db")) as db:
        assert everything(db) == expected
    assert segment_files(folder) == []
    shutil.rmtree(folder)


def replay(folder, files, plan):
    """Grow the segments byte by byte as the proxy would, draining, being killed and failing on the way."""
    db = open_database(folder / "traffic.db")
    worker = Drain(db, folder / "journal")
    grown = 0
    held = None

    def grow(to):
        nonlocal grown, held
        start = 0
        for name, content in files:
            end = start + len(content)
            if grown < end and to > start:
                path = folder / "journal" / name
                if not path.exists() and (held is None or held[0] != name):
                    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
                    fcntl.flock(fd, fcntl.LOCK_EX)
                    # A segment is never seen without its first frame.
                    first = SegmentReaderHead.length(content)
                    os.write(fd, content[:first])
                    previous, held = held, (name, fd, first)
                    if previous:
                        os.close(previous[1])
                _, fd, written = held
                upto = min(to, end) - start
                if upto > written:
                    os.write(fd, content[written:upto])
                    held = (name, fd, upto)
            start = end
        grown = max(grown, to)

    for cut, action in plan:
        grow(cut)
        if action == "step":
            worker.step()
            continue
        if action != "kill":
            db.fails_in = action
            with suppress(sqlite3.OperationalError):
                worker.step()
        worker.close()
        db.close()
        db = open_database(folder / "traffic.db")
        worker = Drain(db, folder / "journal")
    grow(sum(len(content) for _, content in files))
    worker.step()
    os.close(held[1])
    while worker.step():
        pass
    worker.close()
    db.close()


class SegmentReaderHead:
    @staticmethod
    def length(content):
        return 16 + int.from_bytes(content[8:12], "big")
