"""The tables of sums, as the steps made them that hold hours, days and weeks: they differ in what a row covers, in nothing else.

Shipped: it is part of these steps, so it is never edited either. What the columns mean now is in `rollups`.
"""

from __future__ import annotations

from intelligence.store.sqlite_tools import sqlite_utils

# The steps of the histograms in ms, as they were then.
_BOUNDS = (
    50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000, 120000, 300000,
    "inf",
)  # fmt: skip
_BUCKETS = [f"{measure}_{bound}" for measure in ("duration", "ttft") for bound in _BOUNDS]
_SUMS = (
    "requests", "errors", "blocked", "aborted", "uncounted", "unpriced", "input_tokens", "output_tokens", "cache_read_tokens",
    "cache_write_tokens", "reasoning_tokens", "cost_usd", "subscription_usd", *_BUCKETS,
)  # fmt: skip
_KEY = "coalesce(provider, ''), coalesce(model, ''), coalesce(client, ''), coalesce(user, '')"


def create(db: sqlite_utils.Database, table: str, begins: str, comment: str) -> None:
    """A row is of what began between `begins` and the next one."""
    db.execute(f"""
        {f"create table {table} (":<44}-- see intelligence/store/rollups.py
            id integer primary key,
            {f"{begins} integer not null,":<40}-- {comment}
            provider text,
            model text,                             -- asked for, else that answered
            client text,
            user text,
            requests integer not null,              -- calls that have ended
            errors integer not null,
            blocked integer not null,
            aborted integer not null,               -- and interrupted
            uncounted integer not null,             -- calls without both token counts
            unpriced integer not null,              -- calls whose cost is unknown
            input_tokens integer,
            output_tokens integer,
            cache_read_tokens integer,
            cache_write_tokens integer,
            reasoning_tokens integer,
            cost_usd real,                          -- subscriptions not included
            subscription_usd real,                  -- at list price, what a flat rate paid for
            {", ".join(f"{bucket} integer not null" for bucket in _BUCKETS)}
        )""")


def fill(db: sqlite_utils.Database, table: str, begins: str, source: str, within: str) -> None:
    """From the sums of shorter spans. `within`: the value of `begins` for a row of `source`."""
    db.execute(f"""
        insert into {table} ({begins}, provider, model, client, user, {", ".join(_SUMS)})
        select {within}, provider, model, client, user, {", ".join(f"sum({name})" for name in _SUMS)}
        from {source} group by 1, {_KEY} order by 1""")  # noqa: S608


def unique(db: sqlite_utils.Database, table: str, begins: str) -> None:
    db.execute(f"""
        create unique index {table}_key on {table}
            ({begins}, {_KEY})""")
