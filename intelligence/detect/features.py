"""Words of a text, without a loop over words.

A word is a run of letters, digits, apostrophes and bytes above ASCII, in lower case. Most are in no list that anybody looks into:
its first eight bytes, as one number, tell so. Only the others are hashed whole. Half of 32 bits of the hash are a word's
place in a table, the other half tell apart words that share a place.

Code points above ASCII count by their UTF-8 bytes, as they are written; a language without spaces is one long word,
which no list has.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

BITS = 16
SIZE = 1 << BITS
# The longest piece whose words are looked up at once, for the memory it takes.
PIECE = 1 << 18

# Lower case for what words are made of, 0 for all else.
_LETTERS = bytes(
    code if code >= 128 or chr(code) in "abcdefghijklmnopqrstuvwxyz0123456789'" else 0
    for code in (byte + 32 if 65 <= byte <= 90 else byte for byte in range(256))
)
# Of eight bytes, the first so many.
_FIRST = np.array([(1 << 8 * count) - 1 for count in range(9)], np.uint64)
_HALF = np.uint64(SIZE - 1)
_TOP, _NEXT = np.uint64(64 - BITS), np.uint64(64 - 2 * BITS)
# Bits of a word that stand for its families, from there on those for its concept, and those for its matters.
CONCEPT_AT, MATTERS_AT = 48, 54
_BELOW_CONCEPT = np.uint64((1 << CONCEPT_AT) - 1)
_BELOW_MATTERS = np.uint64((1 << MATTERS_AT) - 1)
# A factor for each eight bytes of the longest word: powers of an odd number.
_FACTORS = np.cumprod(np.full(16, 0x9E3779B97F4A7C15, np.uint64), dtype=np.uint64)
_LONGEST = 8 * len(_FACTORS)


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a piece of text: where each begins and ends (bytes). The `known` are numbers of those that are in a list,
    ascending. Each of them has a `place` that it shares with few others, and `bits` that say what it is."""

    starts: Any
    ends: Any
    known: Any
    place: Any
    bits: Any

    @property
    def families(self) -> Any:
        """Of sentences, as in `injection`, for each of the known."""
        return self.bits & _BELOW_CONCEPT

    @property
    def concepts(self) -> Any:
        """Numbers of `concepts`, from 1, or 0."""
        return (self.bits & _BELOW_MATTERS) >> np.uint64(CONCEPT_AT)

    @property
    def matters(self) -> Any:
        """As bits, as in `content`."""
        return self.bits >> np.uint64(MATTERS_AT)

    def part(self, first: int, last: int, begin: int) -> Words:
        """Those from `first` to before `last`, of a text that begins at `begin`."""
        a, b = np.searchsorted(self.known, (first, last))
        return Words(
            self.starts[first:last] - begin,
            self.ends[first:last] - begin,
            self.known[a:b] - first,
            self.place[a:b],
            self.bits[a:b],
        )


class Lexicon:
    """Words that mean something, each with its bits, fewer than 64. One that is listed twice has those of both."""

    def __init__(self, listed: Iterable[tuple[str, int]]) -> None:
        self._begins = np.zeros(SIZE, np.bool_)
        # What a word is, if its place and the other half of its hash both say so.
        self._by_place = np.zeros(SIZE, np.uint64)
        self._by_check = np.zeros(SIZE, np.uint64)
        for text, bits in listed:
            letters, starts, ends = _split(text.encode())
            lengths = ends - starts
            if lengths.max(initial=0) >= _LONGEST:
                raise ValueError(f"a word of {_LONGEST} bytes or more in: {text}")
            first = _eight(letters, starts, lengths)
            place, check = _hashed(letters, starts, lengths, first)
            self._begins[_beginning(first)] = True
            self._by_place[place] |= np.uint64(bits)
            self._by_check[check] |= np.uint64(bits)

    def words(self, data: bytes) -> Words:
        """Of at most `PIECE` bytes."""
        letters, starts, ends = _split(data)
        lengths = ends - starts
        first = _eight(letters, starts, lengths)
        known = np.flatnonzero(self._begins.take(_beginning(first)))
        place, check = _hashed(letters, starts[known], lengths[known], first[known])
        bits = self._by_place[place] & self._by_check[check]
        kept = np.flatnonzero(bits)
        return Words(starts, ends, known[kept], place[kept], bits[kept])


def _split(data: bytes) -> tuple[Any, Any, Any]:
    """Its letters, eight in a number, with some zeros behind, and where words begin and end."""
    translated = data.ljust((len(data) // 8 + 3) * 8, b"\0").translate(_LETTERS)
    inside = np.zeros(len(translated) + 1, np.bool_)
    np.not_equal(np.frombuffer(translated, np.uint8), 0, out=inside[1:])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    return np.frombuffer(translated, "<u8"), edges[::2].copy(), edges[1::2]


def _eight(letters: Any, at: Any, left: Any) -> Any:
    """The eight bytes at each of some places, as a number; of a word that has fewer `left`, no more than these."""
    aligned, shift = at >> 3, (at & 7).view(np.uint64)
    shift <<= np.uint64(3)
    found = letters.take(aligned)
    found >>= shift
    aligned += 1
    behind = letters.take(aligned)
    np.subtract(np.uint64(64), shift, out=shift)
    behind <<= shift  # by 64 gives 0
    found |= behind
    found &= _FIRST.take(left, mode="clip")
    return found


def _beginning(first: Any) -> Any:
    return (first * _FACTORS[0] >> _TOP).view(np.intp)


def _hashed(letters: Any, starts: Any, lengths: Any, first: Any) -> tuple[Any, Any]:
    """(place, check) of words: of their first `_LONGEST` bytes, and no word that is listed is longer."""
    hashes = first * _FACTORS[0]
    for number, factor in enumerate(_FACTORS[1:], 1):
        longer = np.flatnonzero(lengths > 8 * number)
        if not len(longer):
            break
        hashes[longer] += _eight(letters, starts[longer] + 8 * number, lengths[longer] - 8 * number) * factor
    # Half of the finalizer of MurmurHash3: every bit that is used depends on every other.
    hashes ^= hashes >> np.uint64(33)
    hashes *= np.uint64(0xFF51AFD7ED558CCD)
    return (hashes >> _TOP).view(np.intp), (hashes >> _NEXT & _HALF).view(np.intp)


def mixed(hashes: Any) -> Any:
    """Every bit of an uint32 depends on every other (the finalizer of MurmurHash3)."""
    hashes = hashes ^ (hashes >> np.uint32(16))
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(0xC2B2AE35)
    hashes ^= hashes >> np.uint32(16)
    return hashes
