"""What the overview shows of a span: read once for all who look, and not again before it has rested.

Counting takes a small share of the time, however many look and however much there is (`REST`).
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import OrderedDict, defaultdict
from dataclasses import dataclass

from datasette.database import Database

from datasette_plugins.charts import Chart
from datasette_plugins.overview import sums, top_sessions, trends
from datasette_plugins.overview.asked import DAY_MS, Asked
from datasette_plugins.overview.breakdown import Change, Row, changes, table
from datasette_plugins.overview.figures import Figure, figures
from datasette_plugins.overview.status import Status, statuses
from datasette_plugins.overview.sums import Sums
from datasette_plugins.overview.top_sessions import Session

LEAST_SECONDS = 1.0
REST = 20  # times as long as it took
KEPT = 64

# The first test is that of the index, by whose words alone it is found.
RUNNING = "select count(*) from requests where state <> 'complete' and state = 'pending'"
ANY_CALL = "select 1 from requests limit 1"


@dataclass(frozen=True)
class Content:
    """`begun`: there is a call in the record, whenever it was."""

    begun: bool
    figures: list[Figure]
    charts: list[Chart]
    table: list[Row]
    more: int
    changes: list[Change]
    compared: bool
    statuses: list[Status]
    requests: int
    unpriced: int
    sessions: list[Session]


@dataclass
class Kept:
    """The last of one question. `at` is on the clock `time.monotonic`; `took` is in seconds."""

    content: Content | None = None
    at: float = 0
    took: float = 0


class Contents:
    """The last content of each question that was asked of late."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Asked, Kept] = OrderedDict()
        self._reading: defaultdict[Asked, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def of(self, db: Database | None, asked: Asked) -> Content:
        """Raises `sqlite3.Error`."""
        if db is None:
            return nothing(asked)
        async with self._reading[asked]:
            kept = self._of(asked)
            if kept.content is None or _rested(kept.at, kept.took):
                began, now_ms = time.monotonic(), time.time_ns() // 1_000_000
                span, besides = await asyncio.gather(
                    db.execute_fn(lambda conn: read_span(conn, asked, now_ms)),
                    db.execute_fn(lambda conn: read_besides(conn, asked, now_ms)),
                )
                kept.content = made(asked, span, besides)
                kept.at, kept.took = began, time.monotonic() - began
            return kept.content

    def _of(self, asked: Asked) -> Kept:
        kept = self._kept.setdefault(asked, Kept())
        self._kept.move_to_end(asked)
        while len(self._kept) > KEPT:
            gone, _ = self._kept.popitem(last=False)
            self._reading.pop(gone, None)
        return kept


def _rested(at: float, took: float) -> bool:
    return time.monotonic() - at >= max(LEAST_SECONDS, REST * took)


@dataclass(frozen=True)
class Besides:
    """What is told besides the span itself: of the time before it, of now, and of its sessions."""

    before: dict[sums.Key, Sums]
    running: int
    statuses: list[Status]
    sessions: list[Session]


def read_span(
    db: sqlite3.Connection, asked: Asked, now_ms: int
) -> tuple[trends.Steps, dict[sums.Key, Sums]] | None:
    """None for a record without a call. `read_besides` may run meanwhile, in another thread. Raises `sqlite3.Error`."""
    if db.execute(ANY_CALL).fetchone() is None:
        return None
    given = sums.tables(asked.span.width_ms)
    steps = trends.read(db, asked, now_ms, given)
    begin, end = now_ms - asked.span.width_ms, steps.whole or _end(now_ms, given)
    now = sums.by(db, begin, end, given, (asked.by,), asked.where)
    for label, one in steps.labelled().items():
        sums.add(now, (label,), one.values)
    return steps, now


def _end(now_ms: int, given: list[str]) -> int:
    """After everything that has happened, so that the coarsest table has the rest whole."""
    return sums.begin(given[0], now_ms) + sums.WIDTHS[given[0]]


def read_besides(db: sqlite3.Connection, asked: Asked, now_ms: int) -> Besides:
    begin = now_ms - asked.span.width_ms
    given = sums.tables(asked.span.width_ms)
    return Besides(
        before=sums.by(db, begin - asked.span.width_ms, begin, given, (asked.by,), asked.where),
        running=0 if asked.where else db.execute(RUNNING).fetchone()[0],
        statuses=statuses(db, now_ms, asked.where),
        sessions=top_sessions.sessions(db, begin, now_ms + DAY_MS, asked.where),
    )


def made(asked: Asked, span: tuple[trends.Steps, dict[sums.Key, Sums]] | None, besides: Besides) -> Content:
    if span is None:
        return nothing(asked)
    steps, now = span
    total = sums.folded(now).get(None, Sums())
    total_before = sums.folded(besides.before).get(None, Sums())
    by, by_before = sums.folded(now, 0), sums.folded(besides.before, 0)
    rows = table(by, by_before, asked.by)
    return Content(
        begun=True,
        figures=figures(total, total_before, besides.running),
        charts=trends.charts(steps, asked, total) if now else [],
        table=rows,
        more=len(by) - len(rows),
        changes=changes(by, by_before, asked.by) if besides.before else [],
        compared=bool(besides.before),
        statuses=besides.statuses,
        requests=total.number("requests"),
        unpriced=total.left_out("unpriced"),
        sessions=besides.sessions,
    )


def nothing(asked: Asked) -> Content:
    """Of a record without a call."""
    return Content(False, figures(Sums(), Sums(), 0), [], [], 0, [], False, [], 0, 0, [])
