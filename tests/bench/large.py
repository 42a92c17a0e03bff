"""What is asked of a record of a million calls (`million`), in ms of CPU time of the process that asks: the median of some
answers, after one that may have to fetch its pages from the disk."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

from intelligence.store import queries, search

ANSWERS = 7
SPREAD = "select id from requests where seq > (select max(seq) from requests) * ? / 100 limit 1"
LONGEST = "select id from sessions order by requests desc limit 1"
NEWEST_AT = "select max(started_at) from requests"
DAYS = "select day, sum(requests), sum(errors), sum(input_tokens), sum(cost_usd) from rollup_daily {} group by day"
HOURS = "select hour, sum(requests), sum(errors), sum(output_tokens) from rollup_hourly where hour >= ? group by hour"
COST = "select day, sum(requests), sum(cost_usd), sum(subscription_usd) from daily_cost group by day order by day desc"
MODELS = "select model, sum(requests), sum(cost_usd) from daily_cost where day >= date(?, 'unixepoch') group by model"


def measure(database: Path) -> list[tuple[str, float, str]]:
    """Of each question: what it is, ms, and what was found."""
    with closing(queries.connect(database)) as db:
        db.row_factory = None
        (newest,) = db.execute(NEWEST_AT).fetchone()
        keys = [db.execute(SPREAD, (percent,)).fetchone() for percent in range(3, 100, 7)]
        (longest,) = db.execute(LONGEST).fetchone()
        quarter, month = newest - 90 * 86_400_000, newest - 30 * 86_400_000
        asked: dict[str, Callable[[], list]] = {
            f"calls, {len(keys)} by key": lambda: [
                _all(db, "select * from calls where id = ?", *k) for k in keys
            ],
            "rollup_hourly, 30 days by hour": lambda: _all(db, HOURS, month),
            "rollup_daily, 90 days": lambda: _all(db, DAYS.format("where day >= ?"), quarter),
            "rollup_daily, all days": lambda: _all(db, DAYS.format("")),
            "daily_cost, all days": lambda: _all(db, COST),
            "daily_cost, 90 days by model": lambda: _all(db, MODELS, quarter / 1000),
            "sessions_overview, the longest session": lambda: _all(
                db, "select * from sessions_overview where id = ?", longest
            ),
            "search, newest 50 of a common word": lambda: search.find(db, "invoice", limit=50),
        }
        return [(figure, *_timed(ask)) for figure, ask in asked.items()]


def _all(db: sqlite3.Connection, sql: str, *values: object) -> list:
    return db.execute(sql, values).fetchall()


def _timed(ask: Callable[[], list]) -> tuple[float, str]:
    found = ask()
    worked, passed = [], []
    for _ in range(ANSWERS):
        cpu, clock = time.process_time(), time.perf_counter()
        ask()
        worked.append(time.process_time() - cpu)
        passed.append(time.perf_counter() - clock)
    return median(worked) * 1000, f"{len(found):,} rows, {median(passed) * 1000:.1f} ms on the clock"
