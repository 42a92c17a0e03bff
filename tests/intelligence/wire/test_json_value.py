import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.wire.json_value import (
    INVALID,
    as_json,
    count,
    decode,
    decode_outline,
    first,
    name,
    obj,
    objects,
    sound,
    text,
)


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b'{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}),
        (b'"\\ud83d"', "\ud83d"),
        (b'{"a": NaN}', None),
        (b'"\xff"', "\ufffd"),
        (b"", INVALID),
        (b"{", INVALID),
        (b'{"a": 1} x', INVALID),
        (b"[" * 100_000, INVALID),
    ],
)
def test_decode(data, value):
    found = decode(data)
    assert found == value or (isinstance(found, dict) and str(found) == "{'a': nan}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (3, 3),
        (0, 0),
        (3.0, 3),
        (3.5, None),
        (-1, None),
        (True, None),
        ("3", None),
        (None, None),
        (10**20, None),
        (1e300, None),
    ],
)
def test_count(value, expected):
    assert count(value) == expected
    assert first(None, count(value), 7) == (7 if expected is None else expected)


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {}, True])
def test_the_wrong_type_reads_as_empty(value):
    assert isinstance(obj(value), dict)
    assert isinstance(text(value), str)
    assert objects(value) == []
    assert name(value) in (None, "x")


def test_arguments_as_json():
    assert as_json({"a": "ü"}) == '{"a":"ü"}'
    assert as_json('{"a": 1}') == '{"a": 1}'
    assert json.loads(as_json({"a": "\ud83d", "b": float("nan")}))["a"] == "\ud83d"


@given(st.text(max_size=20))
def test_surrogates_cut_apart_are_joined(value):
    """A stream may cut between the two escapes of one character; decoded alone, each is a half."""
    units = value.encode("utf-16-le")
    halves = [json.loads(f'"\\u{units[i + 1]:02x}{units[i]:02x}"') for i in range(0, len(units), 2)]
    assert sound("".join(halves)) == value


def test_halves_left_alone_are_replaced():
    assert sound("\ud83d\ude00 \ud83d") == "😀 \ufffd"


def test_outline_leaves_large_members_out():
    body = json.dumps({"model": "m", "data": [0.1] * 1000, "usage": {"a": 1}}).encode()
    assert decode_outline(body, 100) == {"model": "m", "usage": {"a": 1}}
    assert decode_outline(b"[1]", 100) == [1]
    assert decode_outline(b"{", 100) is INVALID
    assert decode_outline(b'{"a": NaN, "b": 1}', 100)["b"] == 1
