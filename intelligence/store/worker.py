"""The worker: drains the journal into `traffic.db` for as long as it runs.

One per data folder, by a lock on `data/worker.lock` (taken as well by commands that write `traffic.db` themselves when no
worker runs). A database that cannot take a commit (full disk, another writer) is waited for: it is logged once, nothing
is dropped, the journal keeps what is not stored. When told to stop it stores what is there, for a few seconds at most; a database
that is just being brought up to date it leaves, for the next start to go on with.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from intelligence.config import Store
from intelligence.store import auditing
from intelligence.store.backup import Stopped
from intelligence.store.control import ControlError
from intelligence.store.drain import Drain
from intelligence.store.judging import Judge
from intelligence.store.keeping import Keeping
from intelligence.store.migrations import open_database
from intelligence.store.pricing import Prices
from intelligence.store.reading import CALLS, SECONDS, backlog, read_some
from intelligence.store.status import ProcessStatus, journal_lag

log = logging.getLogger(__name__)

# Between the beginnings of two steps, unless one takes longer: while frames come, and when none did for `QUIET_SECONDS`.
STEP_SECONDS = 0.01
QUIET_STEP_SECONDS = 0.05
RETRY_SECONDS = 1.0
STATUS_SECONDS = 1.0
# From so many frames in a step on, rows go before everything else.
RUSH_FRAMES = 150
RUSH_READS = 10
# Of reading between two steps while frames come: those who watch wait for the next step.
READ_SECONDS = 0.005
QUIET_SECONDS = 2.0
STOP_SECONDS = 5.0
GIVE_UP_SECONDS = 30.0


type Beside = Callable[[sqlite3.Connection], None]
"""Called between two steps, once a second, outside of any transaction. Raises `sqlite3.Error`."""


class WorkerError(Exception):
    """Why the worker does not run. The message is for the user."""


class WorkerRunning(WorkerError):
    """Another process writes this data folder."""


@contextlib.contextmanager
def sole_writer(data_dir: Path) -> Iterator[None]:
    """Holds the right to write `traffic.db`. Raises `WorkerRunning`, `OSError`."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    fd = os.open(data_dir / "worker.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorkerRunning(f"a worker already runs for {data_dir}") from None
        yield
    finally:
        os.close(fd)


