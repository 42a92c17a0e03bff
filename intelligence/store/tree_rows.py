"""The message tree in the database: parts, chains and envelopes, each stored once; and bodies put together from them.

Only the worker writes (`Tree`), inside the transaction of its batch. Like the drain it mirrors the database in memory, so
after any error of the database it is thrown away. What it remembers is bounded: known parts by the hash of their bytes as
they came, so that a history sent again costs one hash a message; known steps of chains; and known envelopes, for the system
prompt and the tools of an agent come with every request, and cost one hash together.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec
import zstandard

from intelligence.store.bodies import compress, decompress
from intelligence.store.meaning import words
from intelligence.store.tree import HASH_BYTES, Chain, Mark, Part, Split, join, key_of, put_marks, take_marks
from intelligence.store.tree import dump as dump_json

# Entries of each memory; the known parts are the largest, about a kilobyte each with all that hangs on it.
REMEMBERED = 8_192

_FIND_MESSAGE = "select id, role, meaning from messages where hash = ?"
_INSERT_MESSAGE = """insert into messages (hash, kind, role, bytes, data, text, meaning, first_request)
    values (?, ?, ?, ?, ?, ?, ?, ?)"""
_FIND_NODE = "select id from nodes where parent = ? and message = ?"
_INSERT_NODE = "insert into nodes (parent, message) values (?, ?)"
_FIND_ENVELOPE = "select id from envelopes where hash = ?"
_INSERT_ENVELOPE = "insert into envelopes (hash, data) values (?, ?)"
_INSERT_ENVELOPE_PART = "insert or ignore into envelope_parts (envelope, message) values (?, ?)"
_TURN = (
    """select t.tip, t.marks, e.data from turns t join envelopes e on e.id = t.envelope where t.request = ?"""
)
_PATH = """
    with recursive path (node, parent, message, depth) as (
        select id, parent, message, 0 from nodes where id = ?
        union all
        select n.id, n.parent, n.message, depth + 1 from path join nodes n on n.id = path.parent)
    select m.id, m.role, m.meaning from path join messages m on m.id = path.message order by depth desc"""
_CHAIN_DATA = _PATH.replace("m.id, m.role, m.meaning", "m.data, m.text")
_PART_DATA = "select data, text from messages where id = ?"
# Words of at least so many characters are not stored a second time in the JSON they are from.
_WORDS = 64

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_unmark = msgspec.json.Decoder(list[tuple[int, list[Any]]]).decode
_CHAIN, _TEXT, _PART = 0, 1, 2


class TreeError(Exception):
    """A body whose parts are not all there."""


@dataclass(frozen=True, slots=True)
class Said:
    """A stored message: its id, who says it, and what (see `meaning`)."""

    id: int
    role: str | None
    meaning: bytes | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A request in the tree: columns of its row in `turns`, and the conversation."""

    tip: int
    envelope: int
    marks: bytes | None
    path: list[Said]


class Tree:
    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._parts: dict[bytes, tuple[Said, list[Mark]]] = {}
        self._nodes: dict[tuple[int, int], int] = {}
        self._envelopes: dict[bytes, int] = {}
        self._whole: dict[bytes, int] = {}

    def put(self, split: Split, seq: int, format: str | None) -> Stored:
        """Store what is new of a request. Raises `sqlite3.Error`."""
        for memory in (self._parts, self._nodes, self._envelopes, self._whole):
            if len(memory) > REMEMBERED:
                _forget_older_half(memory)
        tip, path, marked = 0, [], []
        for n, raw in enumerate(split.messages):
            said, marks = self._part("message", raw, split.key, format, seq)
            if marks:
                marked.append((n, marks))
            path.append(said)
            tip = self._node(tip, said.id)
        envelope = self._envelope_of(split, seq, format)
        return Stored(tip, envelope, dump_json(marked) if marked else None, path)

    def _envelope_of(self, split: Split, seq: int, format: str | None) -> int:
        seen = _seen(split)
        if (known := self._whole.get(seen)) is not None:
            return known
        items: list[Any] = []
        held = set()
        for item in split.envelope:
            if isinstance(item, Part):
                said, marks = self._part(item.kind, item.raw, split.key, format, seq)
                held.add(said.id)
                items.append([_PART, said.id, dump_json(marks)] if marks else [_PART, said.id])
            elif isinstance(item, Chain):
                items.append([_TEXT] if item.text else [_CHAIN, item.separator])
            else:
                items.append(item)
        found = self._whole[seen] = self._envelope(_pack(items), held)
        return found

    def _part(self, kind: str, raw: bytes, key: str, format: str | None, seq: int) -> tuple[Said, list[Mark]]:
        seen = blake2b(raw, digest_size=HASH_BYTES, person=kind.encode(), salt=key.encode()).digest()
        if found := self._parts.get(seen):
            return found
        plain, marks = take_marks(raw)
        hash_ = key_of(kind, plain)
        row = self._db.execute(_FIND_MESSAGE, (hash_,)).fetchone()
        if row is None:
            role, text, meaning = words(kind, key, format, plain)
            cursor = self._db.execute(
                _INSERT_MESSAGE, (hash_, kind, role, len(plain), pack_part(plain, text), text, meaning, seq)
            )
            row = (cursor.lastrowid, role, meaning)
        self._parts[seen] = found = (Said(*row), marks)
        return found

    def _node(self, parent: int, message: int) -> int:
        step = (parent, message)
        if found := self._nodes.get(step):
            return found
        row = self._db.execute(_FIND_NODE, step).fetchone()
        node = int(row[0]) if row else int(self._db.execute(_INSERT_NODE, step).lastrowid or 0)
        self._nodes[step] = node
        return node

    def _envelope(self, data: bytes, held: set[int]) -> int:
        hash_ = blake2b(data, digest_size=HASH_BYTES).digest()
        if found := self._envelopes.get(hash_):
            return found
        row = self._db.execute(_FIND_ENVELOPE, (hash_,)).fetchone()
        if row:
            envelope = int(row[0])
        else:
            cursor = self._db.execute(_INSERT_ENVELOPE, (hash_, data))
            envelope = int(cursor.lastrowid or 0)
            self._db.executemany(_INSERT_ENVELOPE_PART, [(envelope, part) for part in sorted(held)])
        self._envelopes[hash_] = envelope
        return envelope


