from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from intelligence.detect.features import Lexicon

WORD = re.compile(rb"[A-Za-z0-9'\x80-\xff]+")
# Of few letters, so that words share beginnings, or are one another's.
NAMES = st.text(alphabet="ab'\u00e9", min_size=1, max_size=40).filter(lambda word: len(word.encode()) < 128)
APART = st.text(alphabet=" .\n-\0_", min_size=1, max_size=9)


@given(
    st.dictionaries(NAMES, st.integers(1, 2**59 - 1), max_size=12),
    st.lists(st.tuples(NAMES, APART)),
    st.data(),
)
@example(
    {"abababab": 1, "ababababa": 2, "abababababababab": 4},
    [("abababababababab", " "), ("abababab", " ")],
    None,
)
def test_a_word_is_found_wherever_it_stands(
    listed: dict[str, int], told: list[tuple[str, str]], data: st.DataObject | None
) -> None:
    text = "".join(word + apart for word, apart in told)
    if data is not None:
        text += " ".join(data.draw(st.lists(st.sampled_from(sorted(listed)))) if listed else ())
    sent = text.encode()
    where = [match.span() for match in WORD.finditer(sent)]
    bits = {word.encode(): of for word, of in listed.items()}
    known = {number: bits[sent[a:b]] for number, (a, b) in enumerate(where) if sent[a:b] in bits}
    for spelled in (sent, sent.upper()):
        found = Lexicon(listed.items()).words(spelled)
        assert list(zip(found.starts.tolist(), found.ends.tolist(), strict=True)) == where
        assert dict(zip(found.known.tolist(), found.bits.tolist(), strict=True)) == known


@given(st.lists(st.sampled_from(["one", "two", "three", "four", "-"]), max_size=30), st.data())
def test_a_part_is_what_it_would_be_alone(told: list[str], data: st.DataObject) -> None:
    lexicon = Lexicon([("one three", 1), ("three", 2)])
    text = " ".join(told).encode()
    words = lexicon.words(text)
    first = data.draw(st.integers(0, len(words.starts)))
    last = data.draw(st.integers(first, len(words.starts)))
    begin = int(words.starts[first]) if first < last else 0
    part = words.part(first, last, begin)
    alone = lexicon.words(text[begin : int(words.ends[last - 1])] if first < last else b"")
    for field in ("starts", "ends", "known", "place", "bits"):
        assert getattr(part, field).tolist() == getattr(alone, field).tolist()


def test_listed_twice_has_the_bits_of_both() -> None:
    assert Lexicon([("a b", 1), ("b c", 6)]).words(b"c B a").bits.tolist() == [6, 7, 1]


def test_what_is_too_long_for_the_lexicon_is_said() -> None:
    assert Lexicon([("x" * 127, 1)]).words(b"x" * 127 + b" " + b"x" * 128).bits.tolist() == [1]
    with pytest.raises(ValueError, match="128 bytes or more in: x"):
        Lexicon([("x" * 128, 1)])
