"""Second opinions on what detectors were not sure of: which there are to be, and those there are.

An opinion is of a text, by the digest of the detection that it was asked for, and holds for each detection of that digest. It
goes when its call is forgotten, and with the content of its call.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Container
from dataclasses import dataclass
from typing import Literal, get_args

from intelligence.policy.evidence import seen_digest
from intelligence.store import queries
from intelligence.store.judging import answer_places
from intelligence.store.reading import BODY_BYTES
from intelligence.wire.json_value import INVALID, decode
from intelligence.wire.places import places

Verdict = Literal["attack", "harmless", "unsure"]
VERDICTS = get_args(Verdict)
# Of the latest doubtful ones, so many are looked through for one that nobody was asked about.
SCANNED = 500

_DOUBTFUL = f"""
select d.id, d.request, d.direction, d.kind, d.pointer, d.start, d.end, d.source, d.digest
from detections d where d.kind = 'injection' and d.at >= ? and d.score >= ? and d.score < ?
    and not exists (select 1 from detections e join opinions o on o.detection = e.id where e.digest = d.digest)
order by d.at desc, d.id desc limit {SCANNED}"""  # noqa: S608
_CALL = """
select q.format, q.operation, q.path, q.headers, r.text, r.tool_calls
from requests q left join responses r on r.request = q.seq where q.seq = ?"""
_INSERT = """
insert or ignore into opinions (detection, at, verdict, reason, model, cost_usd)
select ?1, ?2, ?3, ?4, ?5, ?6 where exists (select 1 from detections where id = ?1)"""
_SPENT = "select coalesce(sum(cost_usd), 0) from opinions where at >= ?"
_OF = """
select o.verdict, o.reason from detections d join opinions o on o.detection = d.id where d.digest = ?
order by o.at desc limit 1"""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A detection; `start` and `end` are code points of the text at `pointer`."""

    id: int
    request: int
    direction: str
    kind: str
    pointer: str
    start: int
    end: int
    source: str
    digest: str


@dataclass(frozen=True, slots=True)
class Opinion:
    """`at` is Unix ms; `cost_usd` is at list price."""

    detection: int
    at: int
    verdict: str
    reason: str
    model: str
    cost_usd: float


def doubtful(
    db: sqlite3.Connection, from_score: float, to_score: float, since_ms: int, done: Container[str]
) -> Doubtful | None:
    """The latest that there is no opinion on, and whose digest is not `done`. Raises `sqlite3.Error`."""
    for row in db.execute(_DOUBTFUL, (since_ms, from_score, to_score)):
        one = Doubtful(*row)
        if one.digest not in done:
            return one
    return None


def span_of(db: sqlite3.Connection, one: Doubtful, key: bytes) -> tuple[str, int, int] | None:
    """The whole text, and where in it the span stands; None where the record has it no more. Raises `sqlite3.Error`."""
    row = db.execute(_CALL, (one.request,)).fetchone()
    if row is None:
        return None
    format_, operation, path, headers, said, tool_calls = row
    if one.direction == "response":
        found = answer_places(said, tool_calls)
    else:
        given = [(str(name), str(value)) for name, value in json.loads(headers or "[]")]
        value = decode(queries.body(db, one.request, "request", given, BODY_BYTES))
        found = [] if value is INVALID else places(format_, operation, path or "", value)
    for place in found:
        if place.pointer == one.pointer:
            seen = place.text[one.start : one.end]
            if seen_digest(key, one.kind, seen) == one.digest:
                return place.text, one.start, one.end
    return None


def spent_usd(db: sqlite3.Connection, since_ms: int) -> float:
    """What opinions have cost from then on. Raises `sqlite3.Error`."""
    return float(db.execute(_SPENT, (since_ms,)).fetchone()[0])


def store(db: sqlite3.Connection, one: Opinion) -> None:
    """Nothing where the detection was forgotten meanwhile. Raises `sqlite3.Error`."""
    db.execute(_INSERT, (one.detection, one.at, one.verdict, one.reason, one.model, one.cost_usd))


def of(db: sqlite3.Connection, digest: str) -> tuple[str, str] | None:
    """Verdict and reason, the latest on this text; None where nobody was asked. Raises `sqlite3.Error`."""
    row = db.execute(_OF, (digest,)).fetchone()
    return (str(row[0]), str(row[1])) if row else None
