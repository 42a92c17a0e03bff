"""The calls that last changed, read from the record again and again at little cost.

`read` looks at rows only when someone has committed since (`PRAGMA data_version`, a few microseconds), and then only at
those that are new and at those that were running: all else that can happen to a call (it is forgotten, a message makes its
model known) is found by reading everything known again, from `AGAIN_SECONDS` after the last time on. That, and what comes of
running answers, is done a part in each look: what is new never waits for it. A first look, and one after a long time without
any, takes the `WINDOW` newest calls; `floor` is where it began, so that what was passed over can be told.

Not for several threads at once. Nothing here knows of viewers.
"""

from __future__ import annotations

import json
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from datasette_plugins import calls, queries
from datasette_plugins.progress import Answers, Progress
from datasette_plugins.traffic import FileId, connect, file_id

WINDOW = 200
AGAIN_SECONDS = 2.0
AGAIN_AT_ONCE = 16


@dataclass
class Found:
    """`rows` by `requests.seq`: new ones and those read again. `gone`: calls that are no longer in the record; `None` if it is
    another record than before. `floor`: the highest `seq` that was passed over."""

    rows: dict[int, dict[str, Any]] = field(default_factory=dict)
    gone: list[int] | None = field(default_factory=list)
    floor: int = 0
    progress: list[Progress] = field(default_factory=list)


class Latest:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._file: FileId | None = None
        self._begin()

    def _begin(self) -> None:
        self._version = self._again_version = self._progress_version = -1
        self._again_due = 0.0
        self._again: list[int] = []
        self._top = 0
        self._answers = Answers()

    def read(self, known: dict[int, bool], *, progress: bool) -> Found | None:
        """What is new. `known`: the calls that are of interest, by `seq`, and whether they run. `None` if nobody committed.
        Raises `sqlite3.Error`, `OSError`."""
        before = self._file
        db = self._connection()
        if db is None:
            return None
        other = self._file != before and before is not None
        version = db.execute("pragma data_version").fetchone()[0]
        self._due(version, known, progress=progress)
        if version == self._version and not self._again and not self._answers.waiting:
            return None
        found, top = Found(gone=None if other else []), self._top
        if other:
            known = {}
        again, rest = self._again[:AGAIN_AT_ONCE], self._again[AGAIN_AT_ONCE:]
        db.execute("begin")
        try:
            if version != self._version:
                top = self._changes(db, found, [seq for seq, running in known.items() if running])
            self._all(db, found, [seq for seq in again if seq in known and seq not in found.rows])
            found.progress = self._answers.read(db) if self._answers.waiting else []
        finally:
            db.execute("rollback")
        self._version, self._top, self._again = version, top, rest
        return found

    def _due(self, version: int, known: dict[int, bool], *, progress: bool) -> None:
        """Begin with what is to be read again, if it is time and there is a reason."""
        now = time.monotonic()
        if not self._again and version != self._again_version and now >= self._again_due:
            self._again, self._again_version = list(known), version
            self._again_due = now + AGAIN_SECONDS
        if progress and version != self._progress_version:
            self._answers.again()
            self._progress_version = version

    def _changes(self, db: sqlite3.Connection, found: Found, running: list[int]) -> int:
        """The highest `seq` now."""
        top, first = self._top, self._top == 0
        new = [seq for (seq,) in db.execute(queries.NEW_CALLS, {"after": top, "limit": WINDOW})]
        if len(new) == WINDOW and new[-1] - 1 > top:
            found.floor = new[-1] - 1
        ended = [seq for (seq,) in db.execute(queries.NO_LONGER_RUNNING, {"seqs": json.dumps(running)})]
        old = [seq for (seq,) in db.execute(queries.RUNNING, {"limit": WINDOW})] if first else []
        self._rows(db, found, {*new, *ended, *old})
        return new[0] if new else top

    def _all(self, db: sqlite3.Connection, found: Found, seqs: list[int]) -> None:
        self._rows(db, found, set(seqs))
        if found.gone is not None:
            found.gone = [seq for seq in seqs if seq not in found.rows]

    def _rows(self, db: sqlite3.Connection, found: Found, seqs: set[int]) -> None:
        for row in db.execute(queries.CALLS_BY_SEQ, {"seqs": json.dumps(sorted(seqs))}) if seqs else ():
            found.rows[row["seq"]] = calls.row(row)

    def _connection(self) -> sqlite3.Connection | None:
        there = file_id(self._path)
        if there != self._file:
            self.close()
        if self._db is None and there is not None:
            db = connect(self._path)
            db.isolation_level = None
            if db.execute(queries.HAS_CALLS).fetchone() is None:
                db.close()
                return None
            self._db = db
            if there != self._file:
                self._file = there
                self._begin()
        return self._db

    def close(self) -> None:
        """Let go of the file; the next `read` opens it again."""
        if self._db is not None:
            self._db.close()
        self._db, self._version, self._again_version, self._progress_version = None, -1, -1, -1
