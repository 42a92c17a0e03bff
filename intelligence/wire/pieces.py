"""A request's body cut into pieces that can be read by themselves: each message, and each other member.

Agents send their whole history with every call. Who knows a message by its bytes need not read it again. The places of all
pieces, one after the other, are those of `places` for the whole body.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass

import msgspec

from intelligence.wire.place import Place, Said, Walk
from intelligence.wire.places import (
    BEFORE,
    BEHIND,
    HOLD,
    MAX_WRAPPERS,
    TURNS,
    WRAPPERS,
    documents_of,
    request,
    turn,
)

# What may hold more values than one wants to decode is read whole, by `places`.
MAX_BYTES = 2_000_000
# Of more, each is so small that to know it costs more than to read it.
MAX_PIECES = 10_000

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode
_FAILS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Unsplit(ValueError):
    """The body is to be read whole."""


@dataclass(frozen=True, slots=True)
class Member:
    """Member `key` of the object at `at`, as a whole or item by item. `context` tells apart what is read differently."""

    at: str
    key: str
    depth: int
    documents: Said
    items: bool

    @property
    def context(self) -> str:
        return f"{self.depth} {self.documents.source} {'item of' if self.items else 'all of'} {self.key}"


class Piece(msgspec.Struct, gc=False):
    """`raw` is JSON: the `member`, or item `number` of it. It says all that the places depend on, but for the member's `context`,
    where it stands, and the names of tools. `digest` is for who remembers pieces."""

    member: Member
    number: int
    raw: msgspec.Raw
    digest: bytes | None = None

    def places(self, names: dict[str, str]) -> tuple[list[Place], dict[str, str]]:
        """As `places` gives them, and the tools by call id that are named here. `names`: those of the pieces before. Raises
        `Unsplit`."""
        own: dict[str, str] = {}
        walk, member = Walk(ChainMap(own, names)), self.member
        try:
            value = _decode(self.raw)
        except _FAILS as e:
            raise Unsplit from e
        if member.items:
            turn(walk, f"{member.at}/{member.key}/{self.number}", value)
        else:
            request(walk, member.at, {member.key: value}, member.documents, member.depth)
        return walk.places, own


def pieces(format: str | None, operation: str | None, body: bytes) -> list[Piece]:
    """In the order of `places`, whose arguments these are. Raises `Unsplit` for a body that is no object, or has more than
    `MAX_BYTES` or `MAX_PIECES`."""
    if len(body) > MAX_BYTES:
        raise Unsplit
    made: list[Piece] = []
    try:
        _cut(made, "", _members(body), documents_of(format, operation), 0)
    except _FAILS as e:
        raise Unsplit from e
    return made


def _cut(made: list[Piece], at: str, members: dict[str, msgspec.Raw], documents: Said, depth: int) -> None:
    if "type" in members and _decode(members["type"]) == "text":
        raise Unsplit  # it says of the other members what they are
    wrapped = _wrapped(members) if depth < MAX_WRAPPERS else {}
    for key in dict.fromkeys((*BEFORE, *wrapped, *BEHIND, *members)):
        if key not in members:
            continue
        if key in wrapped:
            _cut(made, f"{at}/{key}", wrapped[key], documents, depth + 1)
            continue
        raw = members[key]
        member = Member(at, key, depth, documents, items=key in TURNS and _begins(raw) == b"[")
        items = _items(raw) if member.items else [raw]
        if len(made) + len(items) > MAX_PIECES:
            raise Unsplit
        made += [Piece(member, number, one) for number, one in enumerate(items)]


def _wrapped(members: dict[str, msgspec.Raw]) -> dict[str, dict[str, msgspec.Raw]]:
    """What those wrappers hold that are requests of their own."""
    objects = {
        key: _members(members[key]) for key in WRAPPERS if key in members and _begins(members[key]) == b"{"
    }
    return {key: inner for key, inner in objects.items() if any(one in inner for one in HOLD)}


def _begins(raw: msgspec.Raw) -> bytes:
    return bytes(memoryview(raw)[:1])
