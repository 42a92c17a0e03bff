"""Finding for those who are not shown all of a text: what they would not see on its page is not found either.

The words are looked for in the index, which knows the whole of each text, and then once more in what is shown of those that
it gave, by the same index made for them alone; snippets and weights are of what is shown. Words to be left out are looked at only
there, or else their absence would tell of them. One look is at the newest `RANKED` candidates, so a page may end before it is
full, and how many candidates there are can show only in that. Raises `sqlite3.Error`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from typing import Any

from intelligence.store.finding import (
    COUNTED,
    PAGE,
    RANKED,
    SECONDS,
    TEXT,
    Found,
    cursor_of,
    find,
    rows_of,
    scan,
    when,
)
from intelligence.store.ranking import Weigher
from intelligence.store.search import CLOSE, OPEN, TEXT_CHARS
from intelligence.store.search_plan import plan_of
from intelligence.store.search_query import Query

type Shown = Callable[[str, bool], str]
"""A text, and whether it is cut off at its end: what is shown of it."""

BEGINNING = 220
# Of an answer or an error message; of what is longer the end is cut off before it is shown.
READ = 4_000
LONGER = """
select substr(text, 1, :read) as text, substr(error_message, 1, :read) as error_message from responses
where request = :seq"""
INDEX = 'create virtual table texts using fts5 (text, tokenize="unicode61 remove_diacritics 2")'
MATCHES = f"""
select rowid, snippet(texts, 0, char({ord(OPEN)}), char({ord(CLOSE)}), '…', 28) from texts
where texts match :match order by rowid desc"""  # noqa: S608


def find_shown(
    db: sqlite3.Connection,
    query: Query,
    shown: Shown,
    *,
    ranked: bool = False,
    before: str | None = None,
    limit: int = PAGE,
    seconds: float = SECONDS,
) -> Found:
    """As `finding.find`."""
    match = query.match()
    if match is None:
        found = find(db, query, before=before, limit=limit, seconds=seconds)
        return replace(found, rows=[_hidden(db, row, shown) for row in found.rows])
    until = time.monotonic() + seconds
    candidates = replace(query, terms=tuple(t for t in query.terms if t.name or not t.excluded))
    plan = plan_of(db, candidates)
    if plan.nothing or plan.problems:
        return Found(problems=tuple(plan.problems))
    top, offset = cursor_of(before)
    ids, _, reached = scan(db, plan, min(top, plan.highest), RANKED, until)
    if reached is None and len(ids) == RANKED:
        reached = ids[-1]
    texts = {id_: _text(db, id_, shown) for id_ in ids}
    snippets = _matches(texts, match)
    order = list(snippets)
    if ranked:
        weigher = Weigher([term.phrase for term in query.words if not term.excluded])
        order = weigher.order([(id_, texts[id_]) for id_ in order])[offset:]
    page = order[:limit]
    more = back_to = None
    if len(order) > limit:
        newest = top if top < 2**62 else max(ids) + 1
        more = f"{newest}.{offset + limit}" if ranked else str(page[-1])
    elif reached is not None and not ranked:
        more, back_to = str(reached), when(db, reached)
    rows = [_hidden(db, row, shown, snippets) for row in rows_of(db, page, plan)]
    return Found(rows, min(len(snippets), COUNTED + 1), reached is None, more, back_to)


def _matches(texts: dict[int, str], match: str) -> dict[int, str]:
    """Of these texts by id those that match, newest first, each with its snippet."""
    with closing(sqlite3.connect(":memory:")) as memory:
        memory.execute(INDEX)
        memory.executemany("insert into texts (rowid, text) values (?, ?)", texts.items())
        return dict(memory.execute(MATCHES, {"match": match}).fetchall())


def _text(db: sqlite3.Connection, id_: int, shown: Shown) -> str:
    row = db.execute(TEXT, {"id": id_}).fetchone()
    return shown(row[0], len(row[0]) >= TEXT_CHARS) if row else ""


def _hidden(
    db: sqlite3.Connection, row: dict[str, Any], shown: Shown, snippets: dict[int, str] | None = None
) -> dict[str, Any]:
    """A row of `finding.rows_of`, with nothing in it that is not shown."""
    said = db.execute(LONGER, {"seq": row["seq"], "read": READ}).fetchone() or (None, None)
    text, error = (one and shown(one, len(one) == READ)[:BEGINNING] for one in said)
    title = row["session_title"]
    if row["role"] is None:
        snippet = None
    elif snippets is None:
        snippet = _text(db, row["id"], shown)[:BEGINNING]
    else:
        snippet = snippets[row["id"]]
    return row | {
        "text": text,
        "error_message": error,
        "session_title": title and shown(title, title.endswith("…")),
        "snippet": snippet,
    }
