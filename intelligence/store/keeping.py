"""What the worker does besides storing: jobs that were asked for, retention once an hour, a backup once a day.

`turn` does a bit of it, some milliseconds, between two steps of the drain; so new calls are stored meanwhile. A backup runs in a
thread with a connection of its own. Only forgetting and restoring hold the drain up: the journal keeps what comes. A failed job
is answered with its error; failed housekeeping is logged, and tried again when it is next due.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from intelligence.config import Store
from intelligence.store import backup, forget, jobs, restore, retention
from intelligence.store.drain import Drain
from intelligence.store.jobs import Job, JobError

log = logging.getLogger(__name__)

FIRST_SECONDS = 60.0  # after the start: a suite that is just coming up has better things to do
HOUR_SECONDS = 3600.0
LOOK_SECONDS = 0.5  # between two looks for jobs
PAUSE_SECONDS = 0.02  # between two looks at a running backup

# Yields whether rows of the message tree went.
Work = Generator[bool, None, dict[str, Any]]
FAILURES = (
    JobError,
    backup.BackupError,
    backup.Stopped,
    sqlite3.Error,
    OSError,
    ValueError,
    KeyError,
    TypeError,
)


class Keeping:
    def __init__(self, store: Store, stop: Callable[[], bool]) -> None:
        """`stop`: whether the process is to end; a running backup then gives up."""
        self._store = store
        self._stop = stop
        self._work: Work | None = None
        self._job: Job | None = None
        self._looked = float("-inf")
        self._due = time.monotonic() + FIRST_SECONDS
        restore.remove_draft(store.dir)
        jobs.remove_unread(store.dir)

    @property
    def busy(self) -> bool:
        """Whether another turn would do something at once."""
        return self._work is not None

    def turn(self, db: sqlite3.Connection, drain: Drain) -> bool:
        """Do a bit. True: `db` and `drain` are to be opened anew, after `between`. Raises nothing of a job's."""
        if self._work is None:
            self._begin(db)
        if self._job and self._job.kind == "restore":
            return True
        if self._job and self._job.kind == "forget":
            self._forget(self._job, db, drain)
            return True
        if self._work is None:
            return False
        try:
            if next(self._work):
                drain.swept()
        except StopIteration as done:
            self._finish(report=done.value)
        except FAILURES as e:
            self._finish(error=_said(e))
        return False

    def between(self) -> None:
        """While the database is closed, or cannot be opened: a restore that was asked for."""
        job = self._job or next(iter(jobs.waiting(self._store.dir)), None)
        if job is None or job.kind != "restore":
            return
        self._job = job
        try:
            report = restore.restore(self._store.dir, Path(job.arguments["file"]))
        except FAILURES as e:
            self._finish(error=_said(e))
        else:
            self._finish(report=report)

    def _begin(self, db: sqlite3.Connection) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if job := next(iter(jobs.waiting(self._store.dir)), None):
            log.info("asked for: %s", job.kind)
            self._job = job
            if job.kind not in ("restore", "forget"):
                self._work = job_work(self._store, db, job.kind, job.arguments, self._stop)
        elif now >= self._due:
            self._due = now + HOUR_SECONDS
            self._work = housekeeping(self._store, db, self._stop)

    def _forget(self, job: Job, db: sqlite3.Connection, drain: Drain) -> None:
        asked = job.arguments
        try:
            report = forget.forget(
                db, drain, self._store.dir, asked["what"], asked["name"], backups=bool(asked["backups"])
            )
        except FAILURES as e:
            self._finish(error=_said(e))
        else:
            self._finish(report=report)

    def _finish(self, *, report: dict[str, Any] | None = None, error: str | None = None) -> None:
        job, self._job, self._work = self._job, None, None
        if error is not None:
            log.error("%s: %s", job.kind if job else "housekeeping", error)
        if job:
            try:
                job.finish(report=report, error=error)
            except OSError as e:  # a full disk; whoever asked sees the job gone without an answer
                log.error("%s: the answer cannot be written: %s", job.kind, e)
                job.path.unlink(missing_ok=True)
        elif report and (report["raw"] or report["content"]):
            log.info("retention took %(content)d calls' content and %(raw)d raw answers", report)


def job_work(
    store: Store, db: sqlite3.Connection, kind: str, arguments: dict[str, Any], stop: Callable[[], bool]
) -> Work:
    """The steps of a job that is done beside the drain."""
    if kind == "prune":
        return (yield from retention.prune(db, retention.Limits(**arguments)))
    if kind == "backup":
        file = arguments["file"]
        return (yield from _backup(store.dir, "manual", Path(file) if file else None, stop))
    raise JobError(f"this llmitm knows no job {kind!r}")


def housekeeping(store: Store, db: sqlite3.Connection, stop: Callable[[], bool]) -> Work:
    report = yield from retention.prune(
        db, retention.limits(store.raw_days, store.retention_days, store.max_bytes)
    )
    recorded = db.execute("select 1 from requests limit 1").fetchone()
    if store.backups and recorded and backup.is_due(store.dir):
        yield from _backup(store.dir, "daily", None, stop)
        backup.rotate(store.dir, "daily", store.backups)
    return report


def _backup(data_dir: Path, why: str, file: Path | None, stop: Callable[[], bool]) -> Work:
    with ThreadPoolExecutor(1, "backup") as thread:
        made = thread.submit(backup.make_all, data_dir, why, file=file, stop=stop)
        while not made.done():
            wait([made], PAUSE_SECONDS)
            yield False
        path, beside = made.result()
    return {"file": str(path), "bytes": path.stat().st_size, "control": str(beside) if beside else None}


def _said(error: BaseException) -> str:
    if isinstance(error, backup.Stopped):
        return "the worker was stopped"
    if isinstance(error, KeyError | TypeError | ValueError):
        return f"the job is not understood: {error}"
    return str(error) or type(error).__name__
