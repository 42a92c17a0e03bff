"""`rollup_hourly`, `rollup_daily`, `rollup_weekly`: what the calls of an hour, a day, a week (UTC, from Monday on) add up to, by
provider, model, client and user.

They have the same columns but for the first, `hour`, `day` or `week`: Unix ms at which it begins. A year of weeks is added up in
some ten milliseconds: ask a finer one only about what is short or cut.

A call is added when it ends, in the transaction that ends it, and taken out again when it is forgotten; so the sums are those
of the rows at every commit. Retention leaves them alone: counts and costs stay. The time is that at which a call began. Sums
leave out what is unknown, and are NULL where nothing is known; `uncounted` and `unpriced` say of how many calls.

Durations and times to the first token are counted in buckets: `ttft_500` are the calls whose first token came in at most 500 ms
and not within the bucket before; `_inf` is beyond the last. `quantile` reads them, within the width of a bucket.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
A_MONDAY_MS = 4 * DAY_MS  # the first since 1970
# Upper bounds, in ms.
BUCKETS = (
    50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000, 120000, 300000,
)  # fmt: skip

# The first column, how long a period is, and when any of them begins.
TABLES = {
    "rollup_hourly": ("hour", HOUR_MS, 0),
    "rollup_daily": ("day", DAY_MS, 0),
    "rollup_weekly": ("week", WEEK_MS, A_MONDAY_MS),
}
KEYS = ("provider", "model", "client", "user")
COUNTS = {
    "requests": "1",
    "errors": "q.state = 'error'",
    "blocked": "q.state = 'blocked'",
    "aborted": "q.state in ('aborted', 'interrupted')",
    "uncounted": "r.input_tokens is null or r.output_tokens is null",
    "unpriced": "c.usd is null",
}
# Those that may be unknown.
SUMS = {
    "input_tokens": "r.input_tokens",
    "output_tokens": "r.output_tokens",
    "cache_read_tokens": "r.cache_read_tokens",
    "cache_write_tokens": "r.cache_write_tokens",
    "reasoning_tokens": "r.reasoning_tokens",
    "cost_usd": "iif(c.basis = 'subscription', null, c.usd)",
    "subscription_usd": "iif(c.basis = 'subscription', c.usd, null)",
}


def columns(measure: str) -> list[str]:
    """The buckets of `duration` or `ttft`."""
    return [f"{measure}_{bound}" for bound in (*BUCKETS, "inf")]


def buckets(measure: str) -> dict[str, str]:
    """The same, each with what is true of a call in it: SQL over `responses r`."""
    lows = (None, *BUCKETS)
    tests = [
        " and ".join(
            ([] if low is None else [f"r.{measure}_ms > {low}"])
            + ([f"r.{measure}_ms <= {high}"] if high else [])
        )
        for low, high in zip(lows, (*BUCKETS, None), strict=True)
    ]
    return dict(zip(columns(measure), tests, strict=True))


ALL_COUNTS = COUNTS | buckets("duration") | buckets("ttft")


def _added() -> str:
    """What some calls add to each hour."""
    values = [f":sign * coalesce(sum({test}), 0)" for test in ALL_COUNTS.values()]
    values += [f":sign * sum({value})" for value in SUMS.values()]
    return f"""
select q.started_at / {HOUR_MS} * {HOUR_MS}, q.provider, coalesce(q.model, r.model), q.client, q.user, {", ".join(values)}
from json_each(:seqs) j join requests q on q.seq = j.value
    left join responses r on r.request = q.seq left join costs c on c.request = q.seq
where q.state <> 'pending' group by 1, 2, 3, 4, 5"""  # noqa: S608


def _begin(time: str, length: int, origin: int) -> str:
    return (
        f"({time} - {origin}) / {length} * {length} + {origin}" if origin else f"{time} / {length} * {length}"
    )


def _put(table: str) -> str:
    period, length, origin = TABLES[table]
    names = (period, *KEYS, *ALL_COUNTS, *SUMS)
    adds = [f"{name} = {name} + excluded.{name}" for name in ALL_COUNTS]
    adds += [f"{name} = coalesce({name} + excluded.{name}, {name}, excluded.{name})" for name in SUMS]
    return f"""
insert into {table} ({", ".join(names)}) values ({_begin("?1", length, origin)}{", ?" * (len(names) - 1)})
on conflict ({period}, {", ".join(f"coalesce({key}, '')" for key in KEYS)})
do update set {", ".join(adds)}"""  # noqa: S608


ADDED = _added()
PUT = [_put(table) for table in TABLES]
DROP_EMPTY = "delete from {} where requests <= 0"
# What is left of a sum when nothing that was known is in it any more.
FORGET_SUMS = """
update {} set cost_usd = iif(unpriced = requests, null, cost_usd),
    subscription_usd = iif(unpriced = requests, null, subscription_usd),
    input_tokens = iif(uncounted = requests, nullif(input_tokens, 0), input_tokens),
    output_tokens = iif(uncounted = requests, nullif(output_tokens, 0), output_tokens)
where unpriced = requests or uncounted = requests"""


def add(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Calls that have ended, each once in its life; in the caller's transaction."""
    _add(db, seqs, 1)


def take_out(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Calls that were added, before their rows go; in the caller's transaction. Pending ones are passed over."""
    _add(db, seqs, -1)
    for table in TABLES:
        db.execute(DROP_EMPTY.format(table))
        db.execute(FORGET_SUMS.format(table))


def _add(db: sqlite3.Connection, seqs: Sequence[int], sign: int) -> None:
    found = db.execute(ADDED, {"sign": sign, "seqs": json.dumps(list(seqs))}).fetchall()
    for sql in PUT:
        db.executemany(sql, found)


def quantile(counts: Sequence[int | None], q: float) -> float | None:
    """In ms, from the sums of `columns(...)`, evenly spread within a bucket; None without calls. Beyond the last bound, that."""
    filled = [n or 0 for n in counts]
    rank = q * sum(filled)
    low = 0.0
    for n, high in zip(filled, (*BUCKETS, None), strict=True):
        if n and rank <= n:
            return low if high is None else low + (high - low) * rank / n
        rank -= n
        low = low if high is None else float(high)
    return low if sum(filled) else None
