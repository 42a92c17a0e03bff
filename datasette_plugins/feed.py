"""What changes in the record, for everyone who is watching.

One reader serves all viewers: while there is at least one, it looks every `POLL_SECONDS` whether someone has committed
(`PRAGMA data_version`, a few microseconds), and only then reads the latest calls and compares them with what it knew.
Each row that is new or different gets the next sequence number. A viewer keeps the number it has seen and asks for the rows
above it, so there is no queue to overflow: a slow viewer gets the newest state in one piece, a new one at most `LATEST_CALLS`
rows, and one that reconnects gets what it missed. `cursor` names a place in this sequence; one of an earlier run of the
dashboard counts as the beginning.

All database work happens in one thread of its own, on a read-only connection; nothing here blocks the event loop or the worker.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasette_plugins import calls, health, queries
from datasette_plugins.traffic import FileId, connect, file_id

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

LATEST_CALLS = 50
POLL_SECONDS = 0.025
HEALTH_SECONDS = 2.0


class Feed:
    """The latest calls and the problems of one data folder, kept fresh while someone watches."""

    def __init__(self, data_dir: Path) -> None:
        self.problems: list[health.Problem] = []
        self.closing = False
        self._data_dir = data_dir
        self._path = data_dir / "traffic.db"
        self._epoch = secrets.token_hex(4)
        self._seq = 0
        self._rows: dict[str, tuple[int, dict[str, Any]]] = {}
        self._changed = asyncio.Event()
        self._watched = asyncio.Event()
        self._viewers = 0
        self._health_due = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feed")
        self._db: sqlite3.Connection | None = None
        self._file: FileId | None = None
        self._version = -1

    # For viewers, on the event loop.

    @property
    def cursor(self) -> str:
        return f"{self._epoch}-{self._seq}"

    def seen(self, cursor: str | None) -> int:
        """The sequence number in a cursor; 0 for none, a strange one, and one of another run."""
        epoch, _, seq = (cursor or "").partition("-")
        return min(int(seq), self._seq) if epoch == self._epoch and seq.isascii() and seq.isdecimal() else 0

    def since(self, seen: int) -> list[dict[str, Any]]:
        """Rows that changed after `seen`, oldest call first."""
        rows = [row for seq, row in self._rows.values() if seq > seen]
        return sorted(rows, key=lambda row: (row["started_at"], row["id"]))

    @contextmanager
    def watching(self) -> Iterator[None]:
        """The record is read while at least one of these contexts is open."""
        self._viewers += 1
        self._watched.set()
        try:
            yield
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._watched.clear()

    async def change(self, timeout: float) -> None:
        """Wait for something new, at most `timeout` seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), timeout)
        except TimeoutError:
            return

    async def checked_problems(self) -> list[health.Problem]:
        """`problems`, at most `HEALTH_SECONDS` old."""
        if time.monotonic() >= self._health_due:
            self._health_due = time.monotonic() + HEALTH_SECONDS
            self.problems = await self._in_thread(lambda: health.problems(self._data_dir))
        return self.problems

    def stop(self) -> None:
        """Viewers' streams end. Safe to call from a signal handler."""
        self.closing = True

    # The reader.

    async def run(self, _datasette: Datasette) -> None:
        """Read while watched; ends when cancelled. A background task of Datasette."""
        failing = False
        try:
            while True:
                await self._watched.wait()
                try:
                    await self._look()
                    failing = False
                except (sqlite3.Error, OSError) as e:
                    # A worker that is just migrating, a file being replaced: the next look may succeed.
                    if not failing:
                        log.warning("cannot read %s: %s", self._path, e)
                    failing = True
                    await self._in_thread(self._disconnect)
                    await asyncio.sleep(1)
                except Exception:
                    log.exception("the latest calls could not be made ready to show")
                    await asyncio.sleep(1)
                await asyncio.sleep(POLL_SECONDS)
        finally:
            await asyncio.shield(self._in_thread(self._disconnect))
            self._thread.shutdown(wait=False)

    async def _look(self) -> None:
        news = False
        found = await self._in_thread(self._read_latest)
        if found is not None and self._take(found):
            news = True
        before = self.problems
        if await self.checked_problems() != before:
            news = True
        if news:
            self._changed.set()
            self._changed = asyncio.Event()

    def _take(self, found: list[dict[str, Any]]) -> bool:
        changed = [row for row in found if self._rows.get(row["id"], (0, None))[1] != row]
        gone = self._rows.keys() - {row["id"] for row in found}
        if changed:
            self._seq += 1
            self._rows.update((row["id"], (self._seq, row)) for row in changed)
        for call_id in gone:
            del self._rows[call_id]
        return bool(changed)

    def _in_thread[T](self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _read_latest(self) -> list[dict[str, Any]] | None:
        """Rows of the latest calls if anything was committed since the last time."""
        db = self._connection()
        if db is None:
            return None
        version = db.execute("pragma data_version").fetchone()[0]
        if version == self._version:
            return None
        rows = db.execute(queries.LATEST, {"limit": LATEST_CALLS}).fetchall()
        self._version = version
        return [calls.row(row) for row in rows]

    def _connection(self) -> sqlite3.Connection | None:
        found = file_id(self._path)
        if found != self._file:
            self._disconnect()
        if self._db is None and found is not None:
            db = connect(self._path)
            if db.execute(queries.HAS_CALLS).fetchone() is None:
                db.close()
                return None
            self._db, self._file, self._version = db, found, -1
        return self._db

    def _disconnect(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db, self._file = None, None
