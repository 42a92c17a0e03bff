from hypothesis import given
from hypothesis import strategies as st

from intelligence.store.ranking import Weigher


def order(phrases, *texts):
    return Weigher(phrases).order(list(enumerate(texts)))


def test_more_in_less_and_rarer_comes_first():
    assert order(["otter"], "one otter", "otter otter otter", "no such", "OTTER! otter") == [1, 3, 0, 2]
    assert order(["otter"], "otter " + "filling " * 50, "an otter") == [1, 0]
    assert order(["the", "stork"], "the the", "the stork", "the heron the", "the end") == [1, 0, 2, 3]


def test_phrases_over_signs_and_from_the_beginning_of_a_word():
    assert order(["read file"], "unread_file", "READ_file(x)", "file read") == [1, 0, 2]
    assert order(["straße"], "STRASSE", "x") == [0, 1]


@given(st.lists(st.text(max_size=20), max_size=4), st.lists(st.text(max_size=60), max_size=8))
def test_any_texts_are_ordered_all_of_them(phrases, texts):
    assert sorted(order(phrases, *texts)) == list(range(len(texts)))
