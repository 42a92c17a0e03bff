"""Every word that means something to a detector, in one lexicon: a text is looked up once for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from intelligence.detect.concepts import CONCEPTS
from intelligence.detect.content import MATTERS
from intelligence.detect.features import CONCEPT_AT, MATTERS_AT, Lexicon, Words
from intelligence.detect.sentences import FAMILIES

# What a word is to a family: it begins a sentence of it, completes one, or calls for it alone.
FAMILIES_AT_MOST = CONCEPT_AT // 3


def words(data: bytes) -> Words:
    """Of at most `features.PIECE` bytes."""
    return lexicon().words(data)


@cache
def lexicon() -> Lexicon:
    return Lexicon(_listed())


def _listed() -> Iterator[tuple[str, int]]:
    for number, lists in enumerate(FAMILIES.values()):
        for slot, listed in enumerate(lists):
            yield listed, 1 << (number + FAMILIES_AT_MOST * slot)
    for number, listed in enumerate(CONCEPTS.values(), 1):
        yield listed, number << CONCEPT_AT
    for number, listed in enumerate(MATTERS.values()):
        yield listed, 1 << (number + MATTERS_AT)
