"""What each event of a stream adds. Put together, the pieces are the answer; any value at all is read without raising."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire import deltas
from intelligence.wire.deltas import DeltaReader, Deltas, Piece
from intelligence.wire.frames import KINDS
from intelligence.wire.guards import PROVIDER_RUN
from tests.intelligence.policy.streams import SPOKEN, Spoken

WORDS, ARGUMENTS = ["one ", "two ", "three"], ['{"command": ', '"ls"}']
each = pytest.mark.parametrize("spoken", SPOKEN, ids=lambda spoken: spoken.name)


def read(kind: str, stream: bytes) -> list[tuple[Any, Deltas]]:
    frames, reader = KINDS[kind](), DeltaReader()
    return [
        (json.loads(frame.data), reader.read(frame.name, json.loads(frame.data)))
        for frame in [*frames.feed(stream), *frames.finish()]
        if frame.data[:1] in (b"{", b"[") and frame.data != b"[DONE]"
    ]


def of(*events: Any) -> list[Deltas]:
    reader = DeltaReader()
    return [reader.read(event.pop("_event", ""), event) for event in events]


def joined(told: Iterable[Deltas]) -> dict[Any, str]:
    texts: dict[Any, str] = {}
    for one in told:
        for piece in one.pieces:
            texts[piece.channel] = texts.get(piece.channel, "") + piece.text
    return texts


def at(value: Any, pointer: str) -> Any:
    for key in pointer.split("/")[1:]:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


@each
def test_the_pieces_are_the_answer(spoken: Spoken) -> None:
    events = read(spoken.kind, spoken.say(WORDS, ARGUMENTS))
    texts = joined(told for _, told in events)
    whole = [place for _, told in events for place in told.whole]
    assert "".join(WORDS) in texts.values()
    called = [text for text in texts.values() if "command" in text] + [
        place.text for place in whole if place.source == "tool_call"
    ]
    assert called and all(text == "ls" or json.loads(text) == {"command": "ls"} for text in called)


@each
def test_pointers_name_what_is_told(spoken: Spoken) -> None:
    for value, told in read(spoken.kind, spoken.say(WORDS, ARGUMENTS)):
        for piece in told.pieces:
            assert at(value, piece.pointer) == piece.text
        for place in told.whole:
            assert at(value, place.pointer) == place.text


@each
def test_all_that_begins_ends(spoken: Spoken) -> None:
    """Whoever holds a text back until it ends must hear that it does."""
    open_: set[Any] = set()
    for _, told in read(spoken.kind, spoken.say(WORDS, ARGUMENTS)):
        open_ |= {piece.channel for piece in told.pieces}
        open_ = {one for one in open_ if not any(one[: len(end)] == end for end in told.ended)}
        open_ = set() if told.over else open_
    assert open_ == set()


@each
def test_calls_carry_the_name_of_their_tool(spoken: Spoken) -> None:
    for _, told in read(spoken.kind, spoken.say([], ARGUMENTS)):
        for piece in told.pieces:
            assert piece.source != "tool_call" or piece.tool.name == "Bash"
        for place in told.whole:
            assert place.source != "tool_call" or place.tool == "Bash"


def _chat(**delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": delta}]}


def test_calls_side_by_side_are_kept_apart() -> None:
    def call(index: int | None, id_: str | None, name: str | None, arguments: str) -> dict[str, Any]:
        function = {"name": name, "arguments": arguments}
        return {
            key: value
            for key, value in (("index", index), ("id", id_), ("function", function))
            if value is not None
        }

    told = of(
        _chat(tool_calls=[call(0, "a", "first", '{"n":'), call(1, "b", "second", "[")]),
        _chat(tool_calls=[call(1, None, None, "2]")]),
        _chat(tool_calls=[call(0, None, None, "1}")]),
        # Without an index, a new id and name begin another call.
        _chat(tool_calls=[call(None, "c", "third", "{")]),
        _chat(tool_calls=[call(None, None, None, "}")]),
        _chat(tool_calls=[call(None, "d", "fourth", "null")]),
    )
    names = {piece.channel: piece.tool.name for one in told for piece in one.pieces}
    assert {names[channel]: text for channel, text in joined(told).items()} == {
        "first": '{"n":1}',
        "second": "[2]",
        "third": "{}",
        "fourth": "null",
    }


def test_choices_and_refusals_have_channels_of_their_own() -> None:
    told = of(
        {"choices": [{"index": 0, "delta": {"content": "a"}}, {"index": 1, "delta": {"content": "b"}}]},
        {"choices": [{"index": 0, "delta": {"refusal": "no"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    )
    assert sorted(joined(told).values()) == ["a", "b", "no"]
    assert ("text", 0) in told[2].ended and ("text", 1) not in told[2].ended


def test_thinking_is_left_out() -> None:
    told = of(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
        {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}]}}]},
        {"type": "response.reasoning_text.delta", "output_index": 0, "delta": "hm"},
        {
            "type": "response.output_item.done",
            "output_index": 0,
            "item": {"type": "reasoning", "summary": [{"text": "hm"}]},
        },
        _chat(reasoning_content="hm"),
    )
    assert [(one.pieces, one.whole) for one in told] == [([], [])] * len(told)


def test_what_the_provider_runs_and_signs_is_guarded() -> None:
    block = {"type": "server_tool_use", "id": "t", "name": "web_search", "input": {}}
    told = of(
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": {"partial_json": '{"q'}},
        {"type": "response.code_interpreter_call_code.delta", "output_index": 3, "delta": "print"},
        {"candidates": [{"content": {"parts": [{"text": "signed", "thoughtSignature": "c2ln"}]}}]},
    )
    assert told[1].pieces[0].tool.guarded == told[2].pieces[0].tool.guarded == PROVIDER_RUN
    assert told[3].pieces[0].tool.guarded


def test_a_block_that_takes_the_place_of_another_forgets_its_tool() -> None:
    def start(name: str) -> dict[str, Any]:
        return {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": name, "name": name},
        }

    told = of(
        start("first"),
        start("second"),
        {"type": "content_block_delta", "index": 0, "delta": {"partial_json": "{"}},
    )
    assert told[2].pieces[0].tool.name == "second"


def test_a_text_ends_where_its_format_says_so() -> None:
    """Not only with the answer: what is held back must not wait for longer than it has to."""
    told = of(
        {"type": "content_block_stop", "index": 2},
        {
            "type": "response.output_text.done",
            "response_id": "r",
            "output_index": 1,
            "content_index": 0,
            "text": "x",
        },
        {"type": "content-end"},
        {"type": "tool-call-end"},
        _chat(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
    )
    assert [one.ended for one in told] == [
        [("block", 2)],
        [("item", "r", 1, "text", 0)],
        [("text",)],
        [("call",)],
        [("text", 0)],
    ]
    assert not any(one.over for one in told)


def test_how_many_tools_are_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deltas, "MAX_TOOLS", 2)
    reader = DeltaReader()
    for n in range(5):
        function = {"name": f"f{n}", "arguments": "{}"}
        reader.read("", _chat(tool_calls=[{"index": n, "id": str(n), "function": function}]))
    assert len(reader._tools) == 2


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=4)
    | st.sampled_from(["stop", "text", "tool_use"])
)
KEYS = st.sampled_from(
    """type choices delta content tool_calls index function name arguments id candidates parts text functionCall item
    response output part event_type is_finished message done content_block partial_json input finish_reason output_index
    item_id custom refusal thought args role completion event""".split()
)
TYPES = st.sampled_from(
    """content_block_start content_block_delta content_block_stop message_stop response.output_text.delta response.completed
    response.output_item.added response.output_item.done response.function_call_arguments.delta conversation.item.created
    response.content_part.done content-delta tool-call-start tool-call-delta stream-end""".split()
)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@settings(deadline=None)
@given(st.lists(st.tuples(TYPES | st.just(""), st.dictionaries(KEYS, VALUES, max_size=5)), max_size=4))
def test_no_value_raises_and_pointers_are_right(events: list[tuple[str, dict[str, Any]]]) -> None:
    reader = DeltaReader()
    for kind, event in events:
        told = reader.read(kind, {"type": kind} | event if kind else event)
        value = {"type": kind} | event if kind else event
        for one in (*told.pieces, *told.whole):
            assert isinstance(one, Piece) is (one in told.pieces)
            assert at(value, one.pointer) == one.text
