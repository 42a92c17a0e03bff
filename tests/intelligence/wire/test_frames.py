"""Streams cut into frames: no byte is lost, the cuts do not matter, and only the JSON is replaced."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.wire.frames import KINDS, Frame, SseFrames, kind_of, kind_within

VALUES = st.lists(
    st.dictionaries(st.text(max_size=5), st.text(max_size=9) | st.integers()), min_size=1, max_size=5
)
CUTS = st.lists(st.integers(0, 400), max_size=6)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


def cut(kind: str, stream: bytes, cuts: list[int]) -> list[Frame]:
    frames = KINDS[kind]()
    at = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    found = [frame for a, b in pairwise(at) for frame in frames.feed(stream[a:b])]
    return [*found, *frames.finish()]


def spoken(kind: str, values: list[object], end: str) -> bytes:
    said = [json.dumps(value) for value in values]
    if kind == "array":
        return ("[" + f",{end}".join(said) + f"{end}]").encode()
    if kind == "lines":
        return "".join(f"{one}\n" for one in said).encode()
    return "".join(f": ping{end}event: e{end}data: {one}{end}{end}" for one in said).encode()


@given(st.sampled_from(sorted(KINDS)), VALUES, ENDS, CUTS)
def test_every_byte_stays_and_every_value_is_found(
    kind: str, values: list[object], end: str, cuts: list[int]
) -> None:
    stream = spoken(kind, values, end)
    frames = cut(kind, stream, cuts)
    assert b"".join(frame.raw for frame in frames) == stream
    assert [json.loads(frame.data) for frame in frames if frame.data] == values
    assert b"".join(frame.holding(frame.data) for frame in frames) == stream
    other = b"".join(frame.holding(b'{"x": 1}') for frame in frames)
    assert other == spoken(kind, [{"x": 1}] * len(values), end)


@given(st.sampled_from(sorted(KINDS)), st.binary(max_size=300), CUTS)
def test_any_bytes_stay(kind: str, stream: bytes, cuts: list[int]) -> None:
    assert b"".join(frame.raw for frame in cut(kind, stream, cuts)) == stream


def test_data_of_several_lines_becomes_one() -> None:
    (frame,) = SseFrames().feed(b'event: a\ndata: {"a":\ndata: 1}\nid: 7\n\n')
    assert json.loads(frame.data) == {"a": 1} and frame.name == "a"
    assert frame.holding(b'{"a":\n2}') == b'event: a\ndata: {"a": 2}\ndata: \nid: 7\n\n'


def test_a_frame_too_long_passes_in_pieces() -> None:
    frames = SseFrames(max_bytes=64)
    out = [frame for _ in range(10) for frame in frames.feed(b"data: " + b"x" * 30)]
    assert frames.lost and not any(frame.data for frame in out)
    assert b"".join(frame.raw for frame in out) + frames.rest() == (b"data: " + b"x" * 30) * 10


@pytest.mark.parametrize(
    ("content_type", "path", "streams", "kind"),
    [
        ("text/event-stream; charset=utf-8", "/v1/messages", True, "sse"),
        ("application/x-ndjson", "/api/chat", None, "lines"),
        ("application/json", "/v1/messages", True, "whole"),
        ("application/json; charset=UTF-8", "/v1/models/g:streamGenerateContent?key=k", None, "array"),
        ("", "/v1/chat/completions", True, "sse"),
        ("", "/v1/chat/completions", False, "whole"),
        ("application/vnd.amazon.eventstream", "/model/m/converse-stream", True, None),
        ("audio/mpeg", "/v1/audio/speech", None, None),
    ],
)
def test_how_an_answer_is_cut(content_type: str, path: str, streams: bool | None, kind: str | None) -> None:
    assert kind_of(content_type, path, streams) == kind


def test_how_a_body_is_cut_that_was_announced_otherwise() -> None:
    assert kind_within(b"\xef\xbb\xbfdata: {}\n\n") == "sse"
    assert kind_within(b'{"a": 1}\n{"b": 2}\n') == "lines"
    assert kind_within(b"<html>") is None