class Worker:
    def __init__(
        self,
        data_dir: Path,
        stop: threading.Event,
        *,
        drain: bool = False,
        store: Store | None = None,
        prices: Prices | None = None,
        judge: Judge | None = None,
        beside: Sequence[Beside] = (),
    ) -> None:
        """`drain`: end when everything that proxies have written is stored. `store`: also do what `keeping` does. `judge`: ask
        the rules of policy that only tell. `beside`: what threads of this process have to write."""
        self._data_dir = data_dir
        self._stop = stop
        self._drain_only = drain
        self._store = store
        self._prices = prices or Prices()
        self._judge = judge
        self._beside = beside
        self._read_at = float("-inf")
        self._keeping: Keeping | None = None
        self._stop_by: float | None = None
        self._failing_since: float | None = None
        self._stored = 0
        self._told_at = float("-inf")

    def run(self) -> None:
        """Until `stop` is set, or drained. Raises `WorkerError`, `SchemaError`, `AlreadyRunning`, `OSError`."""
        with sole_writer(self._data_dir), ProcessStatus(self._data_dir, "worker", {}) as status:
            if self._store:
                self._keeping = Keeping(self._store, self._stop.is_set)
            while True:
                try:
                    if not self._follow(status):
                        return
                    continue
                except Stopped:
                    log.info(
                        "stopped while traffic.db was brought up to date; the next start goes on with that"
                    )
                    return
                except sqlite3.Error as e:
                    # Nothing of the failed step was committed; a new Drain reads it again.
                    self._failed(e)
                finally:
                    if self._keeping and not self._stop.is_set():
                        self._keeping.between()
                if self._stop.is_set() and not self._time_left():
                    return
                time.sleep(RETRY_SECONDS) if self._stop.is_set() else self._stop.wait(RETRY_SECONDS)

    def _follow(self, status: ProcessStatus) -> bool:
        """Whether to go on, with the database opened anew."""
        journal = self._data_dir / "journal"
        journal.mkdir(mode=0o700, exist_ok=True)
        with (
            closing(open_database(self._data_dir / "traffic.db", self._stop.is_set)) as db,
            closing(Drain(db, journal, self._prices)) as drain,
        ):
            drain.abandon()
            try:
                again = self._steps(db, drain, status)
            finally:
                self._stored += drain.stored
            if not again:
                self._audit(db)
                _checkpoint(db)
            return again

    def _steps(self, db: sqlite3.Connection, drain: Drain, status: ProcessStatus) -> bool:
        busy_at, quiet = time.monotonic(), False
        while True:
            began = time.monotonic()
            stopping = self._stop.is_set()
            frames = drain.step()
            self._recovered()
            if began - self._told_at >= STATUS_SECONDS:
                lag_bytes = journal_lag(self._data_dir)[0]
                status.update(lag_bytes=lag_bytes, stored=self._stored + drain.stored, unread=backlog(db))
                self._told_at = began
                self._audit(db)
                for write in self._beside:
                    write(db)
            if stopping or self._drain_only:
                if stopping and (not frames or not self._time_left()):
                    return False
                if not frames and not self._read(db, frames):
                    return False
                continue
            more = self._read(db, frames)
            if self._keeping and self._keeping.turn(db, drain):
                return True
            if frames:
                busy_at, quiet = began, False
            elif not quiet and began - busy_at > QUIET_SECONDS:
                _checkpoint(db)
                quiet = True
            if not more and not (self._keeping and self._keeping.busy):
                pause = QUIET_STEP_SECONDS if quiet else STEP_SECONDS
                self._stop.wait(max(began + pause - time.monotonic(), 0))

    def _audit(self, db: sqlite3.Connection) -> None:
        try:
            auditing.take(db, self._data_dir)
        except (sqlite3.Error, OSError, ControlError) as e:
            log.error("decisions cannot be taken into the audit log yet: %s", e)

    def _read(self, db: sqlite3.Connection, frames: int) -> bool:
        """Read what ended calls say: as much as a step allows, in a rush a little every second. Whether that was not all."""
        began = time.monotonic()
        if frames < RUSH_FRAMES:
            seconds = READ_SECONDS if frames else SECONDS
            read = read_some(db, self._prices, seconds=seconds, judge=self._judge)
        elif began - self._read_at >= STATUS_SECONDS:
            seconds = SECONDS
            read = read_some(db, self._prices, calls=RUSH_READS, judge=self._judge)
        else:
            return False
        self._read_at = began
        return read == CALLS or (read > 0 and time.monotonic() - began >= seconds)

    def _time_left(self) -> bool:
        """Asked after the order to stop."""
        now = time.monotonic()
        self._stop_by = self._stop_by or now + STOP_SECONDS
        return now < self._stop_by

    def _failed(self, error: sqlite3.Error) -> None:
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            log.error("traffic.db cannot be written (%s); the journal keeps what comes until it can", error)
        elif self._drain_only and now - self._failing_since > GIVE_UP_SECONDS:
            raise WorkerError(f"traffic.db cannot be written ({error}); the journal keeps what is not stored")

    def _recovered(self) -> None:
        if self._failing_since is not None:
            log.info("traffic.db can be written again")
            self._failing_since = None


def _checkpoint(db: sqlite3.Connection) -> None:
    """Move what the log holds into the database, as far as readers let us; the log is then begun anew."""
    with contextlib.suppress(sqlite3.OperationalError):
        db.execute("pragma wal_checkpoint(passive)").fetchone()
