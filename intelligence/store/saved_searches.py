"""Searches that people keep by a name, in `control.db`: their own, and those that others share. All that changes is audited."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from intelligence.store.control import audit, now_ms
from intelligence.store.search_query import MOST_CHARS

MOST = 100
MOST_NAME = 80
SORTS = ("newest", "best")


class SavedSearchError(Exception):
    """It cannot be kept so. The message is for the user."""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    id: int
    user: str
    name: str
    query: str
    sort: str
    shared: bool


def of(db: sqlite3.Connection, user: str) -> list[SavedSearch]:
    """Those of `user`, then the shared ones of others, each by name."""
    rows = db.execute(
        "select id, user, name, query, sort, shared from saved_searches where user = ?1 or shared "
        "order by user <> ?1, name collate nocase, id",
        (user,),
    )
    return [
        SavedSearch(id_, owner, name, query, sort, bool(shared))
        for id_, owner, name, query, sort, shared in rows
    ]


def save(db: sqlite3.Connection, user: str, name: str, query: str, sort: str, shared: bool) -> None:
    """One of that name is replaced. In the transaction of `db`. Raises `SavedSearchError`."""
    name, query = " ".join(name.split()), " ".join(query.split())
    if not name or len(name) > MOST_NAME:
        raise SavedSearchError(f"a saved search needs a name, of {MOST_NAME} characters at most")
    if not query or len(query) > MOST_CHARS:
        raise SavedSearchError("there is nothing to save: search for something first")
    if sort not in SORTS:
        raise SavedSearchError(f"there is no order {sort!r}")
    before = _value(db, user, name)
    (count,) = db.execute("select count(*) from saved_searches where user = ?", (user,)).fetchone()
    if before is None and count >= MOST:
        raise SavedSearchError(f"there are {MOST} saved searches already; remove one first")
    db.execute(
        "insert into saved_searches (user, name, query, sort, shared, created_at) values (?, ?, ?, ?, ?, ?) "
        "on conflict (user, name) do update set query = excluded.query, sort = excluded.sort, shared = excluded.shared",
        (user, name, query, sort, shared, now_ms()),
    )
    if (after := _value(db, user, name)) != before:
        audit(db, user, "save search", name, before, after)


def remove(db: sqlite3.Connection, actor: str, id_: int, *, of_others: bool = False) -> None:
    """A search of `actor`; a shared one of anybody if `of_others`. In the transaction of `db`. Raises `SavedSearchError`."""
    row = db.execute("select user, name, shared from saved_searches where id = ?", (id_,)).fetchone()
    if row is None or not (row[0] == actor or (of_others and row[2])):
        raise SavedSearchError("this search is not there any more, or not yours to remove")
    before = _value(db, row[0], row[1])
    db.execute("delete from saved_searches where id = ?", (id_,))
    audit(db, actor, "remove search", row[1], before)


def _value(db: sqlite3.Connection, user: str, name: str) -> dict[str, object] | None:
    row = db.execute(
        "select query, sort, shared from saved_searches where user = ? and name = ?", (user, name)
    ).fetchone()
    return None if row is None else {"user": user, "query": row[0], "sort": row[1], "shared": bool(row[2])}
