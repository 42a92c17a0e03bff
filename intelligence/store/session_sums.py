"""What the calls of a session that have ended add up to, kept in its row of `sessions`.

So sessions can be listed, filtered and ranked by cost, errors and models without looking at their calls. A call is added in the
transaction in which it ends, after it has its cost and its place; what is done to calls later (they are forgotten, or get a
price after all) is added up again from the rows. Sums leave out what is unknown, and are NULL where nothing is known.
`subscription_usd` is the part of `cost_usd` that a flat rate paid for. A session has `requests - ended` calls that go on.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

_MODEL = "coalesce(q.model, r.model)"
_VALUES = f"""
    count(*), sum(q.state = 'error'), json_group_array(distinct q.provider) filter (where q.provider is not null),
    json_group_array(distinct {_MODEL}) filter (where {_MODEL} is not null), sum(r.input_tokens), sum(r.output_tokens),
    sum(c.usd), sum(iif(c.basis = 'subscription', c.usd, null)),
    cast(max(q.started_at + coalesce(r.duration_ms, 0)) as integer)"""
_ROWS = """
    join requests q on q.seq = t.request left join responses r on r.request = t.request
        left join costs c on c.request = t.request
    where t.session is not null and q.state <> 'pending' group by t.session"""
_ADDED = f"select {_VALUES}, t.session from json_each(?) j join turns t on t.request = j.value {_ROWS}"  # noqa: S608
_WHOLE = f"select {_VALUES}, t.session from json_each(?) j join turns t on t.session = j.value {_ROWS}"  # noqa: S608
_JOINED = """(select nullif(json_group_array(value), '[]') from
    (select value from json_each(coalesce({0}, '[]')) union select value from json_each({1})))"""
_NUMBERS = {5: "input_tokens", 6: "output_tokens", 7: "cost_usd", 8: "subscription_usd"}
_ADD = f"""
update sessions set ended = ended + ?1, errors = errors + ?2, providers = {_JOINED.format("providers", "?3")},
    models = {_JOINED.format("models", "?4")},
    {", ".join(f"{name} = coalesce({name} + ?{n}, {name}, ?{n})" for n, name in _NUMBERS.items())},
    ended_at = max(coalesce(ended_at, ?9), ?9)
where seq = ?10"""  # noqa: S608
_EMPTY = """
update sessions set ended = 0, errors = 0, providers = null, models = null, input_tokens = null, output_tokens = null,
    cost_usd = null, subscription_usd = null, ended_at = null, requests = (select count(*) from turns t where t.session = seq)
where seq in (select value from json_each(?))"""
_SESSIONS = """
select distinct t.session from json_each(?) j join turns t on t.request = j.value where t.session is not null"""


def add(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Calls that have ended, each once in its life, by `requests.seq`; in the caller's transaction."""
    if seqs:
        db.executemany(_ADD, db.execute(_ADDED, (json.dumps(list(seqs)),)).fetchall())


def again(db: sqlite3.Connection, sessions: Iterable[int]) -> None:
    """Add up these sessions (`sessions.seq`) from their calls; in the caller's transaction."""
    listed = json.dumps(list(sessions))
    if listed != "[]":
        db.execute(_EMPTY, (listed,))
        db.executemany(_ADD, db.execute(_WHOLE, (listed,)).fetchall())


def of(db: sqlite3.Connection, seqs: Sequence[int]) -> list[int]:
    """The sessions of these calls."""
    return [session for (session,) in db.execute(_SESSIONS, (json.dumps(list(seqs)),))]
