import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire.json_array import JsonArrayReader
from tests.intelligence.wire.framings import cuts, in_pieces, seconds

CASES = {
    "pretty": b'[{\n  "a": [1, {"b": "}"}]\n}\n,\r\n{"c": "\\"]}\\\\"}]',
    "one line": b'[{"a": 1},{"b": {}}]',
    "lone object": b'{"error": {"code": 400, "message": "[no]"}}',
    "escapes": '[{"a": "\\u00fc\\\\\\"ü😀"}, {}]'.encode(),
    "empty": b"[]",
    "empty object": b"[ {} ]",
    "brackets in a row": b'[{"a":[[[]]],"b":{"c":[{}]}},{"d":[[{"e":"]}"}]]}]',
}


@pytest.mark.parametrize("name", CASES)
def test_cut_anywhere(name):
    data = CASES[name]
    value = json.loads(data)
    for pieces in cuts(data):
        assert [json.loads(e) for e in in_pieces(JsonArrayReader, pieces)] == (
            value if isinstance(value, list) else [value]
        ), pieces


def test_elements_come_as_soon_as_they_are_whole():
    reader = JsonArrayReader()
    assert reader.feed(b'[{"a": 1') == []
    assert reader.feed(b"}\n") == [b'{"a": 1}']
    assert not reader.closed
    reader.feed(b"]")
    assert reader.closed


def test_what_is_too_long_is_dropped_and_the_rest_read():
    for cut in (1, 13, 10_000):
        reader = JsonArrayReader(max_bytes=100)
        data = b'[{"a": "' + b"x" * 5000 + b'"}, {"b": 1}]'
        found = [e for at in range(0, len(data), cut) for e in reader.feed(data[at : at + cut])]
        assert found == [b'{"b": 1}']
        assert reader.dropped == 1


@pytest.mark.parametrize("piece", [b"x" * 1000, b"[" * 1000, b'{"a":' * 200, b"\\" * 1000])
def test_endless_input_is_cheap(piece):
    assert seconds(lambda: _begun(JsonArrayReader()), piece, 2000) < 4


def _begun(reader):
    reader.feed(b'[{"a": "')
    return reader


def test_one_endless_string_is_cheap():
    assert seconds(lambda: _begun(JsonArrayReader()), b"x" * 1000, 50_000) < 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda i: st.lists(i) | st.dictionaries(st.text(), i),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.text(), JSON)), st.booleans(), st.integers(1, 9))
def test_any_array(values, pretty, cut):
    data = json.dumps(values, indent=2 if pretty else None, ensure_ascii=pretty).encode()
    found = in_pieces(JsonArrayReader, [data[at : at + cut] for at in range(0, len(data), cut)])
    assert [json.loads(element) for element in found] == values


@given(st.lists(st.binary(max_size=30) | st.sampled_from([b"[", b"{", b"}", b"]", b'"', b"\\"])))
def test_any_bytes(pieces):
    assert in_pieces(JsonArrayReader, pieces) == in_pieces(JsonArrayReader, [b"".join(pieces)])
