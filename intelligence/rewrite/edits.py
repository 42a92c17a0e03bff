"""A rewrite as data: which rule changes what in a body, and why.

Pointers (RFC 6901) and spans are those of the body as it came, whatever other edits do, so rules need not know of each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Edit:
    """`text` in the place of the code points from `start` to `end` of the string at `pointer`."""

    pointer: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Replace:
    """`value`, any JSON value, in the place of what stands at `pointer`."""

    pointer: str
    value: Any


@dataclass(frozen=True, slots=True)
class Remove:
    """The element of a list, or the member of an object, goes."""

    pointer: str


Change = Edit | Replace | Remove


@dataclass(frozen=True, slots=True)
class Rewrite:
    """What one rule changes. `redacts`: its edits take something out that must not leave, so where they meet others the
    larger cut is made."""

    rule: str
    reason: str
    edits: Sequence[Change]
    redacts: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    rewrite: Rewrite
    edit: Change
    why: str


@dataclass(frozen=True, slots=True)
class Splice:
    """The bytes from `start` to `end` of the rewritten body stand where `original` stood."""

    start: int
    end: int
    original: bytes


@dataclass(frozen=True, slots=True)
class Rewritten:
    """`body` is the very body that came where no edit was made. `splices` are in order and do not overlap."""

    body: bytes
    splices: list[Splice]
    refused: list[Refused]
