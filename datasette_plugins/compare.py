"""What a request added to the one before it in its conversation.

Messages are compared by what they say, so a moved cache mark is no change. Texts that differ are shown as a unified diff of
their lines, where they are short enough to be compared in a moment.
"""

from __future__ import annotations

import difflib
import json
import sqlite3
from dataclasses import dataclass
from typing import Any

from datasette_plugins import record
from datasette_plugins.mask import NOTHING_HIDDEN, Mask
from intelligence.wire.request import Request, read_request

LONGEST_TEXT = 60_000
MOST_LINES = 400
SHOWN_LINES = 120
# Without a session, how many calls back the conversation's key is looked for.
NEAR = 2_000

PARENT = """
    select coalesce(p.id, s.id) as id from requests q
        left join turns t on t.request = q.seq
        left join requests p on p.seq = t.parent
        left join requests s on s.seq = (
            select max(o.request) from turns o where o.session = t.session and o.request < q.seq and t.link <> 'start')
    where q.seq = :seq"""
BY_KEY = """
    select id from requests where seq < :seq and seq > :seq - :near and conversation_key = :key order by seq desc limit 1"""


@dataclass(frozen=True)
class Line:
    """`sign` is `+`, `-`, ` ` or `@`."""

    sign: str
    text: str


@dataclass(frozen=True)
class Changes:
    """`first_new`: index of the first message that is new; `kept`, `added`, `removed` count messages."""

    previous: str  # id
    first_new: int
    kept: int
    added: int
    removed: int
    system: list[Line]
    system_changed: bool
    tools_added: list[str]
    tools_removed: list[str]
    tools_changed: list[str]
    parameters: list[tuple[str, str, str]]  # name, before, now
    model: tuple[str, str] | None

    @property
    def nothing_else(self) -> bool:
        """Only messages differ."""
        tools = self.tools_added or self.tools_removed or self.tools_changed
        return not (self.system_changed or tools or self.parameters or self.model or self.removed)


def with_previous(
    db: sqlite3.Connection, row: dict[str, Any], asked: Request, mask: Mask = NOTHING_HIDDEN
) -> Changes | None:
    """`None` if no request before it is known, or one of them has a form that is not read."""
    previous_id = _previous(db, row)
    if previous_id is None or not asked.understood:
        return None
    found = record.request_of(db, previous_id)
    if found is None:
        return None
    before, body = found
    was = read_request(before["format"], before["operation"], before["path"] or "", body)
    return compare(previous_id, was, asked, mask) if was.understood else None


def _previous(db: sqlite3.Connection, row: dict[str, Any]) -> str | None:
    try:
        found = db.execute(PARENT, {"seq": row["seq"]}).fetchone()
    except sqlite3.OperationalError:  # a record of before sessions, not migrated yet
        found = None
    if found and found["id"]:
        return str(found["id"])
    if row["conversation_key"] is None:
        return None
    near = db.execute(BY_KEY, {"seq": row["seq"], "near": NEAR, "key": row["conversation_key"]}).fetchone()
    return near and str(near["id"])


def compare(previous_id: str, was: Request, now: Request, mask: Mask = NOTHING_HIDDEN) -> Changes:
    kept = 0
    for before, after in zip(was.messages, now.messages, strict=False):
        if before != after:
            break
        kept += 1
    tools_before = {tool.name: tool for tool in was.tools}
    tools_now = {tool.name: tool for tool in now.tools}
    system_before = "\n\n".join(part.text for part in was.system)
    system_now = "\n\n".join(part.text for part in now.system)
    return Changes(
        previous=previous_id,
        first_new=kept,
        kept=kept,
        added=len(now.messages) - kept,
        removed=len(was.messages) - kept,
        system=_diff(mask.text(system_before), mask.text(system_now)),
        system_changed=system_before != system_now,
        tools_added=[name for name in tools_now if name not in tools_before],
        tools_removed=[name for name in tools_before if name not in tools_now],
        tools_changed=[n for n in tools_now if n in tools_before and tools_now[n] != tools_before[n]],
        parameters=[
            (name, _value(was.parameters, name, mask), _value(now.parameters, name, mask))
            for name in sorted(was.parameters.keys() | now.parameters.keys())
            if was.parameters.get(name) != now.parameters.get(name)
        ],
        model=(was.model or "unknown", now.model or "unknown") if was.model != now.model else None,
    )


def _diff(before: str, now: str) -> list[Line]:
    """Empty when they are equal, or too long to compare."""
    a, b = before.split("\n"), now.split("\n")
    if before == now or len(before) + len(now) > LONGEST_TEXT or len(a) + len(b) > MOST_LINES:
        return []
    lines = list(difflib.unified_diff(a, b, n=2, lineterm=""))[3:]
    return [Line(line[0], "…" if line[0] == "@" else line[1:]) for line in lines[:SHOWN_LINES]]


def _value(parameters: dict[str, Any], name: str, mask: Mask) -> str:
    if name not in parameters:
        return "not set"
    text = mask.text(json.dumps(parameters[name], ensure_ascii=False, default=repr))
    return text if len(text) <= 200 else f"{text[:200]}…"
