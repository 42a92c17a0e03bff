"""Words of a text as hashed features, without a loop over words.

A word is a run of letters, digits, apostrophes and bytes above ASCII, in lower case. Its hash is the polynomial of
its bytes: as a difference of prefix sums all words of a text come from one `cumsum`, wherever they stand (the base is
odd, so it has an inverse modulo 2^64). A feature is a word or a pair of neighbours, hashed into `SIZE` places.
Because the model is linear in them, a window's score is a difference of prefix sums too: every window of a text is
judged for the price of one pass.

Code points above ASCII count by their UTF-8 bytes; a language without spaces is one long word, which no model has
seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

BITS = 16
SIZE = 1 << BITS
# The longest piece hashed at once: tables of powers have this length.
PIECE = 1 << 16

_BASE = 6364136223846793005
_MIX = np.uint64(0xBF58476D1CE4E5B9)
_PAIR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(64 - BITS)
_FOLD = np.uint64(29)

_LETTER = np.zeros(256, np.uint64)
for _code in b"abcdefghijklmnopqrstuvwxyz0123456789'":
    _LETTER[_code] = _code
for _code in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
    _LETTER[_code] = _code + 32
_LETTER[128:] = np.arange(128, 256)


@cache
def _powers() -> tuple[Any, Any]:
    inverse = pow(_BASE, -1, 1 << 64)
    return (
        np.cumprod(np.full(PIECE, _BASE, np.uint64)),
        np.cumprod(np.full(PIECE, inverse, np.uint64)),
    )


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a piece of text: where each begins and ends (bytes), and the places of its features."""

    starts: Any
    ends: Any
    single: Any  # place of each word
    pair: Any  # place of each word with the next: one fewer
    check: Any  # other bits of each word's hash, to tell apart words that share a place


def words(data: bytes) -> Words:
    """Words of at most `PIECE` bytes."""
    codes = _LETTER[np.frombuffer(data, np.uint8)]
    inside = np.zeros(len(data) + 2, np.int8)
    inside[1:-1] = codes != 0
    edge = np.diff(inside)
    starts, ends = np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)
    powers, inverses = _powers()
    sums = np.zeros(len(data) + 1, np.uint64)
    np.cumsum(codes * powers[: len(data)], out=sums[1:])
    hashes = (sums[ends] - sums[starts]) * inverses[starts]
    hashes ^= hashes >> _FOLD
    hashes *= _MIX
    single = hashes >> _SHIFT
    check = (hashes >> np.uint64(16)) & np.uint64(SIZE - 1)
    pair = ((hashes[:-1] * _PAIR + hashes[1:]) * _MIX) >> _SHIFT
    return Words(starts, ends, single.astype(np.int64), pair.astype(np.int64), check.astype(np.int64))
