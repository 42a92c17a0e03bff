from __future__ import annotations

from collections import defaultdict

from intelligence.detect import lexicon
from intelligence.detect.concepts import CONCEPTS
from intelligence.detect.content import MATTERS
from intelligence.detect.features import CONCEPT_AT, MATTERS_AT
from intelligence.detect.sentences import FAMILIES


def test_each_listed_word_is_what_its_lists_say_and_nothing_else() -> None:
    families, concepts, matters = (defaultdict[bytes, int](int) for _ in range(3))
    for number, lists in enumerate(FAMILIES.values()):
        for slot, listed in enumerate(lists):
            for word in listed.split():
                families[word.encode()] |= 1 << (number + 16 * slot)
    for number, listed in enumerate(CONCEPTS.values(), 1):
        for word in listed.split():
            concepts[word.encode()] |= number
    for number, listed in enumerate(MATTERS.values()):
        for word in listed.split():
            matters[word.encode()] |= 1 << number
    told = sorted({*families, *concepts, *matters})
    assert len(told) > 1000
    found = lexicon.words(b" ".join(told))
    assert found.known.tolist() == list(range(len(told)))
    for number, word in enumerate(told):
        assert int(found.families[number]) == families[word], word
        assert int(found.concepts[number]) == concepts[word], word
        assert int(found.matters[number]) == matters[word], word


def test_every_list_has_room() -> None:
    assert max(len(lists) for lists in FAMILIES.values()) == 3
    assert len(FAMILIES) <= lexicon.FAMILIES_AT_MOST
    assert len(CONCEPTS) < 1 << (MATTERS_AT - CONCEPT_AT)
    assert MATTERS_AT + len(MATTERS) <= 64


def test_a_word_of_no_list_is_nothing() -> None:
    found = lexicon.words(b"zebra ignored-ly ignorexyz instruct")
    assert len(found.starts) == 5
    assert found.known.tolist() == [1]
