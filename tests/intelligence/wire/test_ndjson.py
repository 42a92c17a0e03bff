from hypothesis import given
from hypothesis import strategies as st

from intelligence.wire.ndjson import NdjsonReader
from tests.intelligence.wire.framings import cuts, in_pieces, seconds


def test_cut_anywhere():
    data = '{"a": "ü"}\n\n  \r\n{"b": 2}\r\n{"c": 3}'.encode()
    for pieces in cuts(data):
        assert in_pieces(NdjsonReader, pieces) == ['{"a": "ü"}'.encode(), b'{"b": 2}', b'{"c": 3}'], pieces


def test_what_is_too_long_is_dropped_and_the_rest_read():
    for cut in (1, 7, 10_000):
        reader = NdjsonReader(max_bytes=100)
        data = b"x" * 101 + b"\n" + b"y" * 100 + b"\n" + b"z" * 5000 + b"\n{}\n"
        lines = [line for at in range(0, len(data), cut) for line in reader.feed(data[at : at + cut])]
        assert lines == [b"y" * 100, b"{}"]
        assert reader.dropped == 2


def test_one_endless_line_is_cheap():
    assert seconds(NdjsonReader, b"x" * 1000, 50_000) < 2


@given(st.lists(st.binary(max_size=30)))
def test_any_bytes(pieces):
    assert in_pieces(NdjsonReader, pieces) == in_pieces(NdjsonReader, [b"".join(pieces)])
