"""What policy did, as rows: decisions, detections, rewrites, and what rebuilds an original.

Written from what the proxy said in the journal, and by whoever judges the rules that only tell. `requests.decision` is the
weightiest thing that was done, for lists.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import msgspec

from intelligence.rewrite.apply import undo
from intelligence.rewrite.edits import Splice
from intelligence.store.journal import GovernHead
from intelligence.wire.json_value import sound

# From the lightest on.
WEIGHTS = ("allow", "alert", "redact", "throttle", "block")

INSERT_DECISION = """
insert into decisions (request, at, direction, rule, action, mode, acted, reason, failed, policy)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
INSERT_DETECTION = """
insert into detections (request, at, direction, kind, type, score, pointer, start, end, source, digest, rule)
values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
INSERT_REWRITE = """
insert into rewrites (request, at, direction, rule, reason, pointer, before, after) values (?, ?, ?, ?, ?, ?, ?, ?)"""
INSERT_ORIGINAL = "insert or ignore into originals (request, undo) values (?, ?)"
_ORIGINAL = (
    "select o.undo, q.body_sha256 from originals o join requests q on q.seq = o.request where o.request = ?"
)
MARK = """
update requests set decision = :action where seq = :seq
    and (decision is null or instr(:order, decision || ',') < instr(:order, :action || ','))"""
_ORDER = "".join(f"{action}," for action in WEIGHTS)


@dataclass(frozen=True, slots=True)
class Governed:
    """Something policy said of a call, at a time in Unix ms."""

    seq: int
    at: int
    head: GovernHead


def done(heads: Iterable[GovernHead]) -> str | None:
    """The weightiest action that was done; None when nothing was."""
    actions = [one.action for head in heads for one in head.decisions if one.acted and one.action in WEIGHTS]
    return max(actions, key=WEIGHTS.index, default=None)


def store(db: sqlite3.Connection, said: Sequence[Governed]) -> None:
    """Inside the caller's transaction. Raises `sqlite3.Error`."""
    for one in said:
        head, key = one.head, (one.seq, one.at, one.head.direction)
        db.executemany(
            INSERT_DECISION,
            [
                (*key, d.rule, d.action, d.mode, d.acted, sound(d.reason), d.failed, head.policy)
                for d in head.decisions
            ],
        )
        db.executemany(
            INSERT_DETECTION,
            [
                (*key, d.kind, d.type, d.score, sound(d.pointer), d.start, d.end, d.source, d.digest, d.rule)
                for d in head.detections
            ],
        )
        db.executemany(
            INSERT_REWRITE,
            [
                (
                    *key,
                    r.rule,
                    sound(r.reason),
                    sound(r.pointer),
                    r.before and sound(r.before),
                    r.after and sound(r.after),
                )
                for r in head.rewrites
            ],
        )
        if head.undo:
            db.execute(INSERT_ORIGINAL, (one.seq, msgspec.msgpack.encode(head.undo)))
        if action := done([head]):
            db.execute(MARK, {"seq": one.seq, "action": action, "order": _ORDER})


def original(db: sqlite3.Connection, seq: int, body: bytes) -> bytes | None:
    """The request as it came, of the rewritten one as recorded (`body`). None where nothing was kept to rebuild it from, or where
    the record has other bytes than were sent: the message tree keeps the value of a body, not always its spelling. Raises
    `sqlite3.Error`."""
    row = db.execute(_ORIGINAL, (seq,)).fetchone()
    if row is None or row[1] != hashlib.sha256(body).hexdigest():
        return None
    splices = msgspec.msgpack.decode(row[0], type=list[tuple[int, int, bytes]])
    return undo(body, [Splice(*one) for one in splices])
