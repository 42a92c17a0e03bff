"""Only what an edit names changes, and it can be taken back: over any JSON, spelled in any way."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.rewrite.apply import apply, undo
from intelligence.rewrite.edits import Edit, Remove, Replace, Rewrite, Splice
from tests.intelligence.rewrite.bodies import (
    LETTERS,
    NUMBERS,
    OBJECTS,
    TEXTS,
    VALUES,
    all_pointers,
    at,
    drop,
    put,
    spelled,
    value_of,
)


def rewrite(*edits: Any, rule: str = "r", redacts: bool = False) -> Rewrite:
    return Rewrite(rule, "because", list(edits), redacts)


def one(body: bytes | str, *edits: Any) -> str:
    done = apply(body.encode() if isinstance(body, str) else body, [rewrite(*edits)])
    assert not done.refused, done.refused
    return done.body.decode()


def why(body: bytes | str, *edits: Any) -> list[str]:
    raw = body.encode() if isinstance(body, str) else body
    done = apply(raw, [rewrite(*edits)])
    assert done.body is raw and done.splices == []
    return [refused.why for refused in done.refused]


@st.composite
def spans(draw: st.DrawFn, texts: st.SearchStrategy[str] = TEXTS) -> tuple[Any, bytes, list[Edit]]:
    """A value, its spelling, and spans in its texts that do not overlap."""
    value = draw(OBJECTS)
    value["text"] = draw(texts)
    body = draw(spelled(value))
    edits = []
    for pointer, text in all_pointers(value):
        if isinstance(text, str) and (pointer == "/text" or draw(st.booleans())):
            cuts = sorted(
                draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=6, unique=True))
                if len(text) > 1
                else []
            )
            edits += [Edit(pointer, a, b, draw(TEXTS)) for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
    return value, body, draw(st.permutations(edits))


@settings(max_examples=100, deadline=None)
@given(spans())
def test_only_the_named_spans_change(case: tuple[Any, bytes, list[Edit]]) -> None:
    value, body, edits = case
    done = apply(body, [rewrite(*edits)])
    assert not done.refused
    expected = json.loads(json.dumps(value))
    for edit in sorted(edits, key=lambda e: (e.pointer, -e.start)):
        text = at(expected, edit.pointer)
        put(expected, edit.pointer, text[: edit.start] + edit.text + text[edit.end :])
    assert value_of(done.body) == expected
    # Of every splice, the bytes that went are those of the span, and those that came are those of the text.
    gone = sorted(json.loads(b'"' + splice.original + b'"') for splice in done.splices)
    asked = [(at(value, e.pointer)[e.start : e.end], e.text) for e in edits]
    assert set(gone) <= {old for old, _ in asked}
    for splice in done.splices:
        came = json.loads(b'"' + done.body[splice.start : splice.end] + b'"')
        assert (json.loads(b'"' + splice.original + b'"'), came) in asked
    assert undo(done.body, done.splices) == body


HALVES = st.lists(
    st.one_of(LETTERS, st.sampled_from(["\ud83d", "\ude00", "\udfff"])), min_size=2, max_size=10
).map("".join)


def joined(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


@settings(max_examples=100, deadline=None)
@given(spans(HALVES.map(joined)))
def test_halves_of_surrogate_pairs_take_part(case: tuple[Any, bytes, list[Edit]]) -> None:
    value, body, edits = case
    edits = [edit for edit in edits if edit.pointer == "/text"]
    done = apply(body, [rewrite(*edits)])
    text = value["text"]
    for edit in sorted(edits, key=lambda e: -e.start):
        text = text[: edit.start] + edit.text + text[edit.end :]
    assert not done.refused
    assert value_of(done.body)["text"] == joined(text)  # halves that come to stand together are one character
    assert undo(done.body, done.splices) == body


# Which of a body's pointers is meant is told by a number: strategies made anew for each body take longer than what they draw.
NUMBER = st.integers(0, 60)


@settings(max_examples=100, deadline=None)
@given(
    OBJECTS.flatmap(lambda value: st.tuples(st.just(value), spelled(value))),
    st.lists(st.tuples(NUMBER, st.booleans(), VALUES), min_size=1, max_size=4),
)
def test_replacing_and_removing(case: tuple[Any, bytes], asked: list[tuple[int, bool, Any]]) -> None:
    value, body = case
    pointers = [pointer for pointer, _ in all_pointers(value)]
    named = {pointers[n % len(pointers)]: (replaces, new) for n, replaces, new in asked}
    edits = [
        Replace(pointer, new) if replaces else Remove(pointer)
        for pointer, (replaces, new) in named.items()
        if not any(pointer.startswith(f"{other}/") for other in named)
    ]
    done = apply(body, [rewrite(*edits)])
    assert not done.refused
    expected = json.loads(json.dumps(value))
    for edit in edits:
        if isinstance(edit, Replace):
            put(expected, edit.pointer, edit.value)
    for edit in sorted(edits, key=lambda e: pointers.index(e.pointer), reverse=True):
        if isinstance(edit, Remove):
            drop(expected, edit.pointer)
    assert value_of(done.body) == expected
    assert undo(done.body, done.splices) == body


SPOT = st.integers(-1, 9)
ANY_EDIT = st.tuples(
    NUMBER, st.sampled_from(["edit", "edit", "replace", "remove"]), SPOT, SPOT, TEXTS, VALUES
)
ANY_REWRITE = st.tuples(st.sampled_from("pqr"), st.lists(ANY_EDIT, max_size=5), st.booleans())


def edit_of(pointers: list[str], n: int, kind: str, start: int, end: int, text: str, value: Any) -> Any:
    pointer = pointers[n % len(pointers)]
    if kind == "edit":
        return Edit(pointer, start, end, text)
    return Replace(pointer, value) if kind == "replace" else Remove(pointer)


@settings(max_examples=100, deadline=None)
@given(
    OBJECTS.flatmap(lambda value: st.tuples(st.just(value), spelled(value))),
    st.lists(ANY_REWRITE, max_size=4),
)
def test_any_edits_at_all_leave_json_and_can_be_undone(case: tuple[Any, bytes], asked: list[Any]) -> None:
    value, body = case
    pointers = [*(p for p, _ in all_pointers(value)), "", "/x", "a", "/~"]
    rewrites = [
        Rewrite(rule, "", [edit_of(pointers, *one) for one in edits], redacts)
        for rule, edits, redacts in asked
    ]
    done = apply(body, rewrites)
    value_of(done.body)
    assert undo(done.body, done.splices) == body
    assert apply(body, rewrites) == done
    named = [(r, e) for r in rewrites for e in r.edits]
    assert all((refused.rewrite, refused.edit) in named and refused.why for refused in done.refused)


@settings(deadline=None)
@given(st.one_of(st.binary(), st.text().map(str.encode)), st.sampled_from(["", "/a", "/0", "/a/b"]))
def test_no_body_raises(body: bytes, pointer: str) -> None:
    done = apply(body, [rewrite(Edit(pointer, 0, 0, "x"), Remove(pointer), Replace(pointer, 1))])
    assert undo(done.body, done.splices) == body


@given(NUMBERS)
def test_numbers_stay_as_spelled(number: Any) -> None:
    body = f'{{"n": {number}, "t": "ab"}}'
    assert one(body, Edit("/t", 0, 1, "")) == f'{{"n": {number}, "t": "b"}}'


def test_what_is_beside_stays_byte_for_byte() -> None:
    body = '\ufeff{"z":1.50,\n\t"a" : [ {"text":"a\\u00e9\\/b c","x":null,"x":2}, "\\u0041" ] }\n'
    assert one(body, Edit("/a/1", 0, 1, "ü")) == body.replace('"\\u0041"', '"ü"')
    assert one('{"t":"a\\u00e9\\/b key c"}', Edit("/t", 5, 8, "[gone]")) == '{"t":"a\\u00e9\\/b [gone] c"}'


def test_an_ascii_body_stays_ascii() -> None:
    assert one('{"t":"key"}', Edit("/t", 0, 3, "é😀")) == '{"t":"\\u00e9\\ud83d\\ude00"}'
    assert one('{"t":"key","u":"é"}', Edit("/t", 0, 3, 'é"')) == '{"t":"é\\"","u":"é"}'
    assert one('{"t":1}', Replace("/t", {"é": 1})) == '{"t":{"\\u00e9":1}}'


@pytest.mark.parametrize(
    ("body", "pointers", "left"),
    [
        ("[1, 2, 3]", ["/0"], "[2, 3]"),
        ("[1, 2, 3]", ["/1"], "[1, 3]"),
        ("[1, 2, 3]", ["/2"], "[1, 2]"),
        ("[1, 2, 3]", ["/0", "/1"], "[3]"),
        ("[1, 2, 3]", ["/0", "/2"], "[2]"),
        ("[1, 2, 3]", ["/2", "/1"], "[1]"),
        ("[ 1 ]", ["/0"], "[]"),
        ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}', ["/a"], '{\n  "b": 2,\n  "c": 3\n}'),
        ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}', ["/c"], '{\n  "a": 1,\n  "b": 2\n}'),
        ('{\n  "a": 1,\n  "b": 2,\n  "c": 3\n}', ["/b"], '{\n  "a": 1,\n  "c": 3\n}'),
    ],
)
def test_a_removed_element_takes_its_comma_along(body: str, pointers: list[str], left: str) -> None:
    assert one(body, *map(Remove, pointers)) == left


def test_what_cannot_be_done_is_refused_with_its_reason() -> None:
    assert why('{"t":"abc"}', Edit("/t", 2, 4, "")) == ["the span is outside the text"]
    assert why('{"t":"abc"}', Edit("/t", 2, 1, "")) == ["the span is outside the text"]
    assert why('{"t":"abc"}', Edit("/t", -1, 1, "")) == ["the span is outside the text"]
    assert why('{"t":1}', Edit("/t", 0, 0, "")) == ["not a text"]
    assert why('{"t":[1]}', Remove("/t/1"), Remove("/t/01"), Remove("/u")) == ["nothing stands there"] * 3
    assert why('{"t":1}', Remove("t"), Remove("/~2")) == ["not a JSON pointer"] * 2
    assert why('{"t":1}', Remove(""), Replace("", 1)) == ["the body as a whole"] * 2
    assert why('{"t":1}', Replace("/t", float("nan"))) == ["the new value is no JSON"]
    assert why('{"t":1', Remove("/t")) == ["the body is not JSON"]
    assert why('{"t":1} x', Remove("/t")) == ["the body is not JSON"]
    assert why(b'{"t":"\xff"}', Edit("/t", 0, 0, "")) == ["the body is not UTF-8"]
    assert why("", Remove("/t")) == ["the body is not JSON"]


def test_below_a_key_given_twice_nothing_is_edited() -> None:
    for body in (
        '{"t":"a","t":"a"}',
        '{"t":"a","u":1,"t":"b"}',
        '{"t":"a","\\u0074":"b"}',
        '{"u":1,"u":12,"t":"a"}',
    ):
        assert why(body, Edit("/t", 0, 1, "")) == ["a key is given twice"]
    # The lengths of the values are such that a scan by lengths alone comes out even.
    assert why('{"a":1,"b":{"c":0,"b"      :1},"a":"0123456789"}', Edit("/a", 0, 1, "")) == [
        "a key is given twice"
    ]
    assert one('{"o":{"t":1,"t":2},"t":"a"}', Edit("/t", 0, 1, "")) == '{"o":{"t":1,"t":2},"t":""}'


def test_deep_nesting_is_refused_or_done() -> None:
    deep = b'{"a":' * 400 + b'"x"' + b"}" * 400
    assert apply(deep, [rewrite(Edit("/a" * 400, 0, 1, "y"))]).body.count(b'"y"') == 1
    deeper = b"[" * 100_000 + b"]" * 100_000
    assert apply(deeper, [rewrite(Remove("/0"))]).refused


def test_nothing_to_change_is_the_very_body() -> None:
    body = b'{"t": "abc"}'
    assert apply(body, []).body is body
    same = apply(body, [rewrite(Edit("/t", 0, 1, "a"))])
    assert same.body is body and same.splices == [] and same.refused == []


def test_splices_of_another_body_are_told() -> None:
    with pytest.raises(ValueError, match="do not belong"):
        undo(b"short", [Splice(2, 9, b"")])


def test_many_edits_in_a_text_of_odd_escapes_take_linear_time() -> None:
    """A count, not a clock: each code point is looked at a bounded number of times."""
    text = "<a> " * 5000
    body = json.dumps({"t": text}).replace("<", "\\u003C").encode()
    edits = [Edit("/t", n, n + 3, "x") for n in range(0, len(text), 4)]
    assert value_of(apply(body, [rewrite(*edits)]).body) == {"t": "x " * 5000}
