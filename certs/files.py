"""Writing into the CA's folder while several processes start at once.

All writers hold one lock, and every file changes by rename: a reader needs no lock and sees a whole file, old or new.
A draft left behind by a killed writer is replaced by the next one. The lock is `flock` on a file that stays.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK_NAME = "mitmproxy-ca.lock"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Alone among the writers of this folder, which is made if need be. Waits for its turn. Raises `OSError`."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def write(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Replace the file at once, with exactly this mode, on disk before it has its name. Call it `locked`. Raises `OSError`."""
    draft = path.with_name(f".draft-{path.name}")
    draft.unlink(missing_ok=True)
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), mode)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def content(path: Path) -> bytes | None:
    """The file's bytes, None when it does not exist. Raises other `OSError`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
