"""Work on `traffic.db` that someone asks for: files in `data/jobs/`, done by whoever holds the right to write.

    <id>.json   asked for: {"kind": …, "arguments": {…}}; stays until it is done, so a killed worker does it again
    <id>.done   the answer: {"report": {…}} or {"error": "…"}; the one who asked removes it

Both appear by a rename, so nobody reads half of one. Ids sort by time, and jobs are done in that order, one at a time.
Whatever a job does must bear being done again from the start.
"""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = "jobs"
UNREAD_SECONDS = 3600.0  # an answer nobody fetched


class JobError(Exception):
    """A job that cannot be done. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Job:
    path: Path
    kind: str
    arguments: dict[str, Any]

    @property
    def _answer(self) -> Path:
        return self.path.with_suffix(".done")

    @property
    def is_done(self) -> bool:
        return self._answer.exists()

    def finish(self, *, report: dict[str, Any] | None = None, error: str | None = None) -> None:
        """Raises `OSError`."""
        _write(self._answer, {"report": report} if error is None else {"error": error})
        self.path.unlink(missing_ok=True)

    def answer(self) -> dict[str, Any] | None:
        """What came of it, once; None while it is not done. Raises `JobError` if it failed."""
        if (said := _read(self._answer)) is None:
            return None
        self._answer.unlink(missing_ok=True)
        if "error" in said:
            raise JobError(said["error"])
        report: dict[str, Any] = said["report"]
        return report


def submit(data_dir: Path, kind: str, arguments: dict[str, Any]) -> Job:
    """Raises `OSError`."""
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    job = Job(folder / f"{time.time_ns():020d}-{os.urandom(4).hex()}.json", kind, arguments)
    _write(job.path, {"kind": kind, "arguments": arguments})
    return job


def waiting(data_dir: Path) -> list[Job]:
    """Those not done yet, oldest first. What cannot be read is left alone."""
    found = []
    for path in sorted((data_dir / FOLDER).glob("*.json")):
        said = _read(path)
        if said and isinstance(said.get("kind"), str) and isinstance(said.get("arguments"), dict):
            found.append(Job(path, said["kind"], said["arguments"]))
    return found


def remove_unread(data_dir: Path) -> None:
    for path in (data_dir / FOLDER).glob("*.done"):
        try:
            if time.time() - path.stat().st_mtime > UNREAD_SECONDS:
                path.unlink()
        except FileNotFoundError:
            continue


def _read(path: Path) -> dict[str, Any] | None:
    try:
        said = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def _write(path: Path, value: dict[str, Any]) -> None:
    draft = path.with_suffix(".new")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        json.dump(value, file)
    draft.rename(path)
