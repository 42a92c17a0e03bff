"""`rollup_hourly`: what the calls of an hour add up to, by provider, model, client and user.

A call is added when it ends, in the transaction that ends it, and taken out again when it is forgotten; so the sums are those
of the rows at every commit. Retention leaves them alone: counts and costs stay. The hour is that in which a call began. Sums
leave out what is unknown, and are NULL where nothing is known; `uncounted` and `unpriced` say of how many calls.

Durations and times to the first token are counted in buckets: `ttft_500` are the calls whose first token came in at most 500 ms
and not within the bucket before; `_inf` is beyond the last. `quantile` reads them, within the width of a bucket.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

HOUR_MS = 3_600_000
# Upper bounds, in ms.
BUCKETS = (
    50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000, 7500, 10000, 15000, 20000, 30000, 60000, 120000, 300000,
)  # fmt: skip

KEYS = ("hour", "provider", "model", "client", "user")
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


def _statement() -> str:
    counts = COUNTS | buckets("duration") | buckets("ttft")
    values = [f":sign * coalesce(sum({test}), 0)" for test in counts.values()]
    values += [f":sign * sum({value})" for value in SUMS.values()]
    names = (*KEYS, *counts, *SUMS)
    adds = [f"{name} = {name} + excluded.{name}" for name in counts]
    adds += [f"{name} = coalesce({name} + excluded.{name}, {name}, excluded.{name})" for name in SUMS]
    return f"""
insert into rollup_hourly ({", ".join(names)})
select q.started_at / {HOUR_MS} * {HOUR_MS}, q.provider, coalesce(q.model, r.model), q.client, q.user, {", ".join(values)}
from json_each(:seqs) j join requests q on q.seq = j.value
    left join responses r on r.request = q.seq left join costs c on c.request = q.seq
where q.state <> 'pending' group by 1, 2, 3, 4, 5
on conflict (hour, coalesce(provider, ''), coalesce(model, ''), coalesce(client, ''), coalesce(user, ''))
do update set {", ".join(adds)}"""  # noqa: S608


ADD = _statement()
DROP_EMPTY = "delete from rollup_hourly where requests <= 0"
# What is left of a sum when nothing that was known is in it any more.
FORGET_SUMS = """
update rollup_hourly set cost_usd = iif(unpriced = requests, null, cost_usd),
    subscription_usd = iif(unpriced = requests, null, subscription_usd),
    input_tokens = iif(uncounted = requests, nullif(input_tokens, 0), input_tokens),
    output_tokens = iif(uncounted = requests, nullif(output_tokens, 0), output_tokens)
where unpriced = requests or uncounted = requests"""


def add(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Calls that have ended, each once in its life; in the caller's transaction."""
    db.execute(ADD, {"sign": 1, "seqs": json.dumps(list(seqs))})


def take_out(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Calls that were added, before their rows go; in the caller's transaction. Pending ones are passed over."""
    db.execute(ADD, {"sign": -1, "seqs": json.dumps(list(seqs))})
    db.execute(DROP_EMPTY)
    db.execute(FORGET_SUMS)


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
