"""What a request added to its conversation, read from the message tree: what stands after the last answer of the model.

Only these few messages are read, however long the conversation before them is; a whole body is put together only for a request
that is not in the tree. Of a message beyond `MAX_MESSAGE` bytes (images, as a rule) only its words are given.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field

from intelligence.store import meaning, queries, tree_rows
from intelligence.store.context import new_messages
from intelligence.wire.parts import Message, Part
from intelligence.wire.request import read_request

MAX_MESSAGE = 256 * 1024
MAX_BODY = 1024 * 1024
# The key of the list of messages, of the formats that do not call it `messages`.
_KEYS = {
    "gemini": "contents",
    "openai-responses": "input",
    "openai-realtime": "input",
    "cohere-v1": "chat_history",
}

_AFTER_ANSWER = """
    with recursive path (parent, message, role, depth) as (
        select n.parent, n.message, m.role, 0 from nodes n join messages m on m.id = n.message where n.id = :tip
        union all
        select n.parent, n.message, m.role, depth + 1 from path join nodes n on n.id = path.parent
            join messages m on m.id = n.message
        where path.role is not 'assistant' and depth < :most)
    select message, role from path where role is not 'assistant' order by depth desc"""
_WORDS = "select role, substr(text, 1, 20000) from messages where id = ?"
_BYTES = "select bytes from messages where id = ?"
_REQUEST = """
    select t.tip, t.envelope, q.format, q.operation, q.path, q.body_bytes, q.headers, q.pruned
    from requests q left join turns t on t.request = q.seq where q.seq = ?"""


@dataclass(slots=True)
class Added:
    """`more`: what else was added is not among `messages`."""

    messages: list[Message] = field(default_factory=list)
    more: bool = False


def added(db: sqlite3.Connection, seq: int, most: int = 40) -> Added:
    """At most `most` messages, the last ones. Raises `sqlite3.Error`."""
    row = db.execute(_REQUEST, (seq,)).fetchone()
    if row is None:
        return Added()
    tip, envelope, format_, operation, path, body_bytes, headers, pruned = row
    if tip is not None and envelope is not None:
        return _in_tree(db, tip, format_, most)
    if pruned == "content" or (body_bytes or 0) > MAX_BODY:
        return Added(more=True)
    pairs = [(str(name), str(value)) for name, value in json.loads(headers or "[]")]
    body = queries.body(db, seq, "request", pairs, MAX_BODY)
    found = list(new_messages(read_request(format_, operation, path or "", body)))
    return Added(found[-most:], len(found) > most)


def _in_tree(db: sqlite3.Connection, tip: int, format_: str | None, most: int) -> Added:
    path = db.execute(_AFTER_ANSWER, {"tip": tip, "most": most}).fetchall()
    key = _KEYS.get(format_ or "", "messages")
    found: list[Message] = []
    for message, role in path[-most:]:
        if role in ("system", "developer"):
            continue
        (size,) = db.execute(_BYTES, (message,)).fetchone() or (0,)
        if size > MAX_MESSAGE:
            _, text = db.execute(_WORDS, (message,)).fetchone()
            found.append(Message(role or "", [Part("text", text or "")]))
        elif size:
            found += meaning.read(key, format_, [tree_rows.part(db, message)])
    return Added(found, len(path) > most)
