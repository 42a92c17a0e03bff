"""Policy files changed from the dashboard: tried first, written whole, and what they said before is kept.

A file is written only if the whole set with it is sound and all examples come out as expected. Who, when, why, before and after
stand in `policy_history` and in the audit log. A file that somebody else changed meanwhile is left alone.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from intelligence.policy import handed
from intelligence.policy.load import files_of
from intelligence.policy.testing import Detect
from intelligence.policy.text_file import MAX_BYTES, read
from intelligence.store import control
from intelligence.store.control import audit, now_ms

TEMPLATES = "templates"
MOST_REASON = 500
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}\.ya?ml")
_CHANGE = "select id, file, at, user, reason, before, after from policy_history"
_INSERT = "insert into policy_history (file, at, user, reason, before, after) values (?, ?, ?, ?, ?, ?)"


class EditError(Exception):
    """Why nothing was written. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Change:
    """None: there was, or is, no such file."""

    id: int
    file: str
    at: int
    user: str
    reason: str
    before: str | None
    after: str | None


def names(folder: Path) -> list[str]:
    """Files in force."""
    return [path.name for path in files_of(folder)]


def templates(folder: Path) -> list[str]:
    return sorted(path.stem for path in (folder / TEMPLATES).glob("*.yaml"))


def text_of(folder: Path, name: str) -> str | None:
    """Of a file in force, or of `templates/x.yaml`; None if it is not there. Raises `EditError`, `PolicyError`."""
    plain = name.removeprefix(f"{TEMPLATES}/")
    if not _NAME.fullmatch(plain):
        raise EditError(f"{name!r} is no name of a policy file, such as our-rules.yaml")
    path = folder / name
    return read(path, name) if path.is_file() else None


def digest(text: str | None) -> str:
    """By which is told whether a file changed meanwhile; empty for none."""
    return "" if text is None else hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def switched_on(name: str) -> str:
    """The text of a file that switches a template on."""
    return f"# Switches a template on. To change its rules, copy them here instead.\ninclude: {TEMPLATES}/{name}.yaml\n"


def save(
    data_dir: Path,
    folder: Path,
    detect: Detect,
    actor: str,
    name: str,
    text: str | None,
    reason: str,
    was: str,
) -> None:
    """`text` None removes the file; `was` is the digest of what the writer saw. Raises `EditError`, `PolicyError`,
    `sqlite3.Error`, `OSError`."""
    if not _NAME.fullmatch(name):
        raise EditError(f"{name!r} is no name of a policy file, such as our-rules.yaml")
    reason = " ".join(reason.split())[:MOST_REASON]
    if not reason:
        raise EditError("say why: it stands in the history")
    if text is not None and len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise EditError(f"{name} is larger than {MAX_BYTES // 1_000_000} MB")
    handed.checked(folder, detect, {name: text or ""})
    with control.changing(data_dir) as db:
        before = text_of(folder, name)
        if digest(before) != was:
            raise EditError(f"{name} was changed by somebody else meanwhile; load it anew")
        if before == text:
            raise EditError("nothing was changed")
        row = (name, now_ms(), actor, reason, before, text)
        change = db.execute(_INSERT, row).lastrowid
        said = {"sha256": digest(text), "reason": reason, "change": change} if text is not None else None
        audit(db, actor, "policy", name, {"sha256": digest(before)} if before is not None else None, said)
        _put(folder / name, text)


def changes(db: sqlite3.Connection, name: str | None, limit: int) -> list[Change]:
    """The latest first; of one file, or of all."""
    where = " where file = ?1" if name else ""
    return [Change(*row) for row in db.execute(f"{_CHANGE}{where} order by id desc limit ?2", (name, limit))]


def change(db: sqlite3.Connection, id_: int) -> Change | None:
    row = db.execute(f"{_CHANGE} where id = ?", (id_,)).fetchone()
    return Change(*row) if row else None


def line_of(fault: str) -> tuple[str, int, str]:
    """File, line and words of one line of a `PolicyError`; no file and 0 where it names none."""
    found = re.match(r"([^:\n]+\.ya?ml):(\d+): (.*)", fault)
    return (found[1], int(found[2]), found[3]) if found else ("", 0, fault)


def _put(path: Path, text: str | None) -> None:
    if text is None:
        with suppress(FileNotFoundError):
            path.unlink()
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_text(text, "utf-8", newline="\n")
        if path.exists():
            draft.chmod(path.stat().st_mode & 0o777)
        draft.rename(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
