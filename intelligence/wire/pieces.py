"""A request's body cut into pieces that can be read by themselves: each message, and each other member.

Agents send their whole history with every call. Who knows a message by its bytes need not read it again. The places of all
pieces, one after the other, are those of `places` for the whole body.
"""

from __future__ import annotations

from collections import ChainMap
from dataclasses import dataclass

import msgspec

from intelligence.wire.place import Place, Said, Walk, step
from intelligence.wire.places import (
    HOLD,
    MAX_WRAPPERS,
    ORDER,
    TURNS,
    WRAPPERS,
    documents_of,
    request,
    turn,
)

# What may hold more values than one wants to decode is read whole, by `places`.
MAX_BYTES = 2_000_000

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder().decode
_FAILS = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_RANK = {key: n for n, key in enumerate(ORDER)}


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
        return f"{self.depth} {self.documents.source} {'[] ' if self.items else ''}{self.key}"


class Piece:
    """`raw` is JSON: the `member`, or item `number` of it. It says all that the places depend on, but for the member's `context`,
    where it stands, and the names of tools. `digest` is for who remembers pieces."""

    __slots__ = ("digest", "member", "number", "raw")

    def __init__(self, member: Member, number: int, raw: msgspec.Raw) -> None:
        self.member = member
        self.number = number
        self.raw = raw
        self.digest: bytes | None = None

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
    `MAX_BYTES`."""
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
    for key in sorted(members, key=lambda key: _RANK.get(key, len(_RANK))):
        raw = members[key]
        begins = bytes(memoryview(raw)[:1])
        if key in WRAPPERS and begins == b"{" and depth < MAX_WRAPPERS:
            inner = _members(raw)
            if any(one in inner for one in HOLD):
                _cut(made, f"{at}/{step(key)}", inner, documents, depth + 1)
                continue
        items = key in TURNS and begins == b"["
        member = Member(at, key, depth, documents, items)
        if items:
            made += [Piece(member, number, one) for number, one in enumerate(_items(raw))]
        else:
            made.append(Piece(member, 0, raw))
