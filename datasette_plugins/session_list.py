"""The list of sessions, a page at a time: which match a filter, and what they add up to.

Sessions come by when they were last seen, newest first. What a filter asks may be rare; so sessions are looked through in
batches, and after `SECONDS` the search stops where it is, says how far it came, and can be taken up again from there. Sums stand
in the row of each (see `intelligence.store.session_sums`).
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

PAGE = 40
SECONDS = 0.12
# Sessions looked at in one query.
BATCH = 2_000
LONGEST = 200

Key = tuple[int, int]
"""`last_at` and `seq` of a session."""

_EDGE = """
    select last_at, seq from sessions where (last_at, seq) < (:last_at, :seq)
    order by last_at desc, seq desc limit 1 offset :batch"""
_BATCH = """
    select s.seq, s.id, s.title, s.user, s.client, s.client_version, s.working_folder, s.repository, s.started_at,
        s.last_at, s.requests, s.requests - s.ended as pending, s.errors, s.input_tokens, s.output_tokens, s.cost_usd, s.ended_at,
        p.id as parent_id, p.title as parent_title
    from sessions s left join sessions p on p.seq = s.parent
    where (s.last_at, s.seq) < (:last_at, :seq) and (s.last_at, s.seq) >= (:edge_at, :edge_seq)"""
_ORDER = " order by s.last_at desc, s.seq desc limit :most"
_TESTS = {
    "title": "instr(lower(s.title), lower(:title)) > 0",
    "client": "s.client = :client",
    "user": "s.user = :user",
    "folder": """(instr(lower(s.working_folder), lower(:folder)) > 0 or instr(lower(s.repository), lower(:folder)) > 0)""",
    "model": "exists (select 1 from json_each(s.models) where value = :model)",
    "errors": "s.errors > 0",
    "min_cost": "s.cost_usd >= :min_cost",
}
# What the fields of the filter suggest: of the sessions seen last.
SUGGESTED = """
    select distinct {column} from (select {column} from sessions order by last_at desc limit 500)
    where {column} is not null order by 1 limit 100"""


@dataclass(frozen=True, slots=True)
class Filter:
    """`title` and `folder` are parts of them, in upper or lower case; `min_cost` is US dollars."""

    title: str = ""
    client: str = ""
    model: str = ""
    user: str = ""
    folder: str = ""
    errors: bool = False
    min_cost: float | None = None

    @property
    def set(self) -> dict[str, Any]:
        """What is asked for, by name."""
        values = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in values if value not in ("", None, False)}


@dataclass(frozen=True, slots=True)
class Found:
    """`next`: where the next page begins, None at the end of the record. `stopped`: the search was given up there before the page
    was full."""

    rows: list[dict[str, Any]]
    next: Key | None
    stopped: bool


def filter_of(arguments: Mapping[str, str]) -> Filter:
    """Of the arguments of an address. What makes no sense asks for nothing."""
    words = {
        name: " ".join((arguments.get(name) or "").split())[:LONGEST]
        for name in ("title", "client", "model", "user", "folder")
    }
    try:
        cost = float(arguments.get("min_cost") or "")
    except ValueError:
        cost = 0.0
    errors = arguments.get("errors") == "1"
    return Filter(**words, errors=errors, min_cost=cost if 0 < cost < 1e9 else None)


def key_of(text: str | None) -> Key | None:
    """`before` of an address: `<last_at>-<seq>`."""
    at, _, seq = (text or "").partition("-")
    if not (at.isdecimal() and seq.isdecimal() and len(at) < 16 and len(seq) < 16):
        return None
    return int(at), int(seq)


def find(
    db: sqlite3.Connection,
    wanted: Filter,
    before: Key | None,
    seconds: float = SECONDS,
    shown: Callable[[dict[str, Any]], dict[str, Any]] = dict,
) -> Found:
    """A page of sessions last seen before that one. `shown` is what of a row may be shown: nothing is found in what else it
    holds. Raises `sqlite3.Error`."""
    asked = wanted.set
    clauses = [_TESTS[name] for name in asked]
    sql = _BATCH + "".join(f" and {clause}" for clause in clauses) + _ORDER
    batch = BATCH if asked else PAGE + 1
    until = time.monotonic() + seconds
    at: Key = before or (2**62, 0)
    rows: list[dict[str, Any]] = []
    while True:
        edge = db.execute(_EDGE, {"last_at": at[0], "seq": at[1], "batch": batch - 1}).fetchone()
        values = {
            "last_at": at[0],
            "seq": at[1],
            "edge_at": edge[0] if edge else -1,
            "edge_seq": edge[1] if edge else -1,
        }
        most = PAGE + 1 - len(rows)
        found = [dict(row) for row in db.execute(sql, asked | values | {"most": most})]
        rows += [row for row in map(shown, found) if _in_sight(row, wanted)]
        if len(rows) > PAGE:
            last = rows[PAGE - 1]
            return Found(rows[:PAGE], (last["last_at"], last["seq"]), stopped=False)
        if len(found) == most:  # some of them are not in sight, and there may be more in this batch
            at = (found[-1]["last_at"], found[-1]["seq"])
        elif edge is None:
            return Found(rows, None, stopped=False)
        else:
            at = (edge[0], edge[1])
        if time.monotonic() > until:
            return Found(rows, at, stopped=True)


def _in_sight(row: dict[str, Any], wanted: Filter) -> bool:
    title, places = row["title"] or "", (row["working_folder"] or "", row["repository"] or "")
    return wanted.title.lower() in title.lower() and any(
        wanted.folder.lower() in one.lower() for one in places
    )


def suggestions(db: sqlite3.Connection) -> dict[str, list[str]]:
    return {
        column: [row[0] for row in db.execute(SUGGESTED.format(column=column))]
        for column in ("client", "user")
    }
