"""Which of our processes live, where they listen, and how far behind the worker is.

A process keeps `data/run/<name>.json` and holds an exclusive `flock` on it while it lives: the lock, not the
pid, says that it is alive, so a killed process needs no cleaning up after. The file is filled to its full size
when it is made and rewritten in place, so counters keep moving when the disk is full. A clean exit removes it.
Readers see a dead process too (`alive` is false) until its name is taken again.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from intelligence.store import queries
from intelligence.store.journal_reader import JournalError, SegmentReader, segments

log = logging.getLogger(__name__)

SIZE = 4096
LOCK_WAIT_SECONDS = 1.0


class AlreadyRunning(Exception):
    """A living process has this name. The message is for the user."""


@dataclass(frozen=True)
class Status:
    """What a status file says. `pid`, `started_at` (Unix ms) and `addresses` are 0 or empty if it cannot be read. `told_at`: when
    the file was last written."""

    name: str
    alive: bool
    pid: int = 0
    started_at: int = 0
    addresses: dict[str, str] = field(default_factory=dict)
    counters: dict[str, Any] = field(default_factory=dict)
    told_at: int = 0


class ProcessStatus:
    """Announces this process for as long as the context lasts. Raises `AlreadyRunning` on entry. A disk that cannot
    hold the file never stops the process: it is logged, and tried again at each `update`."""

    def __init__(self, data_dir: Path, name: str, addresses: dict[str, str]) -> None:
        self.name = name
        self.path = data_dir / "run" / f"{name}.json"
        self._values: dict[str, Any] = {
            "pid": os.getpid(),
            "started_at": time.time_ns() // 1_000_000,
            "addresses": addresses,
        }
        self._fd = -1
        self._failed = False

    def __enter__(self) -> Self:
        try:
            self._fd = _locked(self.path)
        except OSError as e:
            self._failing(e)
        self._write()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            self.path.unlink(missing_ok=True)
            os.close(self._fd)
            self._fd = -1

    def update(self, *, addresses: dict[str, str] | None = None, **counters: Any) -> None:
        """Set counters (JSON values); those not named keep their value."""
        if addresses is not None:
            self._values["addresses"] = addresses
        self._values.update(counters)
        self._write()

    def _write(self) -> None:
        try:
            if self._fd < 0:
                self._fd = _locked(self.path)
            text = json.dumps(self._values, separators=(",", ":")).encode()
            room = -(-(len(text) + 1) // SIZE) * SIZE
            room = max(room, os.fstat(self._fd).st_size)
            os.pwrite(self._fd, text.ljust(room - 1) + b"\n", 0)
            self._failed = False
        except (OSError, AlreadyRunning) as e:
            self._failing(e)

    def _failing(self, error: Exception) -> None:
        if not self._failed:
            log.warning(
                "%s cannot be written (%s); `llmitm status` will not know this process", self.path, error
            )
        self._failed = True


def _locked(path: Path) -> int:
    """A descriptor of the file, made and locked. Raises `AlreadyRunning`, `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    deadline = time.monotonic() + LOCK_WAIT_SECONDS
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that was leaving may have removed the file between our open and our lock.
            if path.exists() and path.stat().st_ino == os.fstat(fd).st_ino:
                return fd
            os.close(fd)
        except BlockingIOError:
            # A reader holds the lock for an instant, to see whether someone lives; a process holds it for good.
            if time.monotonic() > deadline:
                pid = _parse(path.stem, os.pread(fd, 1 << 20, 0), alive=True).pid
                os.close(fd)
                raise AlreadyRunning(f"{path.stem} is already running (pid {pid})") from None
            os.close(fd)
            time.sleep(0.02)
        except OSError:
            os.close(fd)
            raise


def read_statuses(data_dir: Path) -> list[Status]:
    """The processes that announced themselves, by name; the dead ones too, unless they left in order."""
    return [s for path in sorted((data_dir / "run").glob("*.json")) if (s := _read(path))]


def _read(path: Path) -> Status | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            fcntl.flock(fd, fcntl.LOCK_UN)
            alive = False
        except BlockingIOError:
            alive = True
        # A rewrite is one pwrite, but a read that meets it may still see parts of two.
        for _ in range(10):
            status = _parse(path.stem, os.pread(fd, 1 << 20, 0), alive=alive)
            if status.pid:
                break
            time.sleep(0.001)
        return replace(status, told_at=os.fstat(fd).st_mtime_ns // 1_000_000)
    finally:
        os.close(fd)


def _parse(name: str, text: bytes, *, alive: bool) -> Status:
    try:
        values = json.loads(text)
        known = {key: values.pop(key) for key in ("pid", "started_at", "addresses")}
    except (ValueError, KeyError, AttributeError):
        return Status(name, alive)
    return Status(name, alive, **known, counters=values)


def journal_lag(data_dir: Path) -> tuple[int, int]:
    """Bytes of the journal that the worker has not committed, and the number of segments they are in. Files that are
    no segments, or of a later version's format, do not count: no worker of this version will take them."""
    done = _positions(data_dir / "traffic.db")
    total = behind = 0
    for path in segments(data_dir / "journal"):
        try:
            size = path.stat().st_size
            with closing(SegmentReader(path)) as reader:
                left = size - max(done.get(path.name, 0), reader.start)
        except (FileNotFoundError, JournalError):
            continue
        if left > 0:
            total, behind = total + left, behind + 1
    return total, behind


def unread(data_dir: Path) -> int | None:
    """Stored calls whose words the worker has not read yet, for search and what fills contexts. None: nobody can tell."""
    database = data_dir / "traffic.db"
    if not database.exists():
        return None
    try:
        with closing(queries.connect(database)) as db:
            return int(db.execute("select count(*) from to_read").fetchone()[0])
    except sqlite3.Error:
        return None


def _positions(database: Path) -> dict[str, int]:
    if not database.exists():
        return {}
    with closing(queries.connect(database)) as db:
        try:
            return {row["segment"]: row["position"] for row in db.execute(queries.POSITIONS)}
        except sqlite3.OperationalError:  # made by this instant's worker, which has not got to its tables yet
            return {}
