# ruff: noqa: S608 -- names of columns and parameters of this module are put together here, values are always bound
"""From what a person asks to what `finding` looks through: where the candidates come from, and what they must meet.

Whatever a filter names is looked up first, so that a name nobody has is told at once, and few calls are known to be few.
Raises `sqlite3.Error`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from intelligence.store.search import ROLES
from intelligence.store.search_query import NAMES, Query, Range, Term

# Fewer calls than that are looked at one by one; in the full-text index, where each costs a search of its own, fewer still.
FEW, FEW_IN_INDEX = 2_000, 60
# A span with more calls is not measured: most of the record is in it.
SPAN = 200_000
MOST_NAMES = 500
WIDEST = 4_000_000  # ids of a step
CALL = len(ROLES) - 1  # a call that is found, not a text of it

# Where candidates come from, as ids of `search`.
FOUND = "select rowid as id from search_texts_fts where search_texts_fts match :match"
TEXTS = "select id from search_texts where 1"
CALLS = f"select {len(ROLES)} * seq + {CALL} as id from requests where 1"

# Distinct values by index, one step each.
NAMED = """
with recursive names (value) as (
    select min({0}) from requests where {0} is not null
    union all select (select min({0}) from requests where {0} > names.value) from names where value is not null limit :limit)
select value from names where value is not null"""
FROM = f"select min(seq), count(*) from (select seq from requests where started_at >= :since limit {SPAN})"
UP_TO = "select max(seq) from requests where started_at <= :until"
SESSION = "select seq from sessions where id >= :id and id < :id || '~' order by id limit 50"
OF_SESSIONS = "select request from turns where session in (select value from json_each(:values)) limit :limit"


@dataclass(slots=True)
class Plan:
    """What to look through: candidates by id, and the conditions they must meet."""

    source: str
    values: dict[str, Any]
    conditions: list[str] = field(default_factory=list)
    joins: list[str] = field(default_factory=list)
    only: list[int] | None = None  # these calls alone, newest first
    lowest: int = 0
    highest: int = 2**62
    nothing: bool = False
    step: int | None = None  # ids of the first step
    problems: list[str] = field(default_factory=list)


def plan_of(db: sqlite3.Connection, query: Query) -> Plan:
    match = query.match()
    roles = set(ROLES)
    asked = query.of("role")
    for term in asked:
        roles = roles - set(term.values) if term.excluded else roles & set(term.values)
    source = FOUND if match else TEXTS if asked else CALLS
    plan = Plan(source, {"match": match} if match else {})
    if any(term.prefix for term in query.words):
        plan.step = WIDEST  # all words that begin so are gathered anew for each step
    plan.nothing = not query.terms or not roles or bool(query.errors)
    if plan.nothing:
        return plan
    if source is not CALLS and len(roles) < len(ROLES):
        plan.conditions.append(
            f"f.id % {len(ROLES)} in ({', '.join(str(ROLES.index(r)) for r in sorted(roles))})"
        )
    few: list[int] | None = None
    for n, term in enumerate(query.filters):
        chosen = _narrow(db, plan, term, f"v{n}")
        if chosen is not None and (few is None or len(chosen) < len(few)):
            few = chosen
    if few is not None and (source is not FOUND or len(few) <= FEW_IN_INDEX):
        plan.only = sorted(few, reverse=True)
    elif few:
        plan.lowest = max(plan.lowest, len(ROLES) * min(few))
        plan.highest = min(plan.highest, len(ROLES) * (max(few) + 1))
    return plan


def _narrow(db: sqlite3.Connection, plan: Plan, term: Term, key: str) -> list[int] | None:
    """Add the condition of a filter. Gives its calls, if these are few."""
    name = term.name
    if name in NAMES:
        return _named(db, plan, term, key)
    if name == "state":
        plan.values[key] = json.dumps(term.values)
        plan.conditions.append(f"q.state {_in(term, key)}")
        if not term.excluded and "complete" not in term.values:
            return _few(
                db,
                f"select seq from requests where state <> 'complete' and state {_in(term, key)}",
                plan,
                key,
            )
    elif name == "session":
        seqs = [row[0] for value in term.values for row in db.execute(SESSION, {"id": value})]
        plan.values[key] = json.dumps(seqs)
        _join(plan, "left join turns t on t.request = q.seq")
        plan.conditions.append(f"t.session {_in(term, key)}")
        if not term.excluded:
            found = db.execute(OF_SESSIONS, {"values": plan.values[key], "limit": FEW + 1}).fetchall()
            return [row[0] for row in found] if len(found) <= FEW else None
    elif name == "tool":
        _join(plan, "left join responses r on r.request = q.seq")
        plan.values[key] = json.dumps([value.casefold() for value in term.values])
        exists = "" if not term.excluded else "not "
        plan.conditions.append(
            f"{exists}exists (select 1 from json_each(coalesce(r.tool_calls, '[]')) j join json_each(:{key}) w "
            "on lower(json_extract(j.value, '$.name')) glob w.value)"
        )
    elif name in ("since", "until"):
        _timed(db, plan, term, key)
    elif name != "role":
        _numbered(plan, term, key)
    return None


def _named(db: sqlite3.Connection, plan: Plan, term: Term, key: str) -> list[int] | None:
    known = names(db, term.name)
    meant = sorted({name for value in term.values for name in _meant(value, known)})
    if not meant and not term.excluded:
        some = ", ".join(known[:8]) + (" …" if len(known) > 8 else "")
        plan.problems.append(
            f"No call has the {term.name} {' or '.join(term.values)}. There is: {some or 'none yet'}."
        )
        return None
    plan.values[key] = json.dumps(meant)
    column = f"q.{term.name}"
    excluded = f"({column} is null or {column} {_in(term, key)})"
    plan.conditions.append(excluded if term.excluded else f"{column} {_in(term, key)}")
    if term.excluded:
        return None
    return _few(db, f"select seq from requests where {term.name} {_in(term, key)}", plan, key)


def _meant(value: str, known: list[str]) -> list[str]:
    """Which names: the very one, else those of the pattern, else those that hold it."""
    wanted = value.casefold()
    folded = [(name, name.casefold()) for name in known]
    if exact := [name for name, plain in folded if plain == wanted]:
        return exact
    if "*" in wanted:
        pattern = wanted.replace("[", "[[]").replace("?", "[?]")
        return [name for name, plain in folded if fnmatchcase(plain, pattern)]
    return [name for name, plain in folded if wanted in plain]


def _few(db: sqlite3.Connection, sql: str, plan: Plan, key: str) -> list[int] | None:
    found = db.execute(f"{sql} limit {FEW + 1}", {key: plan.values[key]}).fetchall()
    return [row[0] for row in found] if len(found) <= FEW else None


def _timed(db: sqlite3.Connection, plan: Plan, term: Term, key: str) -> None:
    """Times mostly go with ids, so most of the rest need not be looked at."""
    least, most = term.range.least, term.range.most
    since = -(2**62) if least is None else int(least)
    until = 2**62 if most is None else int(most) - 1
    plan.values |= {f"{key}a": since, f"{key}b": until}
    plan.conditions.append(f"q.started_at between :{key}a and :{key}b")
    if least is not None:
        low, count = db.execute(FROM, {"since": since}).fetchone()
        if low is None:
            plan.highest = 0
        elif count < SPAN:
            plan.lowest = max(plan.lowest, len(ROLES) * low)
    if most is not None:
        high = db.execute(UP_TO, {"until": until}).fetchone()[0]
        plan.highest = 0 if high is None else min(plan.highest, len(ROLES) * (high + 1))


_COLUMNS = {
    "cost": "c.usd",
    "input": "r.input_tokens",
    "output": "r.output_tokens",
    "tokens": "(coalesce(r.input_tokens, 0) + coalesce(r.output_tokens, 0))",
    "duration": "r.duration_ms",
}


def _numbered(plan: Plan, term: Term, key: str) -> None:
    """What is not known is in no range."""
    column, within = _COLUMNS[term.name], term.range
    if term.name == "cost":
        _join(plan, "left join costs c on c.request = q.seq")
    else:
        _join(plan, "left join responses r on r.request = q.seq")
    if term.name == "tokens":
        plan.conditions.append("coalesce(r.input_tokens, r.output_tokens) is not null")
    for sign, end, value in _ends(within):
        plan.values[f"{key}{end}"] = value
        plan.conditions.append(f"{column} {sign} :{key}{end}")


def _ends(within: Range) -> Iterable[tuple[str, str, float]]:
    if within.least is not None:
        yield (">" if within.above else ">="), "a", within.least
    if within.most is not None:
        yield ("<" if within.below else "<="), "b", within.most


def _in(term: Term, key: str) -> str:
    return f"{'not in' if term.excluded else 'in'} (select value from json_each(:{key}))"


def _join(plan: Plan, join: str) -> None:
    if join not in plan.joins:
        plan.joins.append(join)


def names(db: sqlite3.Connection, column: str) -> list[str]:
    """The values that a column of `requests` in `search_query.NAMES` has, a few hundred of them at most, in order."""
    if column not in NAMES:
        raise ValueError(column)
    return [value for (value,) in db.execute(NAMED.format(column), {"limit": MOST_NAMES})]