def _seen(split: Split) -> bytes:
    """Of all that stands around the messages, as it came; each item with what it is and its length."""
    said = [split.key.encode()]
    for item in split.envelope:
        if isinstance(item, Part):
            said += (item.kind.encode(), b"%d " % len(item.raw), item.raw)
        elif isinstance(item, bytes):
            said += (b"%d " % len(item), item)
        else:
            said += (b"text " if item.text else b"chain ", item.separator)
    return blake2b(b"".join(said), digest_size=HASH_BYTES).digest()


def path(db: sqlite3.Connection, tip: int) -> list[Said]:
    """A conversation, oldest message first."""
    return [Said(*row) for row in db.execute(_PATH, (tip,))]


def part(db: sqlite3.Connection, message: int) -> bytes:
    """The JSON of a part, without marks. Raises `TreeError`."""
    row = db.execute(_PART_DATA, (message,)).fetchone()
    if row is None:
        raise TreeError(f"part {message} is not there")
    return unpack_part(*row)


def pack_part(raw: bytes, text: str | None) -> bytes:
    """Its JSON as stored beside its words, which serve as the dictionary: so they cost nothing there."""
    if text is None or len(text) < _WORDS:
        return compress(raw)
    return zstandard.ZstdCompressor(level=3, dict_data=_dictionary(text)).compress(raw)


def unpack_part(data: bytes, text: str | None) -> bytes:
    if text is None or len(text) < _WORDS:
        return decompress(data)
    return zstandard.ZstdDecompressor(dict_data=_dictionary(text)).decompress(data)


def _dictionary(text: str) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(text.encode(), dict_type=zstandard.DICT_TYPE_RAWCONTENT)


def body(db: sqlite3.Connection, seq: int) -> bytes | None:
    """The body of a request, content-encoding undone; None when it is not in the tree. Raises `TreeError`."""
    row = db.execute(_TURN, (seq,)).fetchone()
    if row is None:
        return None
    tip, marks, envelope = row
    marked = dict(_unmark(marks)) if marks else {}

    def messages() -> list[bytes]:
        raws = [unpack_part(*row) for row in db.execute(_CHAIN_DATA, (tip,))]
        for n, found in marked.items():
            raws[n] = put_marks(raws[n], found)
        if not raws:
            raise TreeError(f"node {tip} is not there")
        return raws

    def one(item: list[Any]) -> bytes:
        return put_marks(part(db, item[1]), msgspec.json.decode(item[2]) if len(item) > 2 else [])

    return join(_items(_unpack(envelope)), messages, one)


def _items(packed: list[Any]) -> Iterable[bytes | Chain | list[Any]]:
    for item in packed:
        if isinstance(item, bytes) or item[0] == _PART:
            yield item
        else:
            yield Chain(b"", text=True) if item[0] == _TEXT else Chain(item[1])


def _forget_older_half(memory: dict[Any, Any]) -> None:
    for key in list(memory)[: len(memory) // 2]:
        del memory[key]
