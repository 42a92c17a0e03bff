import contextlib
import json
import logging
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from intelligence.store import worker as worker_module
from intelligence.store.ids import id_text, uuid7
from intelligence.store.journal import EndHead, ResponseHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.status import journal_lag, read_statuses
from intelligence.store.worker import Worker, WorkerError, WorkerRunning, sole_writer
from tests.intelligence.store.traffic import (
    SSE,
    body,
    call,
    calls,
    everything,
    prompt,
    request_head,
    rows,
    segment_files,
    stream,
)
from tests.rig import forks
from tests.rig.processes import REPOSITORY


def environment(data_dir, **more):
    folders = {"LLMITM_STORE__DIR": str(data_dir), "LLMITM_POLICY__DIR": str(data_dir / "policies")}
    return {**os.environ, **folders, **more}


def process(data_dir, *arguments, **env):
    return subprocess.Popen(
        [sys.executable, "-m", "intelligence", *arguments],
        env=environment(data_dir, **env),
        stderr=subprocess.PIPE,
        text=True,
    )


def forked(data_dir):
    with open(os.devnull, "r+b") as nothing:
        files = dict.fromkeys(("stdin", "stdout", "stderr"), nothing.fileno())
        return forks.start(["-m", "intelligence"], cwd=REPOSITORY, env=environment(data_dir), **files)


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


def stored(data_dir):
    if not (data_dir / "traffic.db").exists():
        return {}
    with closing(sqlite3.connect(f"file:{data_dir}/traffic.db?mode=ro", uri=True)) as db:
        try:
            return calls(db)
        except sqlite3.OperationalError:
            return {}


@contextlib.contextmanager
def running(data_dir, **settings):
    """A worker in a thread."""
    stop = threading.Event()
    thread = threading.Thread(target=Worker(data_dir, stop, **settings).run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


def test_follows_a_live_proxy_and_says_how_it_stands(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_module, "STATUS_SECONDS", 0.05)
    journal = JournalWriter(tmp_path / "journal")
    with running(tmp_path):
        for n in range(3):
            call_id = call(journal, stream(f"answer {n}"))
            until(lambda call_id=call_id: stored(tmp_path).get(call_id, {}).get("state") == "complete")
        (status,) = until(lambda: [s for s in read_statuses(tmp_path) if s.counters.get("stored") == 3])
        assert (status.name, status.alive, status.counters["lag_bytes"]) == ("worker", True, 0)
        assert journal_lag(tmp_path) == (0, 0)
        call_id = call(journal, stream("last words"))  # stored by the clean stop
    assert stored(tmp_path)[call_id]["state"] == "complete"
    assert read_statuses(tmp_path) == []
    journal.close()


def test_a_second_worker_says_so(tmp_path):
    with sole_writer(tmp_path):
        with pytest.raises(WorkerRunning, match=f"a worker already runs for {tmp_path}"):
            Worker(tmp_path, threading.Event()).run()
        second = process(tmp_path)
        _, said = second.communicate(timeout=30)
        assert second.returncode == 1
        assert f"a worker already runs for {tmp_path}" in said
        assert "Traceback" not in said
    with sole_writer(tmp_path):
        pass


def test_the_process_drains_and_ends(tmp_path):
    journal = JournalWriter(tmp_path / "journal")
    done = call(journal, stream("done"))
    raw = uuid7()
    journal.request(raw, request_head(), prompt("still open"))
    worker = process(tmp_path, "--drain")
    _, said = worker.communicate(timeout=30)
    assert (worker.returncode, said) == (0, "")
    assert {i: r["state"] for i, r in stored(tmp_path).items()} == {done: "complete", id_text(raw): "pending"}
    journal.end(raw, EndHead("client_left"))
    journal.close()
    worker = process(tmp_path, "--drain")
    worker.communicate(timeout=30)
    assert stored(tmp_path)[id_text(raw)]["state"] == "aborted"
    assert segment_files(tmp_path) == []
    assert {p.stat().st_mode & 0o777 for p in tmp_path.rglob("*") if p.is_file()} == {0o600}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_stops_in_order(tmp_path, number):
    journal = JournalWriter(tmp_path / "journal")
    worker = process(tmp_path)
    first = call(journal, stream("x"))
    until(lambda: first in stored(tmp_path))
    for _ in range(200):
        call(journal, stream("x"))
    worker.send_signal(number)
    _, said = worker.communicate(timeout=30)
    assert (worker.returncode, said) == (0, "")
    assert len(stored(tmp_path)) == 201
    journal.close()


def test_told_to_stop_in_a_rush_it_leaves_the_rest_to_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_module, "STOP_SECONDS", 0)
    journal = JournalWriter(tmp_path / "journal")
    for _ in range(12):
        call(journal, stream("x"), body=os.urandom(1 << 20))
    stop = threading.Event()
    stop.set()
    Worker(tmp_path, stop).run()
    assert 0 < len(stored(tmp_path)) < 8
    journal.close()
    Worker(tmp_path, threading.Event(), drain=True).run()
    assert len(stored(tmp_path)) == 12


def test_a_worker_that_brings_a_database_up_to_date_stops_when_it_is_told_to(tmp_path, caplog):
    journal = JournalWriter(tmp_path / "journal")
    call(journal, stream("x"))
    Worker(tmp_path, threading.Event(), drain=True).run()
    with closing(sqlite3.connect(tmp_path / "traffic.db", isolation_level=None)) as db:
        db.execute("drop table forgotten")
        db.execute("delete from _sqlite_migrations where name = 'm030_keeping'")
    stop = threading.Event()
    stop.set()
    second = call(journal, stream("y"))
    with caplog.at_level(logging.INFO):
        Worker(tmp_path, stop).run()
    assert "the next start goes on with that" in caplog.text
    assert second not in stored(tmp_path) and len(segment_files(tmp_path)) == 1
    journal.close()


