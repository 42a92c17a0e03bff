"""Redaction: what is found goes, twice is once, and the value comes back."""

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.rewrite.apply import apply, undo
from intelligence.rewrite.edits import Edit
from intelligence.rewrite.placeholder import placeholder, restore
from intelligence.rewrite.redact import Redaction, Secret, redact
from intelligence.wire.json_value import decode
from intelligence.wire.place import Place
from intelligence.wire.places import places
from tests.intelligence.rewrite.bodies import TEXTS, spelled, value_of

KEY = b"k" * 32
Detector = Callable[[str], list[tuple[int, int]]]
DETECTORS: dict[str, Detector] = {
    "keys": lambda text: [m.span() for m in re.finditer(r"sk-[a-z0-9]{3,}", text)],
    "words": lambda text: [m.span() for m in re.finditer(r"\w{3,}", text)],
    "everything": lambda text: [(0, len(text))],
    "values of assignments": lambda text: [m.span(1) for m in re.finditer(r"key=(\S+)", text)],
    "two that overlap": lambda text: [
        m.span() for p in (r"key=\S+", r"sk-[a-z0-9]+") for m in re.finditer(p, text)
    ],
}


def found(body: bytes, detector: Detector) -> list[Secret]:
    asked = places("openai-chat", "chat", "", decode(body))
    return [Secret(place, start, end, "secret-x") for place in asked for start, end in detector(place.text)]


def redacted(body: bytes, detector: Detector) -> tuple[bytes, Redaction]:
    made = redact(KEY, "rule", "because", found(body, detector))
    done = apply(body, [made.rewrite])
    assert not done.refused and undo(done.body, done.splices) == body
    return done.body, made


WORDS = st.lists(
    st.one_of(
        st.sampled_from(["sk-abc123", "key=", " ", "é😀", placeholder(KEY, "pii-email", "x"), "REDACTED-"]),
        TEXTS,
    ),
    max_size=6,
).map("".join)


@pytest.mark.parametrize("name", DETECTORS)
@settings(max_examples=30, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=3), st.data())
def test_twice_is_once_and_restoring_is_the_way_back(
    name: str, texts: list[str], data: st.DataObject
) -> None:
    detector = DETECTORS[name]
    body = data.draw(spelled({"messages": [{"role": "user", "content": text} for text in texts]}))
    once, made = redacted(body, detector)
    twice, again = redacted(once, detector)
    assert not again.rewrite.edits
    assert twice == once
    for text, message in zip(texts, value_of(once)["messages"], strict=True):
        assert restore(message["content"], made.values) == text


def place(text: str, pointer: str = "/t") -> Place:
    return Place(pointer, "user", "user", text)


def spans(text: str, *secrets: tuple[int, int, str]) -> list[tuple[int, int, str]]:
    made = redact(KEY, "r", "", [Secret(place(text), *secret) for secret in secrets])
    return [(edit.start, edit.end, edit.text) for edit in made.rewrite.edits if isinstance(edit, Edit)]


def test_overlapping_spans_are_one_of_the_first_ones_type() -> None:
    assert spans("0123456789", (4, 8, "pii-b"), (2, 6, "secret-a")) == [
        (2, 8, placeholder(KEY, "secret-a", "234567"))
    ]
    assert [s[:2] for s in spans("0123456789", (2, 4, "a"), (4, 6, "b"))] == [(2, 4), (4, 6)]
    assert [s[:2] for s in spans("0123", (2, 99, "a"), (3, 3, "b"))] == [(2, 4)]


def test_a_span_is_cut_around_what_is_a_placeholder() -> None:
    kept = placeholder(KEY, "secret-a", "x")
    text = f"ab{kept}cd"
    assert [s[:2] for s in spans(text, (0, len(text), "b"))] == [(0, 2), (2 + len(kept), len(text))]
    assert spans(text, (2, 2 + len(kept), "b"), (5, 20, "b")) == []
