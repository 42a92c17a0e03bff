"""What changes in the record, for everyone who is watching.

One reader (`latest`) serves all viewers: while there is at least one, it looks every `POLL_SECONDS` whether someone has
committed, and reads what is new or different. Each row read gets the next number of a sequence. A viewer keeps the number it
has seen and asks for what stands above it, so there is no queue to overflow: a slow viewer gets the newest state in one piece,
and one that reconnects gets what it missed, as far as it is still here: the calls that run, and the `WINDOW` that last changed.
What is sent is encoded once, for all who are equally far.

A `cursor` names a place in this sequence, and the newest call that was known there. One of an earlier run of the dashboard counts
as the beginning; by the call, `missed` still tells how many came and went unseen.

All database work happens in one thread of its own, on a read-only connection; nothing here blocks the event loop or the worker.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datasette_plugins import calls, health
from datasette_plugins.latest import WINDOW, Found, Latest

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

POLL_SECONDS = 0.006
# After a look that found something: what comes within it is told together, for each telling costs every viewer the same.
GATHER_SECONDS = 0.03
PROGRESS_SECONDS = 0.3
HEALTH_SECONDS = 2.0
MOST_GONE = 1000


@dataclass
class Known:
    """A call as it was last read. `at` and `told_at`: when its row, and what is told while it runs, changed."""

    seq: int
    row: dict[str, Any]
    at: int
    told: dict[str, str] = field(default_factory=dict)
    told_at: int = 0

    @property
    def running(self) -> bool:
        return bool(self.row["state"] == "pending")


class Feed:
    """The latest calls and the problems of one data folder, kept fresh while someone watches."""

    def __init__(self, data_dir: Path) -> None:
        self.problems: list[health.Problem] = []
        self.closing = False
        self._data_dir = data_dir
        self._latest = Latest(data_dir / "traffic.db")
        self._epoch = secrets.token_hex(4)
        self._at = 0
        self._top = 0
        self._floor = 0
        self._known: dict[int, Known] = {}  # the one that changed last comes last
        self._gone: list[tuple[int, str]] = []
        self._encoded: dict[tuple[str, int, bool], str] = {}
        self._changed = asyncio.Event()
        self._watched = asyncio.Event()
        self._viewers = 0
        self._followers = 0
        self._looks = 0
        self._progress_due = 0.0
        self._health_due = 0.0
        self._told_problems: list[health.Problem] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="feed")

    # For viewers, on the event loop.

    @property
    def cursor(self) -> str:
        return f"{self._epoch}-{self._at}-{self._top}"

    def seen(self, cursor: str | None) -> int:
        """The number in a cursor; 0 for none, a strange one, and one of another run."""
        parts = (cursor or "").split("-")
        return min(_number(parts[1]), self._at) if len(parts) == 3 and parts[0] == self._epoch else 0

    def missed(self, cursor: str | None) -> int:
        """How many calls came after this cursor that nothing tells of any more."""
        parts = (cursor or "").split("-")
        top = _number(parts[2]) if len(parts) == 3 else 0
        if not top or top >= self._floor:
            return 0
        return self._floor - top - sum(top < seq <= self._floor for seq in self._known)

    def since(self, seen: int) -> list[dict[str, Any]]:
        """Rows that changed after `seen`, in the order they did."""
        known = [k for k in self._known.values() if k.at > seen]
        return [k.row for k in sorted(known, key=lambda k: (k.at, k.row["started_at"], k.row["id"]))]

    def running(self) -> list[str]:
        return [k.row["id"] for k in self._known.values() if k.running]

    def calls(self, seen: int, *, masked: bool = False) -> str:
        """JSON: `rows` that changed after `seen`, and ids of those that are `gone`; "" if there are none. `masked`: without
        words of answers."""
        return self._once("calls", seen, masked, self._calls)

    def progress(self, seen: int, *, masked: bool = False) -> str:
        """JSON: what is told of running calls by id, where it changed after `seen`; "" if nothing did."""
        return self._once("progress", seen, masked, self._progress)

    def _calls(self, seen: int, masked: bool) -> dict[str, Any]:
        rows, gone = self.since(seen), [call_id for at, call_id in self._gone if at > seen]
        if masked:
            rows = [calls.wordless(row) for row in rows]
        return {"rows": rows, "gone": gone} if rows or gone else {}

    def _progress(self, seen: int, masked: bool) -> dict[str, Any]:
        told = {k.row["id"]: k.told for k in self._known.values() if k.told_at > seen and k.running}
        return {id_: _wordless(values) for id_, values in told.items()} if masked else told

    def _once(self, name: str, seen: int, masked: bool, make: Callable[[int, bool], dict[str, Any]]) -> str:
        key = (name, seen, masked)
        if key not in self._encoded:
            made = make(seen, masked)
            self._encoded[key] = json.dumps(made, ensure_ascii=False) if made else ""
        return self._encoded[key]

    @contextmanager
    def watching(self, *, progress: bool = False) -> Iterator[None]:
        """The record is read while at least one of these contexts is open; running answers, if one asks for their progress."""
        self._viewers += 1
        self._followers += progress
        self._watched.set()
        try:
            yield
        finally:
            self._viewers -= 1
            self._followers -= progress
            if not self._viewers:
                self._watched.clear()

    async def look(self, timeout: float) -> None:
        """Wait until the record was looked at, at most `timeout` seconds. Only while watching."""
        end, looks = time.monotonic() + timeout, self._looks
        while self._looks < looks + 2 and not self.closing and (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(POLL_SECONDS, left))

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

    def look_at_health(self) -> None:
        """Something was done that changes `problems`: who asks next is told as it is now."""
        self._health_due = 0.0

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
                news = False
                try:
                    news = await self._look()
                    failing = False
                except (sqlite3.Error, OSError) as e:
                    # A worker that is just migrating, a file being replaced: the next look may succeed.
                    if not failing:
                        log.warning("cannot read %s: %s", self._data_dir / "traffic.db", e)
                    failing = True
                    await self._in_thread(self._latest.close)
                    await asyncio.sleep(1)
                except Exception:
                    log.exception("the latest calls could not be made ready to show")
                    await asyncio.sleep(1)
                await asyncio.sleep(GATHER_SECONDS if news else POLL_SECONDS)
        finally:
            await asyncio.shield(self._in_thread(self._latest.close))
            self._thread.shutdown(wait=False)

    async def _look(self) -> bool:
        """Whether there is something to tell."""
        now = time.monotonic()
        progress = self._followers > 0 and now >= self._progress_due
        known = {seq: k.running for seq, k in self._known.items()}
        found = await self._in_thread(lambda: self._latest.read(known, progress=progress))
        if progress:
            self._progress_due = now + PROGRESS_SECONDS
        news = found is not None and self._take(found)
        if await self.checked_problems() != self._told_problems:
            self._told_problems = self.problems
            news = True
        self._looks += 1
        if news:
            self._changed.set()
            self._changed = asyncio.Event()
        return news

    def _take(self, found: Found) -> bool:
        """Whether anything changed."""
        at = self._at + 1
        if found.gone is None:
            self._top = self._floor = 0
        for seq in list(self._known) if found.gone is None else found.gone:
            if known := self._known.pop(seq, None):
                self._gone.append((at, known.row["id"]))
                self._at = at
        del self._gone[:-MOST_GONE]
        self._floor = max(self._floor, found.floor)
        for seq in sorted(found.rows):
            row, known = found.rows[seq], self._known.get(seq)
            if known and known.row == row:
                continue
            self._known.pop(seq, None)
            self._known[seq] = Known(seq, row, at, *((known.told, known.told_at) if known else ()))
            self._at, self._top = at, max(self._top, seq)
        for progress in found.progress:
            if known := self._known.get(progress.seq):
                known.told, known.told_at, self._at = progress.values, at, at
        self._forget(True)
        self._forget(False)
        if self._at == at:
            self._encoded.clear()
        return self._at == at

    def _forget(self, running: bool) -> None:
        """Those that changed longest ago, beyond `WINDOW`."""
        of_kind = [seq for seq, k in self._known.items() if k.running == running]
        for seq in of_kind[: max(len(of_kind) - WINDOW, 0)]:
            del self._known[seq]
            self._floor = max(self._floor, seq)

    def _in_thread[T](self, work: Callable[[], T]) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._thread, work)


def _wordless(values: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in values.items() if name != "preview"}


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
