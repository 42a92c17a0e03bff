"""What people said of what detectors saw: `confirmed`, `dismissed`, or `allowed`, which is in force at once.

A review is of the text that was seen, by its keyed digest, so it holds for every call that repeats it; the text itself is not
kept here. Of a decision it is of that one decision. Allowed texts are written to `data/policy/allowed.json` as well, from where
the proxy and the worker take them within a second, whether or not the policy files can be used.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from intelligence.policy.handed import hand_over_allowed
from intelligence.policy.rule import Allowance
from intelligence.store import control
from intelligence.store.control import audit, now_ms

CONFIRMED, DISMISSED, ALLOWED = VERDICTS = ("confirmed", "dismissed", "allowed")
MOST_REASON = 500
DECISION = "decision"

_UPSERT = """
insert into reviews (digest, kind, type, call, verdict, user, at, reason, until) values (?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (digest) do update set verdict = excluded.verdict, user = excluded.user, at = excluded.at,
    reason = excluded.reason, until = excluded.until, call = excluded.call"""
_ALLOWED = "select kind, digest, until, user, reason from reviews where verdict = 'allowed' order by at"


class ReviewError(Exception):
    """What cannot be said. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is reviewed, and the call in which it was looked at."""

    digest: str
    kind: str
    type: str
    call: str


@dataclass(frozen=True, slots=True)
class Review:
    verdict: str
    user: str
    at: int
    reason: str
    until: str | None


def subject_of_decision(call: str, direction: str, rule: str) -> Subject:
    return Subject(f"{call}/{direction}/{rule}", DECISION, rule, call)


def say(
    db: sqlite3.Connection,
    actor: str,
    subjects: Sequence[Subject],
    verdict: str | None,
    reason: str = "",
    until: date | None = None,
) -> None:
    """None takes back what was said. In the transaction of `db`; `hand_over` is to follow. Raises `ReviewError`."""
    if verdict is not None and verdict not in VERDICTS:
        raise ReviewError(f"{verdict!r} is not something to say of a detection")
    reason = " ".join(reason.split())[:MOST_REASON]
    for one in subjects:
        if verdict == ALLOWED and one.kind == DECISION:
            raise ReviewError(
                "a decision can be approved or dismissed; what is allowed is what a detector saw"
            )
        before = of(db, [one.digest]).get(one.digest)
        if verdict is None:
            db.execute("delete from reviews where digest = ?", (one.digest,))
        else:
            last = until.isoformat() if until and verdict == ALLOWED else None
            row = (one.digest, one.kind, one.type, one.call, verdict, actor, now_ms(), reason, last)
            db.execute(_UPSERT, row)
        said = {"verdict": verdict, "reason": reason, "digest": one.digest, "call": one.call}
        was = {"verdict": before.verdict, "reason": before.reason} if before else None
        audit(db, actor, "review", f"{one.kind} {one.type}", was, said if verdict else None)


def of(db: sqlite3.Connection, digests: Sequence[str]) -> dict[str, Review]:
    """Those there are, by digest."""
    marks = ", ".join("?" * len(digests))
    rows = db.execute(
        f"select digest, verdict, user, at, reason, until from reviews where digest in ({marks})",  # noqa: S608
        list(digests),
    )
    return {row[0]: Review(*row[1:]) for row in rows}


def reviewed(db: sqlite3.Connection) -> set[str]:
    """The digests of all that somebody has looked at."""
    return {digest for (digest,) in db.execute("select digest from reviews")}


def allowances(db: sqlite3.Connection) -> list[Allowance]:
    """As entries of an allow-list."""
    return [
        Allowance(
            kind=kind,
            hash=digest,
            until=date.fromisoformat(until) if until else None,
            reason=f"{user}: {reason}",
        )  # type: ignore[call-arg]
        for kind, digest, until, user, reason in db.execute(_ALLOWED)
    ]


def hand_over(data_dir: Path) -> None:
    """Put what is allowed in force. Raises `sqlite3.Error`, `OSError`."""
    with suppress(FileNotFoundError), control.reading(data_dir) as db:
        entries = allowances(db)
        hand_over_allowed(data_dir, entries)
