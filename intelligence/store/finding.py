# ruff: noqa: S608 -- steps are put together from the constants here and in `search_plan`; values are always bound
"""Finding calls and what was said in them: words, filters, pages, in a time that is known beforehand.

Everything is looked through newest first, by id (`search.ROLES`), in steps of limited width, until a page is full and enough is
counted, or the time is up. Then the page says how far back it looked, and `before` goes on from there: no search is slow, a
rare one over a long record may take more than one look. Where a filter leaves few calls, only those are looked at.

With words or a role, what is found are texts, else calls. When ranked, the best of the newest `RANKED` matches come first: to
weigh all the matches of a common word would take as long as there are. For those who are not shown all of a text there is
`finding_shown`. Raises `sqlite3.Error`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from intelligence.store.ranking import Weigher
from intelligence.store.search import CLOSE, OPEN, ROLES
from intelligence.store.search_plan import CALLS, FOUND, TEXTS, WIDEST, Plan, plan_of
from intelligence.store.search_query import Query

PAGE = 25
COUNTED = 1_000
RANKED = 400
SECONDS = 0.11
# Ids of the first step, and what one step may give.
STEP, MOST = 8_000, 1_500

SNIPPET = f"""
select snippet(search_texts_fts, 0, char({ord(OPEN)}), char({ord(CLOSE)}), '…', 28) from search_texts_fts
where search_texts_fts match :match and rowid = :id"""
# The same for all of a page: to gather the words of a prefix for each row would take long.
SNIPPETS = SNIPPET.replace("select ", "select rowid, ", 1).replace(
    "rowid = :id", "rowid between :low and :high and +rowid in (select value from json_each(:ids))"
)
BEGINNING = "select substr(text, 1, 220) from search_texts where id = :id"
TEXT = "select text from search_texts where id = :id"
WHEN = "select started_at from requests where seq <= :seq order by seq desc limit 1"
SHOWN = """
select q.id as call_id, q.seq, q.started_at, q.state, q.client, q.provider, q.model, q.user, q.host, r.status_code,
    r.model as response_model, r.input_tokens, r.output_tokens, r.duration_ms, c.usd as cost_usd,
    substr(r.text, 1, 220) as text, r.error_type, substr(r.error_message, 1, 220) as error_message,
    iif(r.tool_calls is null, null,
        (select json_group_array(json_extract(value, '$.name')) from json_each(r.tool_calls))) as tool_calls,
    s.id as session_id, s.title as session_title
from requests q left join responses r on r.request = q.seq left join costs c on c.request = q.seq
    left join turns t on t.request = q.seq left join sessions s on s.seq = t.session
where q.seq = :seq"""


@dataclass(frozen=True, slots=True)
class Found:
    """`rows` as `SHOWN` gives them, with `id`, `role` (None: the call as a whole) and `snippet`, in which `OPEN` and `CLOSE`
    stand around what was found. `more`: `before` of the next page. `total` is exact if `whole`, else there are at least so many.
    `back_to_ms`: where looking ended for want of time. `problems` are for the user."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    total: int = 0
    whole: bool = True
    more: str | None = None
    back_to_ms: int | None = None
    problems: tuple[str, ...] = ()


def find(
    db: sqlite3.Connection,
    query: Query,
    *,
    ranked: bool = False,
    before: str | None = None,
    limit: int = PAGE,
    seconds: float = SECONDS,
) -> Found:
    """`before` is `more` of the page before; what is no such thing begins at the newest."""
    until = time.monotonic() + seconds
    plan = plan_of(db, query)
    if plan.nothing or plan.problems:
        return Found(problems=tuple(plan.problems))
    match = plan.values.get("match")
    top, offset = cursor_of(before)
    wanted = RANKED if ranked and match else limit + 1
    ids, total, reached = scan(db, plan, min(top, plan.highest), wanted, until)
    whole = reached is None
    if ranked and match:
        return _ranked(db, query, plan, ids, total, whole, top, offset, limit)
    more = str(ids[limit - 1]) if len(ids) > limit else None if whole else str(reached)
    back_to = None
    if reached is not None and len(ids) <= limit:
        back_to = when(db, reached)
    return Found(rows_of(db, ids[:limit], plan), total, whole, more, back_to)


def _ranked(
    db: sqlite3.Connection,
    query: Query,
    plan: Plan,
    ids: list[int],
    total: int,
    whole: bool,
    top: int,
    offset: int,
    limit: int,
) -> Found:
    texts = [(id_, (db.execute(TEXT, {"id": id_}).fetchone() or ("",))[0]) for id_ in ids]
    weigher = Weigher([term.phrase for term in query.words if not term.excluded])
    best = weigher.order(texts)
    page = best[offset : offset + limit]
    # The next page weighs the same texts, whatever has come since.
    newest = top if top < 2**62 else (max(ids) + 1 if ids else 0)
    more = f"{newest}.{offset + limit}" if len(best) > offset + limit else None
    return Found(rows_of(db, page, plan), total, whole, more)


