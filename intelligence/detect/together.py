"""Many short texts, looked over together: what costs as much for a short text as for a long one is done once for all of them.

The first request of a long conversation has hundreds of parts that nobody has seen. Here they are laid end to end, a line end
between two, and it is told of each what in it is worth a closer look (`Look`). Most have nothing. The closer look is at the text
by itself, and finds what it would have found without this: what is told here is never too little, and what is told too much
leads to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from intelligence.detect import content, features, injection, injection_model
from intelligence.detect.detection import check
from intelligence.detect.engine import Sieve

# A longer text is worth a pass of its own.
SHORT_BYTES = 1 << 15
_TOGETHER_BYTES = features.PIECE - SHORT_BYTES
# Sums are made in another order than for a text alone.
_ROUNDING = 1e-5


@dataclass(slots=True)
class Look:
    """What in a text, which begins at `begin`, is to be looked at. `candidates` and `triggers` as `sieve` and `injection` find
    them; `model`: whether some stretch may be an attack; `content`: whether it may be about something."""

    sieve: Sieve
    data: bytes
    begin: int
    among: tuple[features.Words, int, int]
    candidates: list[tuple[int, int]] = field(default_factory=list)
    triggers: list[injection.Trigger] = field(default_factory=list)
    model: bool = False
    content: bool = False

    @property
    def words(self) -> features.Words:
        """Of the text alone."""
        all_, a, b = self.among
        starts, ends = all_.starts[a:b] - self.begin, all_.ends[a:b] - self.begin
        return features.Words(starts, ends, all_.place[a:b], all_.check[a:b])

    @property
    def worth_it(self) -> bool:
        return bool(self.candidates or self.triggers or self.model or self.content)


def look(
    datas: Sequence[bytes], sieve: Sieve, kinds: frozenset[str], deadline: float | None = None
) -> Iterator[Look]:
    """Of each text, in order, what may be of `kinds`. Each is of at most `SHORT_BYTES`. Raises `DeadlineExceeded`."""
    some: list[bytes] = []
    size = 0
    for data in datas:
        if some and size + len(data) > _TOGETHER_BYTES:
            check(deadline)
            yield from _look(some, sieve, kinds)
            some, size = [], 0
        some.append(data)
        size += len(data) + 1
    if some:
        check(deadline)
        yield from _look(some, sieve, kinds)


def _look(datas: Sequence[bytes], sieve: Sieve, kinds: frozenset[str]) -> list[Look]:
    joined = b"\n".join(datas)
    lengths = np.array([len(data) for data in datas])
    begins = np.concatenate(([0], np.cumsum(lengths + 1)[:-1]))
    words = features.words(joined)
    borders = np.searchsorted(words.starts, np.append(begins, len(joined) + 1))
    looks = [
        Look(sieve, data, at, (words, a, b))
        for data, at, a, b in zip(
            datas, begins.tolist(), borders[:-1].tolist(), borders[1:].tolist(), strict=True
        )
    ]
    if sieve.overlapping:
        _candidates(looks, sieve.candidates(joined), begins, lengths)
    else:  # one that goes over a border would hide one behind it
        for one in looks:
            one.candidates = sieve.candidates(one.data)
    if "injection" in kinds:
        of = np.repeat(np.arange(len(datas)), np.diff(borders))
        numbers, blocks = _apart(of, borders)
        for text, (family, start, end) in injection.triggers(words, numbers, of):
            one = looks[text]
            one.triggers.append((family, max(0, start - one.begin), end - one.begin))
        for text in _hopeful(words, numbers, blocks, lengths):
            looks[text].model = True
    if "content" in kinds:
        for text in content.may_be_about(joined, begins, words, np.diff(borders)):
            looks[text].content = True
    return looks


def _candidates(looks: list[Look], found: list[tuple[int, int]], begins: Any, lengths: Any) -> None:
    if not found:
        return
    ends = np.array([end for end, _ in found])
    texts = np.searchsorted(begins, ends - 1, side="right") - 1
    within = ends - begins[texts]
    for text, end, length, (_, pattern) in zip(
        texts.tolist(), within.tolist(), lengths[texts].tolist(), found, strict=True
    ):
        if end <= length:
            looks[text].candidates.append((end, pattern))


def _apart(of: Any, borders: Any) -> tuple[Any, Any]:
    """A number for each word, such that those of a text begin at a full block, and none is near one of another text; and where
    the blocks of each text begin."""
    block = injection_model.BLOCK
    counts = np.diff(borders)
    blocks = np.concatenate(([0], np.cumsum(-(-counts // block) + 1)))
    return np.arange(len(of)) - borders[of] + blocks[of] * block, blocks


def _hopeful(words: features.Words, numbers: Any, blocks: Any, lengths: Any) -> list[int]:
    """Texts with a stretch that may be an attack."""
    model = injection_model.load()
    hopes = injection_model.hopes(words, model, numbers, int(blocks[-1]))
    limits = model.threshold + injection_model.allowances(lengths) - _ROUNDING
    texts = np.repeat(np.arange(len(lengths)), np.diff(blocks))
    return [int(text) for text in np.unique(texts[hopes > limits[texts]])]
