"""Putting another database in the place of `traffic.db`: a backup, or the same one rewritten; and a backup into `control.db`.

The file that comes is made beside, complete and synced; then one rename puts it in place, so a kill leaves the one or the
other, whole. The write-ahead log is folded into the file that goes before that, for a log found beside another file would be
played into it. Readers that have the old file open go on reading it until they notice.
The caller holds the right to write and has closed its connections.

`control.db` is written by every process at any time, so it stays the file it is: the backup is copied into it in one transaction.
Whoever was logged in has to log in again, and the audit log says that it was restored.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from intelligence.store import auditing, backup, control, reviews
from intelligence.store.jobs import JobError
from intelligence.store.migrations import SchemaError, refuse_newer

SQLITE = b"SQLite format 3\0"
ZSTD = b"\x28\xb5\x2f\xfd"
HEADER = 100  # bytes, see https://www.sqlite.org/fileformat.html: page size at 16, pages at 28
READERS_SECONDS = 30.0


def restore(data_dir: Path, file: Path) -> dict[str, Any]:
    """Verify a backup and put it in place; what was there is kept in the folder of backups. Raises `JobError` (nothing was
    changed), `OSError`."""
    database = data_dir / "traffic.db"
    draft = database.with_name("traffic.db.restoring")
    try:
        _unpack(file, draft)
        if _is_control(draft):
            return _restore_control(data_dir, draft, file)
        report = _verify(draft, file)
        aside = None
        if database.exists():
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
            aside = data_dir / backup.FOLDER / f"traffic-{stamp}-replaced.db"
        put_in_place(draft, database, aside)
        with closing(sqlite3.connect(database)) as db:
            auditing.go_on(db, data_dir)
    finally:
        draft.unlink(missing_ok=True)
    return {**report, "replaced": str(aside) if aside else None}


def _is_control(draft: Path) -> bool:
    try:
        with closing(_open(draft)) as db:
            return db.execute("select 1 from sqlite_schema where name = 'audit_log'").fetchone() is not None
    except sqlite3.DatabaseError:
        return False


def _restore_control(data_dir: Path, draft: Path, file: Path) -> dict[str, Any]:
    try:
        with closing(_open(draft)) as source:
            control.refuse_newer(source, file)
            _check(source, file)
            there = (data_dir / control.NAME).exists()
            replaced = backup.make(data_dir / control.NAME, "replaced") if there else None
            control.prepare(data_dir)
            control.replace(data_dir, source, str(file))
            control.prepare(data_dir)
            reviews.hand_over(data_dir)
    except (control.ControlError, backup.BackupError) as e:
        raise JobError(str(e)) from None
    with control.reading(data_dir) as db:
        users = db.execute("select count(*) from users").fetchone()[0]
    return {"file": str(file), "users": users, "replaced": str(replaced) if replaced else None}


def put_in_place(new: Path, database: Path, aside: Path | None) -> None:
    """Raises `JobError` if readers keep the old one busy, `OSError`."""
    folded = fold(database)
    log = database.with_name(f"{database.name}-wal")
    if aside:
        aside.parent.mkdir(mode=0o700, exist_ok=True)
        os.link(database, aside)
        if not folded and log.exists():  # damaged; what it holds may still be wanted
            log.rename(aside.with_name(f"{aside.name}-wal"))
        backup.sync_folder(aside.parent)
    _remove_log(database)
    new.rename(database)
    _remove_log(database)  # a reader may have begun one for the old file
    backup.sync_folder(database.parent)


def fold(database: Path) -> bool:
    """The write-ahead log into the database. False if that is damaged or not there. Raises `JobError` if readers keep it busy."""
    if not database.exists():
        return False
    deadline = time.monotonic() + READERS_SECONDS
    try:
        with closing(sqlite3.connect(database, isolation_level=None, timeout=1)) as db:
            while db.execute("pragma wal_checkpoint(truncate)").fetchone()[0]:
                if time.monotonic() > deadline:
                    raise JobError(
                        f"another program has been reading {database} for {READERS_SECONDS:.0f} s; "
                        "stop it (or the dashboard) and try again"
                    )
                time.sleep(0.05)
    except sqlite3.DatabaseError:
        return False
    return True


def _remove_log(database: Path) -> None:
    for suffix in ("-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def _unpack(file: Path, draft: Path) -> None:
    try:
        with file.open("rb") as source:
            magic = source.read(16)
            source.seek(0)
            if magic != SQLITE and not magic.startswith(ZSTD):
                raise JobError(f"{file} is no backup of traffic.db")
            backup.room(draft.parent, _plain_size(source, file, packed=magic != SQLITE))
            with os.fdopen(backup.private_file(draft), "wb") as out:
                plain = source if magic == SQLITE else zstandard.ZstdDecompressor().stream_reader(source)
                while block := plain.read(1 << 20):
                    out.write(block)
                out.flush()
                os.fsync(out.fileno())
    except FileNotFoundError:
        raise JobError(f"{file}: no such file") from None
    except zstandard.ZstdError as e:
        raise JobError(f"{file} is damaged: {e}") from None
    except backup.BackupError as e:
        raise JobError(f"the backup is unpacked beside the database first, and {e}") from None


def _plain_size(source: BinaryIO, file: Path, *, packed: bool) -> int:
    """How large the database in it is, of which the header says so. A hundred bytes tell, whatever the compression."""
    head = (
        zstandard.ZstdDecompressor().stream_reader(source, closefd=False).read(HEADER)
        if packed
        else source.read(HEADER)
    )
    source.seek(0)
    page, pages = int.from_bytes(head[16:18], "big"), int.from_bytes(head[28:32], "big")
    return max((page if page > 1 else 65536) * pages, file.stat().st_size)


def _verify(draft: Path, file: Path) -> dict[str, Any]:
    try:
        with closing(_open(draft)) as db:
            refuse_newer(db, file)
            _check(db, file)
            calls, newest = db.execute("select count(*), max(started_at) from requests").fetchone()
    except SchemaError as e:
        raise JobError(str(e)) from None
    except sqlite3.DatabaseError as e:
        raise JobError(f"{file} is no backup of traffic.db: {e}") from None
    return {"file": str(file), "calls": calls, "newest_ms": newest}


def _open(draft: Path) -> sqlite3.Connection:
    """Immutable: a copy whose log was folded needs none, and none shall appear."""
    return sqlite3.connect(f"{draft.absolute().as_uri()}?immutable=1", uri=True)


def _check(db: sqlite3.Connection, file: Path) -> None:
    damage = [row[0] for row in db.execute("pragma integrity_check(3)")]
    if damage != ["ok"]:
        raise JobError(f"{file} is damaged: {'; '.join(damage)}")


def remove_draft(data_dir: Path) -> None:
    """What a killed run left."""
    for name in ("traffic.db.restoring", "traffic.db.rewritten", "traffic.db.rewritten-journal"):
        with suppress(OSError):
            (data_dir / name).unlink(missing_ok=True)
