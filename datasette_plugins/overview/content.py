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
                began = time.monotonic()
                kept.content = await db.execute_fn(
                    lambda conn: read(conn, asked, time.time_ns() // 1_000_000)
                )
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


def read(db: sqlite3.Connection, asked: Asked, now_ms: int) -> Content:
    """Raises `sqlite3.Error`."""
    if db.execute(ANY_CALL).fetchone() is None:
        return nothing(asked)
    given = sums.tables(asked.span.width_ms)
    width = asked.span.width_ms
    steps = trends.read(db, asked, now_ms, given)
    # The steps are read anyway; what the span has of the one it begins in is not.
    whole = steps.since(now_ms - width)
    now = sums.by(db, now_ms - width, whole, given, (asked.by,), asked.where)
    for label, one in steps.by(whole).items():
        sums.add(now, (label,), one.values)
    before = sums.by(db, now_ms - 2 * width, now_ms - width, given, (asked.by,), asked.where)
    running = 0 if asked.where else db.execute(RUNNING).fetchone()[0]
    return _content(db, asked, now_ms, steps, now, before, running)


def _content(
    db: sqlite3.Connection,
    asked: Asked,
    now_ms: int,
    steps: trends.Steps,
    now: dict[sums.Key, Sums],
    before: dict[sums.Key, Sums],
    running: int,
) -> Content:
    total = sums.folded(now).get(None, Sums())
    total_before = sums.folded(before).get(None, Sums())
    by, by_before = sums.folded(now, 0), sums.folded(before, 0)
    rows = table(by, by_before, asked.by)
    return Content(
        begun=True,
        figures=figures(total, total_before, running),
        charts=trends.charts(steps, asked, total) if now else [],
        table=rows,
        more=len(by) - len(rows),
        changes=changes(by, by_before, asked.by) if before else [],
        compared=bool(before),
        statuses=statuses(db, now_ms, asked.where),
        requests=total.number("requests"),
        unpriced=total.left_out("unpriced"),
        sessions=top_sessions.sessions(db, now_ms - asked.span.width_ms, now_ms + DAY_MS, asked.where),
    )


def nothing(asked: Asked) -> Content:
    """Of a record without a call."""
    return Content(False, figures(Sums(), Sums(), 0), [], [], 0, [], False, [], 0, 0, [])
