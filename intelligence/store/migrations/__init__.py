"""The schema of `traffic.db`, in named steps that run by themselves when the worker opens it.

The steps are in the modules beside this one, imported in their order; a new one goes to the end of the last.
A step is run once, in a transaction together with the record of it, and never edited later: what changes, changes in a
new step. A database that has steps this program does not know was made by a newer one and is refused, untouched.
Only the worker (or a command under its lock) opens the database this way; readers use `queries.connect`.

The file is in WAL mode, so readers never wait for the writer, and in `auto_vacuum = incremental`, because retention
must be able to hand space back without a second copy of the file, and the mode cannot be changed afterwards.
A commit is not synced by itself (`synchronous = normal`): what a power cut takes is still in the journal, whose segments
go only after a synced commit (see `worker`).
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from intelligence.store import backup, views
from intelligence.store.migrations import m0_record, m2_reading, m5_governing  # noqa: F401 - which register the steps
from intelligence.store.migrations.registry import migrations
from intelligence.store.sqlite_tools import sqlite_utils

__all__ = ["SchemaError", "migrations", "open_database", "refuse_newer"]

# Frames of a log that a checkpoint has copied are reused; what a rush made it grow beyond this is cut off again.
WAL_LIMIT_BYTES = 64 * 1024 * 1024
# Instructions of SQLite between two looks at `stop`: some milliseconds.
STOP_INSTRUCTIONS = 100_000


class SchemaError(Exception):
    """A database this program must not touch. The message is for the user."""


def open_database(path: Path, stop: Callable[[], bool] = lambda: False) -> sqlite3.Connection:
    """The writer's connection, schema up to date, in autocommit. `stop`: whether to give up bringing it up to date, which takes
    minutes for a large one; the next goes on after the last step that was done. Raises `SchemaError`, `backup.Stopped`,
    `sqlite3.Error`, `OSError`."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # -wal and -shm take over its mode. An existing file is not touched: closing it would drop this process' locks.
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    db = sqlite3.connect(path, isolation_level=None, timeout=10)
    try:
        refuse_newer(db, path)
        db.execute("pragma auto_vacuum = incremental")  # no effect unless the file is new
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
        # What goes is overwritten where that costs no further write.
        db.execute("pragma secure_delete = fast")
        db.execute("pragma foreign_keys = on")
        db.execute(f"pragma journal_size_limit = {WAL_LIMIT_BYTES}")
        db.execute("pragma temp_store = memory")
        _migrate(db, path, stop)
        views.refresh(db)
    except BaseException:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection, path: Path, stop: Callable[[], bool]) -> None:
    """A database that holds something is copied before it is changed."""
    wrapped = sqlite_utils.Database(db)
    pending = migrations.pending(wrapped)
    if pending and migrations.applied(wrapped) and db.execute("select 1 from requests").fetchone():
        try:
            backup.make(path, "migration", stop=stop)
        except backup.BackupError as e:
            raise SchemaError(f"{path} must be backed up before it is brought up to date: {e}") from None
        backup.rotate(path.parent, "migration", backup.MIGRATIONS_KEPT)
    if not pending:
        return
    db.set_progress_handler(stop, STOP_INSTRUCTIONS)
    try:
        migrations.apply(wrapped)
    except sqlite3.OperationalError as e:
        if stop():
            raise backup.Stopped from e
        raise
    finally:
        db.set_progress_handler(None, 0)


def refuse_newer(db: sqlite3.Connection, path: Path) -> None:
    """Raises `SchemaError`."""
    known = {step.name for step in migrations.pending(sqlite_utils.Database(memory=True))}
    applied = {step.name for step in migrations.applied(sqlite_utils.Database(db))}
    if newer := sorted(applied - known):
        raise SchemaError(
            f"{path} was made by a newer llmitm (it has {', '.join(newer)}). "
            "Upgrade llmitm, or set store.dir in mitm.toml to another folder."
        )
