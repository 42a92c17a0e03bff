import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.wire.sse import SseReader
from tests.intelligence.wire.framings import cuts, in_pieces, seconds

CASES = {
    "lf": (b"data: a\n\ndata: b\n\n", [(b"", b"a"), (b"", b"b")]),
    "crlf": (b"event: x\r\ndata: a\r\n\r\ndata: b\r\n\r\n", [(b"x", b"a"), (b"", b"b")]),
    "cr": (b"data: a\r\rdata: b\r\r", [(b"", b"a"), (b"", b"b")]),
    "mixed": (b"data: a\r\n\ndata: b\n\r\n", [(b"", b"a"), (b"", b"b")]),
    "several lines": (b"data: a\ndata:\ndata\ndata: b\n\n", [(b"", b"a\n\n\nb")]),
    "no space, two spaces": (b"data:a\n\ndata:  b\n\n", [(b"", b"a"), (b"", b" b")]),
    "comments": (b": OPENROUTER PROCESSING\n\n: \n\ndata: a\n:x\n\n", [(b"", b"a")]),
    "other fields": (b"id: 1\nretry: 5\ndatabase: x\nevent: e\ndata: a\n\n", [(b"e", b"a")]),
    "event without data": (b"event: ping\n\ndata: a\n\n", [(b"", b"a")]),
    "blank lines": (b"\n\n\ndata: a\n\n\n\n", [(b"", b"a")]),
    "bom": (b"\xef\xbb\xbfdata: a\n\n", [(b"", b"a")]),
    "no blank line at the end": (b"data: a\n\ndata: b\n", [(b"", b"a"), (b"", b"b")]),
    "no line end at the end": (b"data: a\n\ndata: b", [(b"", b"a"), (b"", b"b")]),
    "cut within a character": ("data: ü€😀\n\n".encode(), [(b"", "ü€😀".encode())]),
    "nothing": (b"", []),
}


@pytest.mark.parametrize("name", CASES)
def test_cut_anywhere(name):
    data, events = CASES[name]
    for pieces in cuts(data):
        assert in_pieces(SseReader, pieces) == events, pieces


def test_events_come_as_soon_as_they_are_whole():
    reader = SseReader()
    assert reader.feed(b"data: a\n") == []
    assert reader.feed(b"\n") == [(b"", b"a")]
    assert reader.feed(b"data: b\r\n\r") == [(b"", b"b")]


@pytest.mark.parametrize("cut", [7, 1000, 10_000])
def test_what_is_too_long_is_dropped_and_the_rest_read(cut):
    for data in (
        b"data: " + b"x" * 5000 + b"\n\ndata: b\n\n",
        b"data: xxxxxxxxx\n" * 100 + b"\ndata: b\n\n",
        b"data: a\n" + b"data: " + b"x" * 5000 + b"\n\ndata: b\n\n",
    ):
        reader = SseReader(max_bytes=500)
        events = [e for at in range(0, len(data), cut) for e in reader.feed(data[at : at + cut])]
        assert events[-1] == (b"", b"b")
        assert all(len(event[1]) <= 500 for event in events)
        assert reader.dropped == 1


def test_one_endless_line_is_cheap():
    assert seconds(SseReader, b"x" * 1000, 50_000) < 2
    assert seconds(SseReader, b"data: x\n" * 100, 5_000) < 4


@given(st.lists(st.binary(max_size=30)))
def test_any_bytes(pieces):
    assert in_pieces(SseReader, pieces) == in_pieces(SseReader, [b"".join(pieces)])


@given(
    st.lists(st.sampled_from([b"data: a", b"\r", b"\n", b"event: e", b":", b"\xef", b"data"]), max_size=20)
)
def test_any_mix(parts):
    data = b"".join(parts)
    assert in_pieces(SseReader, [bytes([b]) for b in data]) == in_pieces(SseReader, [data])
