"""Full-text search over what was said: what each request added to its conversation (a coding agent sends the whole of it each
time), and what was answered, calls of tools included.

`search_texts` holds the beginning of each text, `TEXT_CHARS` of it; triggers keep the FTS5 index in step, also when rows go with
their request. Words are found whole, whatever their case or accents; `snake_case` is two words. Scripts without spaces are
found by whole runs only. Deleting takes words out of what can be found; out of the file they go when FTS5 merges its segments.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable
from typing import Any

from intelligence.store.context import new_messages
from intelligence.wire.json_value import decode, objects
from intelligence.wire.request import Request

TEXT_CHARS = 16_384
# What a snippet puts around a word that was found.
OPEN, CLOSE = "\x02", "\x03"

# Ids sort by call: newest first is by id, descending, which the index gives without sorting.
PUT = "insert into search_texts (id, request, kind, text) values (?, ?, ?, ?)"

FIND = """
select q.id as call_id, q.seq, t.kind, q.started_at, q.user, q.client, q.provider, q.model,
    snippet(search_texts_fts, 0, char(2), char(3), '…', 24) as snippet
from search_texts_fts f join search_texts t on t.id = f.rowid join requests q on q.seq = t.request
where search_texts_fts match :match and f.rowid < :before order by f.rowid desc limit :limit"""

_TERM = re.compile(r'"([^"]*)"?|(\S+)')


def rows(seq: int, request: Request, text: str | None, tool_calls: str | None) -> list[tuple[Any, ...]]:
    """The rows of a call that has ended. `tool_calls` is JSON, as stored."""
    found = []
    if prompt := _cut(_prompt(request)):
        found.append((2 * seq, seq, "prompt", prompt))
    if answer := _cut(_answer(text, tool_calls)):
        found.append((2 * seq + 1, seq, "answer", answer))
    return found


def _prompt(request: Request) -> Iterable[str]:
    """What the user says, then what tools gave: of long results the end may be cut."""
    messages = list(new_messages(request))
    for wanted in ("text", "tool_result"):
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
    before = 2**62 if before_seq is None else 2 * before_seq
    cursor = db.execute(FIND, {"match": wanted, "before": before, "limit": limit})
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]
