import json
import os
import signal
import subprocess
import sys
import threading

import pytest

from intelligence.store import status as status_module
from intelligence.store.journal import EndHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.status import AlreadyRunning, ProcessStatus, journal_lag, read_statuses, unread
from tests.intelligence.store.test_keeping import drained, record


def test_announces_and_leaves_nothing(tmp_path):
    with ProcessStatus(tmp_path, "proxy", {"proxy": "127.0.0.1:8080"}) as me:
        me.update(run="r1", calls=3)
        me.update(calls=4)
        (status,) = read_statuses(tmp_path)
        assert (status.name, status.alive, status.pid) == ("proxy", True, os.getpid())
        assert status.addresses == {"proxy": "127.0.0.1:8080"}
        assert status.counters == {"run": "r1", "calls": 4}
        path = tmp_path / "run" / "proxy.json"
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text())["calls"] == 4
    assert read_statuses(tmp_path) == []
    assert list((tmp_path / "run").iterdir()) == []


def test_a_second_of_the_same_name_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(status_module, "LOCK_WAIT_SECONDS", 0.1)
    with ProcessStatus(tmp_path, "worker", {}):
        with pytest.raises(AlreadyRunning, match=f"worker is already running \\(pid {os.getpid()}\\)"):
            ProcessStatus(tmp_path, "worker", {}).__enter__()
        with ProcessStatus(tmp_path, "dashboard", {}):
            assert [s.name for s in read_statuses(tmp_path)] == ["dashboard", "worker"]


def test_a_killed_process_is_seen_dead_and_its_name_is_free(tmp_path):
    code = f"""
import sys, time, pathlib
from intelligence.store.status import ProcessStatus
with ProcessStatus(pathlib.Path({str(tmp_path)!r}), "proxy", {{}}):
    print("up", flush=True)
    time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"up\n"
    assert read_statuses(tmp_path)[0].alive
    process.send_signal(signal.SIGKILL)
    process.wait()
    (dead,) = read_statuses(tmp_path)
    assert (dead.alive, dead.pid) == (False, process.pid)
    with ProcessStatus(tmp_path, "proxy", {}):
        assert read_statuses(tmp_path)[0].pid == os.getpid()


def test_readers_never_see_half_of_an_update_nor_keep_a_process_from_starting(tmp_path):
    stop = threading.Event()
    seen = []

    def read():
        while not stop.is_set():
            seen.extend(read_statuses(tmp_path))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for round_ in range(50):
            with ProcessStatus(tmp_path, "proxy", {"proxy": "127.0.0.1:1"}) as me:
                for n in range(20):
                    me.update(n=n, text="x" * (round_ * 97 % 1500), last=n)
    finally:
        stop.set()
        reader.join()
    assert seen
    assert all(s.counters.get("n") == s.counters.get("last") for s in seen)


def test_a_full_disk_stops_neither_start_nor_counters(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as m:
        m.setattr(os, "pwrite", full)
        me = ProcessStatus(tmp_path, "proxy", {}).__enter__()
        me.update(calls=1)
        me.update(calls=2)
    assert caplog.text.count("No space left") == 1
    me.update(calls=3)
    assert read_statuses(tmp_path)[0].counters == {"calls": 3}
    size = me.path.stat().st_size
    me.update(calls=10**9, more="x" * 500)
    assert me.path.stat().st_size == size  # rewritten in place: needs no new block
    me.__exit__(None, None, None)


def test_garbage_in_the_folder_is_no_crash(tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "x.json").write_bytes(b"\x00{")
    (status,) = read_statuses(tmp_path)
    assert (status.name, status.alive, status.pid) == ("x", False, 0)


def test_journal_lag_counts_what_no_commit_covers(tmp_path):
    assert journal_lag(tmp_path) == (0, 0)
    journal = JournalWriter(tmp_path / "journal")
    assert journal_lag(tmp_path) == (0, 0)
    journal.end(bytes(16), EndHead("complete"))
    lag, count = journal_lag(tmp_path)
    assert (lag > 40, count) == (True, 1)
    name = f"{journal.run}-000001.seg"
    size = (tmp_path / "journal" / name).stat().st_size
    (tmp_path / "journal" / "later.seg").write_bytes(b"of another format")
    assert journal_lag(tmp_path) == (lag, 1)

    db = open_database(tmp_path / "traffic.db")
    db.execute("insert into journal_positions (segment, position) values (?, ?)", (name, size - 10))
    db.commit()
    assert journal_lag(tmp_path) == (10, 1)
    journal.close()


def test_unread_calls_are_counted_and_unknown_without_a_record(tmp_path):
    assert unread(tmp_path) is None
    record(tmp_path, "one", "two")
    drained(tmp_path)
    assert unread(tmp_path) == 2
