"""Many short texts, looked over together: what costs as much for a short text as for a long one is done once for all of them.

The first request of a long conversation has hundreds of parts that nobody has seen. Here they lie end to end, a line end
between two, and it is told what in which of them is worth a closer look (`Look`). Most have nothing. The closer look is at the
text by itself, and finds what it would have found without this: what is told here is never too little, and what is told too much
leads to nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

import numpy as np

from intelligence.detect import content, features, injection, injection_model, lexicon
from intelligence.detect.detection import check
from intelligence.detect.engine import Sieve

# A longer text is worth a pass of its own.
SHORT_BYTES = 1 << 15
# Sums are made in another order than for a text alone.
_ROUNDING = 1e-5


@dataclass(slots=True)
class Look:
    """What in a text, which begins at `begin`, is to be looked at: `candidates` as a sieve tells them, and whether there are
    `marks` among them, stretches `called` for as in `injection`, the `model`, whether some stretch may be an attack, and what it
    is about, with its share, as in `content`."""

    begin: int = 0
    among: tuple[features.Words, int, int] | None = None
    candidates: list[tuple[int, int]] = field(default_factory=list)
    marks: bool = False
    called: list[injection.Called] = field(default_factory=list)
    model: bool = False
    content: list[tuple[str, float]] = field(default_factory=list)

    @property
    def words(self) -> features.Words:
        """Of the text alone."""
        if self.among is None:
            return lexicon.words(b"")
        words, first, last = self.among
        return words.part(first, last, self.begin)

    def worth_it(self, kinds: frozenset[str]) -> bool:
        return bool(
            self.candidates
            or ((self.called or self.model) and "injection" in kinds)
            or (self.content and "content" in kinds)
        )


NOTHING = Look()


def laid(datas: Iterable[bytes]) -> tuple[bytes, Any, Any]:
    """Texts end to end, where they begin, and their lengths."""
    joined = b"\n".join(datas := list(datas))
    begins = [0, *accumulate(len(data) + 1 for data in datas)]
    return joined, np.array(begins[:-1], np.intp), np.array([len(data) for data in datas], np.intp)


def look(
    joined: bytes,
    begins: Any,
    lengths: Any,
    sieve: Sieve | None,
    kinds: frozenset[str],
    deadline: float | None = None,
) -> dict[int, Look | None]:
    """By their numbers, texts that may have something of `kinds`, and those that are too long to be told of here (None). Of a
    sieve's candidates all are told. Raises `DeadlineExceeded`."""
    found: dict[int, Look | None] = dict.fromkeys(np.flatnonzero(lengths > SHORT_BYTES).tolist())
    first = 0
    for last in (*found, len(begins)):
        for a, b in _runs(begins[first:last], lengths[first:last], features.PIECE):
            check(deadline)
            here = slice(first + a, first + b)
            base = int(begins[first + a])
            joined_here = joined[base : int(begins[first + b - 1] + lengths[first + b - 1])]
            some = _look(joined_here, begins[here] - base, lengths[here], sieve, kinds, deadline)
            found |= {first + a + number: one for number, one in some.items()}
        first = last + 1
    return found


def _runs(begins: Any, lengths: Any, most: int) -> Iterator[tuple[int, int]]:
    """(first, last + 1) of texts that follow each other, of at most `most` bytes together, or one."""
    ends = begins + lengths
    first = 0
    while first < len(begins):
        last = max(first + 1, int(np.searchsorted(ends, begins[first] + most, side="right")))
        yield first, last
        first = last


def _look(
    joined: bytes,
    begins: Any,
    lengths: Any,
    sieve: Sieve | None,
    kinds: frozenset[str],
    deadline: float | None,
) -> dict[int, Look]:
    words = lexicon.words(joined)
    borders = np.searchsorted(words.starts, np.append(begins, len(joined) + 1))
    counts = np.diff(borders)
    of = np.repeat(np.arange(len(begins)), counts)[words.known]
    looks: dict[int, Look] = {}

    def at(text: int) -> Look:
        if text not in looks:
            among = words, int(borders[text]), int(borders[text + 1])
            looks[text] = Look(int(begins[text]), among)
        return looks[text]

    if sieve is not None:
        for text, end, pattern in _candidates(sieve, joined, begins, lengths, deadline):
            if pattern < sieve.size:
                at(text).candidates.append((end, pattern))
            else:
                at(text).marks = True
    if "injection" in kinds:
        numbers, blocks = _apart(words.known, of, borders)
        for text, (family, start, end) in injection.called(
            joined, words, numbers, of, begins, begins + lengths, deadline
        ):
            one = at(text)
            one.called.append((family, start - one.begin, end - one.begin))
        for text in _hopeful(words, numbers, blocks, lengths):
            at(text).model = True
    if "content" in kinds:
        for text, matter, share in content.about(joined, begins, words, of, counts):
            at(text).content.append((matter, share))
    return looks


def _candidates(
    sieve: Sieve, joined: bytes, begins: Any, lengths: Any, deadline: float | None
) -> Iterator[tuple[int, int, int]]:
    """(text, end, pattern)"""
    # One that goes over a border would hide one behind it, where overlapping ones are not told.
    for first, last in _runs(begins, lengths, len(joined) if sieve.overlapping else 0):
        check(deadline)
        base, end = int(begins[first]), int(begins[last - 1] + lengths[last - 1])
        if not (found := sieve.candidates(joined[base:end])):
            continue
        ends, patterns = np.array(found).T
        ends += base
        texts = np.searchsorted(begins, ends - 1, side="right") - 1
        within = ends - begins[texts]
        whole = within <= lengths[texts]
        yield from zip(texts[whole].tolist(), within[whole].tolist(), patterns[whole].tolist(), strict=True)


def _apart(known: Any, of: Any, borders: Any) -> tuple[Any, Any]:
    """Numbers for the known words, such that those of a text begin at a full block, and none is near one of another text; and
    where the blocks of each text begin."""
    block = injection_model.BLOCK
    counts = np.diff(borders)
    blocks = np.concatenate(([0], np.cumsum(-(-counts // block) + 1)))
    shifts = blocks[:-1] * block - borders[:-1]
    return known + shifts[of], blocks


def _hopeful(words: features.Words, numbers: Any, blocks: Any, lengths: Any) -> list[int]:
    """Texts with a stretch that may be an attack."""
    model = injection_model.load()
    hopes = injection_model.hopes(words, model, numbers, int(blocks[-1]))
    high = np.flatnonzero(hopes > model.threshold - _ROUNDING)
    if not len(high):
        return []
    texts = np.searchsorted(blocks, high, side="right") - 1
    limits = model.threshold + injection_model.allowances(lengths[texts]) - _ROUNDING
    hopeful: list[int] = np.unique(texts[hopes[high] > limits]).tolist()
    return hopeful
