"""Backups of `traffic.db` and `control.db`: whole copies, taken while they are written, zstd-compressed, in `data/backups/`.

    traffic-<UTC time>-<why>.db.zst      why: `daily`, `migration`, `manual`
    control-<UTC time>-<why>.db.zst      why: `daily`, `manual`, `replaced`

A copy is of one moment: it is read in one snapshot, page by page, through a connection of its own, so neither writer nor readers
wait. It gets its name only when it is complete and on disk; a killed run leaves a draft, which the next one removes. It goes to
the disk bit by bit, so that it can be given up within a second or two, and no commit has to wait for all of it. Rotation keeps
the newest of a kind, and never touches those that a person asked for.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import zstandard

from intelligence.store import control, queries

FOLDER = "backups"
PAGES = 1024  # copied between two looks at `stop`
BLOCK = 1 << 20  # packed between two
SYNC_BYTES = 32 << 20  # written between two syncs
DAY_SECONDS = 86_400
MIGRATIONS_KEPT = 2


class BackupError(Exception):
    """No backup could be made. The message is for the user."""


class Stopped(Exception):
    """The copy was given up because the process ends."""


def make(
    database: Path, why: str = "manual", *, file: Path | None = None, stop: Callable[[], bool] = lambda: False
) -> Path:
    """A backup of the database as it is now, at `file` (compressed if its name ends in `.zst`) or in the folder of backups.
    Returns where it is. Raises `BackupError`, `Stopped`, `sqlite3.Error`, `OSError`."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    path = file or database.parent / FOLDER / f"{database.stem}-{stamp}-{why}.db.zst"
    if file is None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        remove_drafts(path.parent)
    elif path.exists():
        raise BackupError(f"{path} is there already; name another file, or remove it")
    elif not path.parent.is_dir():
        raise BackupError(f"{path.parent} is no folder")
    room(path.parent, database.stat().st_size)
    copy, packed = path.with_name(f"{path.name}.copy"), path.with_name(f"{path.name}.draft")
    try:
        _copy(database, copy, stop)
        if path.suffix == ".zst":
            _compress(copy, packed, stop)
            packed.rename(path)
        else:
            copy.rename(path)
        sync_folder(path.parent)
    finally:
        for draft in (copy, packed):
            draft.unlink(missing_ok=True)
    return path


def make_all(
    data_dir: Path, why: str = "manual", *, file: Path | None = None, stop: Callable[[], bool] = lambda: False
) -> tuple[Path, Path | None]:
    """Of both databases; the second beside the first, as `control-<name>` where `file` names that. None: there is no
    `control.db`. Raises as `make`."""
    beside = file.with_name(f"control-{file.name}") if file else None
    has_control = (data_dir / control.NAME).exists()
    if beside and has_control and beside.exists():
        raise BackupError(f"{beside} is there already; name another file, or remove it")
    made = make(data_dir / "traffic.db", why, file=file, stop=stop)
    return made, make(data_dir / control.NAME, why, file=beside, stop=stop) if has_control else None


def room(folder: Path, needed: int) -> None:
    """Raises `BackupError` when the disk cannot hold so many bytes more."""
    free = shutil.disk_usage(folder).free
    if free < needed * 1.05:
        raise BackupError(
            f"{folder}: {free // 1_000_000:,} MB are free, {needed * 1.05 // 1_000_000:,.0f} MB are needed"
        )


def stored(data_dir: Path, why: str | None = None, of: str = "traffic") -> list[Path]:
    """The backups in the data folder, oldest first: all of them, or those of one kind."""
    return sorted((data_dir / FOLDER).glob(f"{of}-*-{why}.db.zst" if why else "*.db*"))


def rotate(data_dir: Path, why: str, keep: int) -> list[Path]:
    """Remove all but the newest of either database. Returns those removed. Raises `OSError`."""
    old = []
    for of in ("traffic", "control"):
        found = stored(data_dir, why, of)
        old += found[: max(len(found) - keep, 0)]
    for path in old:
        path.unlink(missing_ok=True)
    return old


def is_due(data_dir: Path, now: float | None = None) -> bool:
    """Whether the last daily backup is a day old, or there is none."""
    last = stored(data_dir, "daily")
    return not last or (time.time() if now is None else now) - last[-1].stat().st_mtime >= DAY_SECONDS


def remove_drafts(folder: Path) -> None:
    """What runs left that were killed. Only for the one process that may write here."""
    for pattern in ("*.copy", "*.copy-journal", "*.draft"):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def private_file(path: Path) -> int:
    """A new empty file for this user only; SQLite would make it readable by others."""
    path.unlink(missing_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)


def sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _copy(database: Path, copy: Path, stop: Callable[[], bool]) -> None:
    fd = private_file(copy)
    synced = 0

    def progress(*_: int) -> None:
        nonlocal synced
        if stop():
            raise Stopped
        if (size := os.fstat(fd).st_size) - synced >= SYNC_BYTES:
            os.fsync(fd)
            synced = size

    try:
        with closing(queries.connect(database)) as source, closing(sqlite3.connect(copy)) as target:
            # Held for the whole copy, or each commit of the worker would begin it anew.
            source.execute("begin")
            source.execute("select 1 from sqlite_schema").fetchone()
            target.execute("pragma synchronous = off")  # that is done here
            source.backup(target, pages=PAGES, progress=progress)
        os.fsync(fd)
    finally:
        os.close(fd)  # not while SQLite has it open, whose locks would go


def _compress(copy: Path, packed: Path, stop: Callable[[], bool]) -> None:
    compressor = zstandard.ZstdCompressor(level=3, write_checksum=True)
    synced = 0
    with copy.open("rb") as plain, os.fdopen(private_file(packed), "wb") as out:
        with compressor.stream_writer(out, closefd=False) as writer:
            while block := plain.read(BLOCK):
                if stop():
                    raise Stopped
                writer.write(block)
                if out.tell() - synced >= SYNC_BYTES:
                    out.flush()
                    os.fsync(out.fileno())
                    synced = out.tell()
        out.flush()
        os.fsync(out.fileno())