def test_a_newer_database_is_refused_with_a_clear_word(tmp_path):
    with closing(open_database(tmp_path / "traffic.db")) as db:
        db.execute(
            "insert into _sqlite_migrations (migration_set, name, applied_at) values ('traffic', 'm999', '')"
        )
    worker = process(tmp_path, LLMITM_LOG__FORMAT="json")
    _, said = worker.communicate(timeout=30)
    assert worker.returncode == 1
    line = json.loads(said)
    assert line["level"] == "error"
    assert "was made by a newer llmitm" in line["message"]


def test_a_full_disk_is_waited_for(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(worker_module, "RETRY_SECONDS", 0.02)
    room = threading.Event()
    tries = []

    def open_small(path, stop):
        tries.append(path)
        db = open_database(path, stop)
        if not room.is_set():
            pages = db.execute("pragma page_count").fetchone()[0]
            db.execute(f"pragma max_page_count = {pages + 3}")  # SQLITE_FULL beyond, as on a full disk
        return db

    monkeypatch.setattr(worker_module, "open_database", open_small)
    journal = JournalWriter(tmp_path / "journal")
    ids = [call(journal, stream("x" * 5000), body=os.urandom(20_000)) for _ in range(5)]
    with caplog.at_level(logging.INFO), running(tmp_path):
        until(lambda: len(tries) > 5)
        assert stored(tmp_path) == {}
        room.set()
        until(lambda: len(stored(tmp_path)) == 5)
    assert set(stored(tmp_path)) == set(ids)
    assert caplog.text.count("cannot be written (database or disk is full)") == 1
    assert caplog.text.count("can be written again") == 1
    journal.close()


def test_a_drain_gives_up_on_a_full_disk_and_keeps_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_module, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(worker_module, "GIVE_UP_SECONDS", 0.1)

    def refuse(path, stop):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(worker_module, "open_database", refuse)
    journal = JournalWriter(tmp_path / "journal")
    call(journal, stream("x"))
    journal.close()
    with pytest.raises(WorkerError, match="the journal keeps what is not stored"):
        Worker(tmp_path, threading.Event(), drain=True).run()
    assert len(segment_files(tmp_path)) == 1


def test_a_database_locked_by_another_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_module, "RETRY_SECONDS", 0.02)
    journal = JournalWriter(tmp_path / "journal")
    with running(tmp_path):
        first = call(journal, stream("x"))
        until(lambda: first in stored(tmp_path))
        with closing(sqlite3.connect(tmp_path / "traffic.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            second = call(journal, stream("y"))
            time.sleep(0.2)
            other.execute("rollback")
        until(lambda: second in stored(tmp_path))
    journal.close()


def test_killed_at_any_moment_it_loses_nothing_and_stores_nothing_twice(tmp_path):
    """20 kills, at random moments of a worker under load, small segments so that it also removes them all the time."""
    journal = JournalWriter(tmp_path / "journal", segment_bytes=65536)
    chance = random.Random(7)
    written: dict[str, bytes] = {}
    over = threading.Event()

    def proxy():
        """Several calls at once, some across several steps of the worker."""
        open_calls: list[tuple[bytes, list[bytes]]] = []
        while not over.is_set() or open_calls:
            if not over.is_set() and len(open_calls) < 8:
                raw, chunks = uuid7(), stream(*(f"w{n} " for n in range(chance.randrange(1, 60))))
                journal.request(raw, request_head(), prompt("x" * chance.randrange(3000)))
                journal.response(raw, ResponseHead(200, "OK", "HTTP/1.1", SSE))
                written[id_text(raw)] = b"".join(chunks)
                open_calls.append((raw, chunks))
            raw, chunks = entry = chance.choice(open_calls)
            if chunks:
                journal.chunk(raw, chunks.pop(0))
            else:
                journal.end(raw, EndHead("complete"))
                open_calls.remove(entry)
            time.sleep(0.0005)

    thread = threading.Thread(target=proxy)
    thread.start()
    try:
        for kills in range(20):
            until(lambda least=6 * kills: len(written) > least)  # however slow this machine is
            worker = forked(tmp_path)
            until(lambda pid=worker.pid: any(s.pid == pid for s in read_statuses(tmp_path)))
            time.sleep(chance.random() * 0.25)
            worker.kill()
            worker.wait()
    finally:
        over.set()
        thread.join()
    journal.close()
    assert journal.dropped_frames == 0
    last = process(tmp_path, "--drain")
    assert last.communicate(timeout=60) == (None, "")
    with closing(open_database(tmp_path / "traffic.db")) as db:
        found = calls(db)
        assert set(found) == set(written)
        assert len(found) > 100
        assert {row["state"] for row in found.values()} == {"complete"}
        assert {i: body(db, i, "response") for i in written} == written
        kinds = rows(
            db, "select kind, count(distinct request) as n, count(*) as all_ from bodies group by kind"
        )
        assert kinds == [{"kind": "response", "n": len(written), "all_": len(written)}]
        assert rows(db, "select count(*) as n from turns where envelope is not null") == [{"n": len(written)}]
        assert rows(db, "select sum(requests) as n from sessions") == [{"n": len(written)}]
        assert everything(db)["open"] == []
        assert rows(db, "select * from events") == []
    assert segment_files(tmp_path) == []
