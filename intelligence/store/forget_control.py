"""Forgetting in `control.db`: what people typed about calls that are forgotten, and what a forgotten user typed.

Of the calls: reasons given with a review, and reasons of decisions, which name tools that a model asked for. A review goes with
the calls; where the same text is in other calls too, or was allowed, its verdict stays, without the reason. Of a user: saved
searches and preferences. From the audit log the words of all these are taken (see `audit.forget`); that it was done, by whom, to
what and when stays, and so do accounts, policy files and their history. What somebody else typed elsewhere is not found.
Doing it again does no harm, and it comes before the calls go: afterwards nobody knows which they were.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Set
from contextlib import closing
from pathlib import Path
from typing import Any

from intelligence.store import audit, auditing, control, restore, reviews
from intelligence.store.ids import UUID_CHARS
from intelligence.store.jobs import JobError

ACTOR = "llmitm prune"
OF_A_PERSON = ("save search", "remove search", "set preferences")

_ELSEWHERE = "select q.id from detections d join requests q on q.seq = d.request where d.digest = ?"


def forget(db: sqlite3.Connection, data_dir: Path, calls: Set[str], user: str | None) -> None:
    """`db` is `traffic.db`, which still has the `calls`. Raises `JobError`, `sqlite3.Error`, `OSError`."""
    path = data_dir / control.NAME
    try:
        while auditing.take(db, data_dir):
            pass
        if not path.exists():
            return
        control.prepare(data_dir)
    except control.ControlError as e:
        raise JobError(str(e)) from None
    with control.changing(data_dir) as log:
        _reviews(db, log, calls)
        if user is not None:
            log.execute("delete from saved_searches where user = ?", (user,))
            log.execute("delete from settings where user = ?", (user,))
        entries = audit.forget(log, _entries(log, calls, user))
        done = {"calls": len(calls), "entries": entries}
        control.audit(
            log, ACTOR, "forget", "calls of a session" if user is None else "calls of a user", None, done
        )
    reviews.hand_over(data_dir)
    with closing(sqlite3.connect(path, isolation_level=None, timeout=control.WAIT_SECONDS)) as whole:
        whole.execute("pragma temp_store = memory")
        whole.execute("vacuum")
    if not restore.fold(path):
        raise JobError(f"{path} is damaged or cannot be written; `llmitm doctor` may say more")


def _reviews(db: sqlite3.Connection, log: sqlite3.Connection, calls: Set[str]) -> None:
    for digest, call, verdict in log.execute("select digest, call, verdict from reviews").fetchall():
        if call[:UUID_CHARS] not in calls:
            continue
        if verdict == reviews.ALLOWED or any(
            id_[:UUID_CHARS] not in calls for (id_,) in db.execute(_ELSEWHERE, (digest,))
        ):
            log.execute("update reviews set reason = '' where digest = ?", (digest,))
        else:
            log.execute("delete from reviews where digest = ?", (digest,))


def _entries(log: sqlite3.Connection, calls: Set[str], user: str | None) -> list[int]:
    """The entries of the audit log that tell of them. A review that was taken back, or said anew of another call, tells what
    was said before without the call: it is known by its reason."""
    found: list[int] = []
    said: set[str] = set()
    for entry in audit.entries(log):
        action, before, after = entry["action"], _parsed(entry["before"]), _parsed(entry["after"])
        if action.startswith("decision."):
            tells = entry["subject"][:UUID_CHARS] in calls
        elif action == "review":
            of_them = str(after.get("call"))[:UUID_CHARS] in calls
            if of_them and after.get("reason"):
                said.add(after["reason"])
            tells = of_them or before.get("reason") in said
        else:
            tells = (
                action in OF_A_PERSON and user is not None and user in (entry["actor"], before.get("user"))
            )
        if tells:
            found.append(entry["id"])
    return found


def _parsed(text: str | None) -> dict[str, Any]:
    value = json.loads(text) if text else None
    return value if isinstance(value, dict) else {}