def cursor_of(before: str | None) -> tuple[int, int]:
    top, _, offset = (before or "").partition(".")
    valid = [part if part.isascii() and part.isdigit() and len(part) < 19 else "" for part in (top, offset)]
    return int(valid[0] or 2**62), min(int(valid[1] or 0), RANKED)


def scan(
    db: sqlite3.Connection, plan: Plan, top: int, wanted: int, until: float
) -> tuple[list[int], int, int | None]:
    """The first `wanted` ids, how many there are up to about `COUNTED`, and the id from which there may be more (None: none)."""
    ids: list[int] = []
    total, step = 0, plan.step or STEP
    if plan.only is not None:
        for n in range(0, len(plan.only), MOST):
            some = plan.only[n : n + MOST]
            low, high = len(ROLES) * some[-1], min(len(ROLES) * (some[0] + 1), top)
            found = _step(db, plan, low, high, json.dumps(some))
            total += len(found)
            ids += found[: wanted - len(ids)]
            if time.monotonic() > until and n + MOST < len(plan.only):
                return ids, total, low
        return ids, total, None
    if top >= 2**62:
        newest = db.execute("select max(seq) from requests").fetchone()[0]
        top = len(ROLES) * ((newest or 0) + 1)
    while top > plan.lowest:
        began = time.monotonic()
        low = max(top - step, plan.lowest)
        found = _step(db, plan, low, top, None)
        cut = len(found) > MOST
        found = found[:MOST]
        total += len(found)
        ids += found[: max(wanted - len(ids), 0)]
        top = found[-1] if cut else low
        now = time.monotonic()
        if top > plan.lowest and ((len(ids) >= wanted and total > COUNTED) or now > until):
            return ids, total, top
        wider = step * 2 if len(found) < MOST // 4 else step
        # As wide as there is time for, if it goes on as it did.
        step = max(min(wider, WIDEST, int(step * (until - now) / max(now - began, 1e-6))), STEP // 8, 1)
    return ids, total, None


def _step(db: sqlite3.Connection, plan: Plan, low: int, high: int, only: str | None) -> list[int]:
    """Newest first. One more than `MOST` tells that there are others in this step; of `only` these calls it gives all."""
    bound = {
        "low": low,
        "high": high,
        "low_seq": low // len(ROLES),
        "high_seq": -(-high // len(ROLES)),
        "only": only,
        "most": MOST + 1 if only is None else len(ROLES) * MOST,
    }
    id_ = {FOUND: "rowid", TEXTS: "id", CALLS: "seq"}[plan.source]
    ends = ("low_seq", "high_seq") if plan.source is CALLS else ("low", "high")
    source = f"{plan.source} and {id_} >= :{ends[0]} and {id_} < :{ends[1]}"
    if only is not None:
        keys = "select value from json_each(:only)"
        if plan.source is not CALLS:
            keys = " union all ".join(
                f"select {len(ROLES)} * value + {n} from json_each(:only)" for n in range(len(ROLES))
            )
        source += f" and {id_} in ({keys})"
    conditions = " and ".join(["f.id >= :low", "f.id < :high", *plan.conditions])
    sql = (
        f"select f.id from ({source} order by {id_} desc) f cross join requests q on q.seq = f.id / {len(ROLES)} "
        f"{' '.join(plan.joins)} where {conditions} order by f.id desc limit :most"
    )
    return [row[0] for row in db.execute(sql, plan.values | bound)]


def when(db: sqlite3.Connection, id_: int) -> int | None:
    found = db.execute(WHEN, {"seq": id_ // len(ROLES)}).fetchone()
    return None if found is None else int(found[0])


def rows_of(db: sqlite3.Connection, ids: Iterable[int], plan: Plan) -> list[dict[str, Any]]:
    rows, match, ids = [], plan.values.get("match"), list(ids)
    known: dict[int, str] = {}
    if plan.step and ids:
        bound = {"match": match, "low": min(ids), "high": max(ids), "ids": json.dumps(ids)}
        known = dict(db.execute(SNIPPETS, bound).fetchall())
    for id_ in ids:
        seq, role = divmod(id_, len(ROLES))
        cursor = db.execute(SHOWN, {"seq": seq})
        if (values := cursor.fetchone()) is None:  # deleted since it was found
            continue
        found = dict(zip([c[0] for c in cursor.description], values, strict=True))
        words = known.get(id_)
        if words is None and plan.source is not CALLS:
            bound = {"match": match, "id": id_} if match else {"id": id_}
            words = (db.execute(SNIPPET if match else BEGINNING, bound).fetchone() or ("",))[0]
        rows.append({**found, "id": id_, "role": None if words is None else ROLES[role], "snippet": words})
    return rows
