"""Words of a text by their hash, without a loop over words.

A word is a run of letters, digits, apostrophes and bytes above ASCII, in lower case. Its hash is the polynomial of
its bytes: as a difference of prefix sums all words of a text come from one `cumsum`, wherever they stand (the base is
odd, so it has an inverse modulo 2^32). Half of a hash's bits are the word's place in a table, the other half tell
apart words that share a place.

Code points above ASCII count by their UTF-8 bytes, as they are written; a language without spaces is one long word,
which no table has.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

BITS = 16
SIZE = 1 << BITS
# The longest piece hashed at once: tables of powers have this length.
PIECE = 1 << 18

_BASE = 0x5851F42D
_MASK = np.uint32(SIZE - 1)
_SHIFT = np.uint32(32 - BITS)

# Lower case for what words are made of, 0 for all else.
_LETTERS = bytes(
    code if code >= 128 or chr(code) in "abcdefghijklmnopqrstuvwxyz0123456789'" else 0
    for code in (byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
)


@cache
def _powers() -> tuple[Any, Any]:
    inverse = pow(_BASE, -1, 1 << 32)
    return (
        np.cumprod(np.full(PIECE, _BASE, np.uint32), dtype=np.uint32),
        np.cumprod(np.full(PIECE, inverse, np.uint32), dtype=np.uint32),
    )


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a piece of text: where each begins and ends (bytes), its place in a table of `SIZE`, and the other
    bits of its hash."""

    starts: Any
    ends: Any
    place: Any
    check: Any


def words(data: bytes) -> Words:
    """Words of at most `PIECE` bytes."""
    letters = np.frombuffer(data.translate(_LETTERS), np.uint8)
    inside = np.zeros(len(data) + 2, np.bool_)
    np.not_equal(letters, 0, out=inside[1:-1])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts, ends = edges[::2], edges[1::2]
    powers, inverses = _powers()
    sums = np.zeros(len(data) + 1, np.uint32)
    np.cumsum(letters * powers[: len(data)], out=sums[1:], dtype=np.uint32)
    hashes = mixed((sums[ends] - sums[starts]) * inverses[starts])
    return Words(starts, ends, (hashes >> _SHIFT).astype(np.intp), (hashes & _MASK).astype(np.intp))


def mixed(hashes: Any) -> Any:
    """Every bit of an uint32 depends on every other (the finalizer of MurmurHash3)."""
    hashes = hashes ^ (hashes >> np.uint32(16))
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(0xC2B2AE35)
    hashes ^= hashes >> np.uint32(16)
    return hashes


class Lexicon:
    """Words that mean something, as bits: a table by place and the same by check, and both must say so."""

    def __init__(self) -> None:
        # Small enough to stay near the processor: most words are in no list.
        self._any = np.zeros(SIZE, np.bool_)
        self._by_place = np.zeros(SIZE, np.uint64)
        self._by_check = np.zeros(SIZE, np.uint64)

    def add(self, listed: str, bits: int) -> None:
        """`bits`, fewer than 64, to each of the words."""
        found = words(listed.encode())
        self._any[found.place] = True
        self._by_place[found.place] |= np.uint64(bits)
        self._by_check[found.check] |= np.uint64(bits)

    def look_up(self, found: Words) -> tuple[Any, Any]:
        """(numbers of the words that are known, their bits)."""
        known = np.flatnonzero(self._any[found.place])
        bits = self._by_place[found.place[known]] & self._by_check[found.check[known]]
        kept = np.flatnonzero(bits)
        return known[kept], bits[kept]
