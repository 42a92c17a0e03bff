"""Jobs, retention and backups beside a draining worker, and alone."""

import contextlib
import sqlite3
import threading
from contextlib import closing

import pytest

from intelligence.config import Store
from intelligence.store import jobs
from intelligence.store import worker as worker_module
from intelligence.store.drain import Drain
from intelligence.store.jobs import JobError
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.perform import perform
from intelligence.store.status import read_statuses
from intelligence.store.worker import Worker
from tests.intelligence.store.test_worker import until
from tests.intelligence.store.traffic import call, calls, prompt, request_head, stream


def store(tmp_path, **settings):
    return Store(**{"dir": tmp_path, **settings})


def record(tmp_path, *texts, **head):
    journal = JournalWriter(tmp_path / "journal")
    for text in texts:
        call(journal, stream(text), body=prompt(text), head=request_head(**head))
    journal.close()


def drained(tmp_path):
    with (
        closing(open_database(tmp_path / "traffic.db")) as db,
        closing(Drain(db, tmp_path / "journal")) as drain,
    ):
        while drain.step():
            pass


def stored(tmp_path):
    with closing(sqlite3.connect(tmp_path / "traffic.db")) as db:
        return calls(db)


@contextlib.contextmanager
def running(settings):
    stop = threading.Event()
    thread = threading.Thread(target=Worker(settings.dir, stop, store=settings).run)
    thread.start()
    try:
        until(lambda: any(s.name == "worker" and s.alive for s in read_statuses(settings.dir)))
        yield
    finally:
        stop.set()
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture(params=["alone", "worker"])
def settings(request, tmp_path):
    """With the calls `one` and `two` of user `ann`, and `three` of `bob`, stored."""
    record(tmp_path, "one", "two", user="ann")
    record(tmp_path, "three", user="bob")
    drained(tmp_path)
    found = store(tmp_path)
    with running(found) if request.param == "worker" else contextlib.nullcontext():
        yield found


PRUNE_ALL = {"raw_before_ms": 2**60, "content_before_ms": 2**60, "max_bytes": None}


def test_prune(settings):
    report = perform(settings, "prune", PRUNE_ALL)
    assert report["content"] == 3
    rows = stored(settings.dir).values()
    assert {(row["text"], row["output_tokens"], row["state"]) for row in rows} == {(None, 1, "complete")}


def test_backup_and_restore(settings):
    made = perform(settings, "backup", {"file": None})
    record(settings.dir, "four")
    until(lambda: drained_or_running(settings) and len(stored(settings.dir)) == 4)
    report = perform(settings, "restore", {"file": made["file"]})
    assert report["calls"] == 3
    until(lambda: len(stored(settings.dir)) == 3)
    with closing(sqlite3.connect(report["replaced"])) as db:
        assert len(calls(db)) == 4


def drained_or_running(settings):
    with contextlib.suppress(worker_module.WorkerRunning), worker_module.sole_writer(settings.dir):
        drained(settings.dir)
    return True


def test_forget(settings):
    perform(settings, "forget", {"what": "user", "name": "ann", "backups": False})
    assert [row["text"] for row in stored(settings.dir).values()] == ["three"]


def test_a_job_that_fails_says_why(settings):
    with pytest.raises(JobError, match="no such file"):
        perform(settings, "restore", {"file": str(settings.dir / "nowhere.db")})
    with pytest.raises(JobError, match="knows no job 'paint'"):
        perform(settings, "paint", {})
    assert len(stored(settings.dir)) == 3
    assert jobs.waiting(settings.dir) == []
