"""The full-text index over what was said: what each request added to its conversation (a coding agent sends the whole of it each
time), and what was answered, calls of tools included. A system prompt stands with the first call that had it.

`search_texts` holds the beginning of each text, `TEXT_CHARS` of it, a row for each role; triggers keep the FTS5 index in step,
also when rows go with their request. Words are found whole, whatever their case or accents; `snake_case` is two words. Scripts
without spaces are found by whole runs only. Deleting takes words out of what can be found; out of the file they go when FTS5
merges its segments.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import Any

from intelligence.store.context import new_messages
from intelligence.wire.json_value import decode, objects
from intelligence.wire.request import Message, Request

TEXT_CHARS = 16_384
# What a snippet puts around a word that was found.
OPEN, CLOSE = "\x02", "\x03"

# An id is `len(ROLES)` x request + the place of the role here. So ids sort by call, newest first is by id, descending, which the
# index gives without sorting, and call and role are known from the id alone.
ROLES = ("system", "user", "tool", "assistant")
PUT = "insert into search_texts (id, request, role, text) values (?, ?, ?, ?)"

# The system prompts that no call had before this one. Where they are messages, they are looked for when a session begins.
SYSTEM = """
with recursive chain (parent, message) as (
    select n.parent, n.message from turns t join nodes n on n.id = t.tip
    where t.request = :seq and t.link is not 'continue' and t.link is not 'retry'
    union all select n.parent, n.message from chain c join nodes n on n.id = c.parent limit 1000)
select m.text from (
    select p.message from turns t join envelope_parts p on p.envelope = t.envelope where t.request = :seq
    union all select message from chain) f
join messages m on m.id = f.message
where m.role in ('system', 'developer') and m.first_request = :seq and m.text <> '' order by m.id"""

FIND = """
select q.id as call_id, q.seq, t.role, q.started_at, q.user, q.client, q.provider, q.model,
    snippet(search_texts_fts, 0, char(2), char(3), '…', 24) as snippet
from search_texts_fts f join search_texts t on t.id = f.rowid join requests q on q.seq = t.request
where search_texts_fts match :match and f.rowid < :before order by f.rowid desc limit :limit"""

_TERM = re.compile(r'"([^"]*)"?|(\S+)')


def rows(
    seq: int, request: Request, text: str | None, tool_calls: str | None, system: Iterable[str] = ()
) -> list[tuple[Any, ...]]:
    """The rows of a call that has ended. `tool_calls` is JSON, as stored; `system` the prompts that are new with it."""
    new = list(new_messages(request))
    said: dict[str, Iterable[str]] = {
        "system": system,
        "user": _parts(new, "text"),
        "tool": _parts(new, "tool_result"),
        "assistant": _answer(text, tool_calls),
    }
    return [
        (len(ROLES) * seq + n, seq, role, words)
        for n, role in enumerate(ROLES)
        if (words := _cut(said[role]))
    ]


def system_prompts(db: sqlite3.Connection, seq: int) -> list[str]:
    """Those that came into the record with this call. Raises `sqlite3.Error`."""
    return [text for (text,) in db.execute(SYSTEM, {"seq": seq})]


def _parts(messages: Iterable[Message], wanted: str) -> Iterable[str]:
    for message in messages:
        yield from (part.text for part in message.parts if part.type == wanted)


def _answer(text: str | None, tool_calls: str | None) -> Iterable[str]:
    yield text or ""
    for call in objects(decode((tool_calls or "[]").encode())):
        yield f"{call.get('name')} {call.get('arguments')}"


def _cut(texts: Iterable[str]) -> str:
    found, room = [], TEXT_CHARS
    for text in texts:
        if text and room > 0:
            found.append(text[:room])
            room -= len(text) + 1
    return "\n".join(found).encode("utf-8", "replace").decode()


def match(words: str) -> str | None:
    """What a person types, as FTS5 wants it: all words, "phrases in quotes", `begin*`. None when there is no word in it."""
    terms = []
    for phrase, word in _TERM.findall(words):
        term = phrase or word
        star = "*" if word.endswith("*") else ""
        term = term.rstrip("*") if star else term
        if any(map(str.isalnum, term)):
            terms.append('"' + term.replace('"', " ").replace("\0", " ") + '"' + star)
    return " ".join(terms) or None


def find(
    db: sqlite3.Connection, words: str, *, limit: int = 50, before_seq: int | None = None
) -> list[dict[str, Any]]:
    """Newest first, a row a text; `before_seq` goes on from the last one of a page. In the snippet `OPEN` and `CLOSE` stand
    around what was found. Any words are borne."""
    wanted = match(words)
    if wanted is None:
        return []
    before = 2**62 if before_seq is None else len(ROLES) * before_seq
    cursor = db.execute(FIND, {"match": wanted, "before": before, "limit": limit})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
