"""What is kept how long: by age, and by the size of `traffic.db`. Content goes; the calls with their counts stay.

Two stages. First goes the *raw* answer: its bytes as they arrived and the messages of a WebSocket. Later goes the *content*:
bodies, text, reasoning, arguments of tools, headers. `requests.pruned` says which of the two a call has lost. A call that has
not ended loses nothing.

Work is done in transactions of some milliseconds, each taken up after a `yield`, so that whoever stores new calls on the same
connection goes on between them. Killed in between, it goes on from where it was the next time. Freed pages are handed back to
the file system (`auto_vacuum = incremental`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from intelligence.store import sweep

DAY_MS = 86_400_000
SPAN = 2_000  # calls looked at in one transaction
CALLS = 100  # calls that lose something in one transaction
VACUUM_PAGES = 500
# Beyond `max_bytes`, content goes until so much is left: not at every new call anew.
REFILL = 0.95

Stage = Literal["raw", "content"]
STAGES: tuple[Stage, ...] = ("raw", "content")

# The calls of a span that have something to lose.
RAW_OF_SPAN = """
select q.seq from requests q where q.seq > :after and q.seq <= :last and q.pruned is null
    and q.started_at < :before_ms and q.state <> 'pending'
    and not exists (select 1 from open_calls o where o.request = q.seq) order by q.seq limit :limit"""
CONTENT_OF_SPAN = RAW_OF_SPAN.replace("q.pruned is null", "q.pruned is not 'content'")
RAW_OLDEST = """
select q.seq, q.started_at from requests q where (q.started_at, q.seq) > (:at_ms, :after) and q.pruned is null
    and q.state <> 'pending' and not exists (select 1 from open_calls o where o.request = q.seq)
    order by q.started_at, q.seq limit :limit"""
CONTENT_OLDEST = RAW_OLDEST.replace("q.pruned is null", "q.pruned is not 'content'")

BYTES = "select coalesce(sum(length(data) + coalesce(length(arrivals), 0)), 0) from bodies where request = ?"
DELETE = {
    "raw": ["delete from bodies where request = :seq and kind in ('response', 'messages')"],
    "content": [
        "delete from bodies where request = :seq",
        """update responses set headers = null, text = null, reasoning = null, error_message = null,
            tool_calls = iif(tool_calls is null, null, (select json_group_array(json_object(
                    'id', null, 'name', json_extract(value, '$.name'), 'arguments', '')) from json_each(tool_calls))),
            server_tool_calls = null where request = :seq""",
        "update requests set headers = null where seq = :seq",
        "delete from search_texts where request = :seq",
        "update rewrites set before = null, after = null where request = :seq",
        "delete from originals where request = :seq",
        "delete from opinions where detection in (select id from detections where request = :seq)",
    ],
}
MARK = "update requests set pruned = :stage where seq = :seq"


@dataclass(frozen=True, slots=True)
class Limits:
    """None is no limit."""

    raw_before_ms: int | None = None
    content_before_ms: int | None = None
    max_bytes: int | None = None


def limits(raw_days: int, retention_days: int, max_bytes: int, now_ms: int | None = None) -> Limits:
    """Of the settings, in which 0 is no limit."""
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    return Limits(
        now - raw_days * DAY_MS if raw_days else None,
        now - retention_days * DAY_MS if retention_days else None,
        max_bytes or None,
    )


def used_bytes(db: sqlite3.Connection) -> int:
    """Of the database, without pages that hold nothing."""
    pages, free, size = (
        int(db.execute(f"pragma {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return (pages - free) * size


def prune(db: sqlite3.Connection, limits: Limits) -> Generator[bool, None, dict[str, Any]]:
    """Take what is beyond the limits. Yields whether rows of the message tree went. Raises `sqlite3.Error`; what was
    committed by then stays so."""
    before = used_bytes(db)
    report = {"raw": 0, "content": 0}
    for stage, seqs in _beyond(db, limits):
        report[stage] += len(seqs)
        _take(db, stage, seqs)
        yield stage == "content" and bool(seqs)
    yield from vacuum(db)
    return {**report, "bytes_before": before, "bytes_after": used_bytes(db)}


def survey(db: sqlite3.Connection, limits: Limits) -> dict[str, Any]:
    """What `prune` would take, as near as can be said without doing it. Writes nothing."""
    used = used_bytes(db)
    report: dict[str, Any] = {"raw": 0, "content": 0, "bytes_before": used}
    goes: dict[int, int] = {}
    ages: tuple[tuple[Stage, int | None], ...]
    ages = (("content", limits.content_before_ms), ("raw", limits.raw_before_ms))
    for stage, before_ms in ages:
        for seqs in _by_age(db, stage, before_ms):
            fresh = [seq for seq in seqs if seq not in goes]
            report[stage] += len(fresh)
            goes |= {seq: _weight(db, seq, stage) for seq in fresh}
    left = used - sum(goes.values())
    if limits.max_bytes is not None and left > limits.max_bytes:
        for stage in STAGES:
            for seqs in _oldest(db, stage):
                for seq in seqs:
                    if (
                        left > limits.max_bytes * REFILL
                        and (size := _weight(db, seq, stage) - goes.get(seq, 0)) > 0
                    ):
                        report[stage] += 1
                        left -= size
                        goes[seq] = goes.get(seq, 0) + size
                if left <= limits.max_bytes * REFILL:
                    break
    return {**report, "bytes_after": max(left, 0)}


def vacuum(db: sqlite3.Connection) -> Generator[bool, None, None]:
    """Hand free pages back to the file system."""
    while db.execute("pragma freelist_count").fetchone()[0]:
        before = db.execute("pragma page_count").fetchone()
        db.execute(f"pragma incremental_vacuum({VACUUM_PAGES})").fetchall()
        yield False
        if db.execute("pragma page_count").fetchone() == before:
            return  # a database of another mode


def _weight(db: sqlite3.Connection, seq: int, stage: str) -> int:
    kinds = " and kind <> 'request'" if stage == "raw" else ""
    return int(db.execute(BYTES + kinds, (seq,)).fetchone()[0])


def _beyond(db: sqlite3.Connection, limits: Limits) -> Iterator[tuple[Stage, list[int]]]:
    for seqs in _by_age(db, "content", limits.content_before_ms):
        yield "content", seqs
    for seqs in _by_age(db, "raw", limits.raw_before_ms):
        yield "raw", seqs
    if limits.max_bytes is None or used_bytes(db) <= limits.max_bytes:
        return
    for stage in STAGES:
        for seqs in _oldest(db, stage):
            yield stage, seqs
            if used_bytes(db) <= limits.max_bytes * REFILL:
                return


def _by_age(db: sqlite3.Connection, stage: Stage, before_ms: int | None) -> Iterator[list[int]]:
    """Span by span through all calls, empty ones too: so that a caller that pauses at each never waits long."""
    if before_ms is None:
        return
    sql = RAW_OF_SPAN if stage == "raw" else CONTENT_OF_SPAN
    (end,) = db.execute("select coalesce(max(seq), 0) from requests").fetchone()
    after = 0
    while after < end:
        values = {"after": after, "last": after + SPAN, "before_ms": before_ms, "limit": CALLS}
        seqs = [int(seq) for (seq,) in db.execute(sql, values)]
        after = seqs[-1] if len(seqs) == CALLS else after + SPAN
        yield seqs


def _oldest(db: sqlite3.Connection, stage: Stage) -> Iterator[list[int]]:
    at_ms, after = -1, 0
    sql = RAW_OLDEST if stage == "raw" else CONTENT_OLDEST
    while found := db.execute(sql, {"at_ms": at_ms, "after": after, "limit": CALLS}).fetchall():
        yield [int(seq) for seq, _ in found]
        after, at_ms = found[-1]


def _take(db: sqlite3.Connection, stage: Stage, seqs: list[int]) -> None:
    if not seqs:
        return
    db.execute("begin immediate")
    try:
        for sql in DELETE[stage]:
            db.executemany(sql, [{"seq": seq} for seq in seqs])
        if stage == "content":
            sweep.release(db, seqs)
        db.executemany(MARK, [{"seq": seq, "stage": stage} for seq in seqs])
        if stage == "content":
            sweep.titles(db, seqs)
        db.execute("commit")
    except BaseException:
        if db.in_transaction:
            db.execute("rollback")
        raise
