"""All strings of pieces of JSON at once: as decoding gives them, and each in its piece."""

from __future__ import annotations

import json
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire.pieces import Unsplit, pieces
from intelligence.wire.strings import Strings, strings
from tests.intelligence.rewrite.bodies import VALUES, spelled, value_of
from tests.intelligence.wire import corpus
from tests.intelligence.wire.place_cases import CASES


def said(value: Any) -> list[str]:
    """Keys and strings, in the order in which they are written."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in (key, *said(inner))]
    return [text for inner in value for text in said(inner)] if isinstance(value, list) else []


def told(seen: Strings) -> list[list[str]]:
    """Of each piece."""
    found: list[list[str]] = [[] for _ in seen.pieces[1:]]
    for n in range(1, len(seen.begins), 2):
        found[seen.within([n])[0]].append(seen[n].decode())
    return found


def plain(texts: list[str]) -> bool:
    return not any("\x7f" in text or any("\ud800" <= c <= "\udfff" for c in text) for text in texts)


@settings(max_examples=200, deadline=None)
@given(st.data(), st.lists(VALUES, min_size=1, max_size=5))
def test_as_decoding_gives_them(data: st.DataObject, values: list[Any]) -> None:
    raws = [data.draw(spelled(value)) for value in values]
    expected = [said(value_of(raw)) for raw in raws]
    seen = strings(raws)
    if seen is None:
        assert not plain(list(chain.from_iterable(expected))) or b"\\" * 60 in b"".join(raws)
        return
    assert told(seen) == expected


@pytest.mark.parametrize("count", range(9))
def test_quotation_marks_behind_backslashes(count: int) -> None:
    text = "\\" * count + '"' + "\\" * count
    seen = strings([json.dumps({text: [text, ""]}).encode(), b"1", b'"x"'])
    assert seen and told(seen) == [[text, text, ""], [], ["x"]]


def test_pretty_printed() -> None:
    value = {"a": ["b", {"c": "d\ne"}], "f": 1}
    seen = strings([json.dumps(value, indent="\t").encode(), b' \r\n"g"\n'])
    assert seen and told(seen) == [["a", "b", "c", "d\ne", "f"], ["g"]]


@pytest.mark.parametrize(
    "raw",
    [
        b'"\x7f"',
        rb'"\u007f"',
        rb'"\ud800"',
        b'"a',
        b'"a\nb"',
        b'"\xff"',
        rb'"\q"',
        b'"' + b"\\\\" * 40 + b'"',
    ],
    ids=["del", "del escaped", "surrogate", "open", "control", "no utf-8", "no escape", "many backslashes"],
)
def test_what_is_to_be_decoded(raw: bytes) -> None:
    assert strings([b'"fine"', raw]) is None


def calling(format_: str | None, operation: str | None, body: bytes) -> tuple[set[int], set[int]]:
    """Pieces with tool calls, and those that may have some."""
    made = pieces(format_, operation, body)
    names: dict[str, str] = {}
    found = set()
    for number, piece in enumerate(made):
        places, own = piece.places(names)
        names |= own
        if own or any(place.source == "tool_call" for place in places):
            found.add(number)
    seen = strings([piece.raw for piece in made])
    assert seen is not None
    return found, seen.calling([piece.member.key for piece in made])


@pytest.mark.parametrize("name", [name for name in CASES if isinstance(CASES[name][2], dict)])
def test_no_call_is_missed_in_any_shape(name: str) -> None:
    format_, operation, value, _ = CASES[name]
    for body in (json.dumps(value), json.dumps(value).replace("_", "\\u005f").replace("C", "\\u0043")):
        found, maybe = calling(format_, operation, body.encode())
        assert found <= maybe


def test_words_that_end_like_a_call_are_none() -> None:
    body = {"messages": [{"role": "user", "content": text} for text in ("call", "the tool calls", "no use")]}
    assert calling("openai-chat", "chat", json.dumps(body).encode()) == (set(), set())


@pytest.mark.skipif(not corpus.FILES, reason=f"no corpus at {corpus.FOLDER} (LLMITM_CORPUS)")
@pytest.mark.parametrize("file", corpus.FILES)
def test_no_call_of_the_corpus_is_missed(file: str) -> None:
    several = 0
    for exchange in corpus.exchanges(file):
        target = corpus.target_of(exchange)
        try:
            found, maybe = calling(
                target.format if target else None, None, corpus.body_of(exchange, "request")
            )
        except Unsplit:
            continue
        assert found <= maybe, exchange["id"]
        several += 1
    assert several
