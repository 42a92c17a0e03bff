"""Pieces of an answer: what leaves when something fails, and that an end is an end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from addons.call import Call
from addons.stream import Instead, Stream, refusal
from intelligence.policy.decide import Decision
from intelligence.policy.holding import Holding, Stop
from intelligence.policy.judging_answers import Judging, Told
from intelligence.policy.rule import Rule
from intelligence.policy.verdict import Verdict
from intelligence.wire.encoding import Decoder
from intelligence.wire.frames import KINDS
from tests.addons.governed import CHAT
from tests.intelligence.policy.streams import chat

STREAM = chat(["one ", "two ", "three"], [])


def rule(**more: Any) -> Rule:
    return Rule.model_validate({"id": "r", "action": "block", "when": {"direction": "response"}} | more)


def stream(call: Call, judge: Any, fail: str = "open") -> Stream:
    screen = Judging(judge, [rule(fail=fail)], 64, Told(b"k" * 32, "v"))
    call.cut = "sse"
    return Stream(call, None, Holding(KINDS["sse"](), screen), screen)


def joined(passing: Stream, *pieces: bytes) -> bytes:
    return b"".join(b"".join(passing(piece)) for piece in pieces)


def _raise(error: type[Exception]) -> Any:
    raise error("bug")


def test_what_nothing_is_said_of_passes_as_it_came() -> None:
    assert joined(stream(Call(CHAT), lambda _: Verdict([])), STREAM[:100], STREAM[100:], b"") == STREAM


@pytest.mark.parametrize("at", [0, 90, len(STREAM) - 20])
def test_an_error_of_ours_opens_what_may_pass(at: int) -> None:
    """All that was held and all that comes: nothing is lost, and nothing is judged any more."""
    calls = iter([lambda: Verdict([])] * (1 if at else 0))
    passing = stream(Call(CHAT), lambda _: next(calls, lambda: _raise(KeyError))())
    assert joined(passing, STREAM[:at], STREAM[at:], STREAM, b"") == STREAM + STREAM


def test_an_error_of_ours_ends_what_fails_closed() -> None:
    call = Call(CHAT)
    passing = stream(call, lambda _: _raise(KeyError), "closed")
    out = joined(passing, STREAM, STREAM, b"")
    assert call.over and call.answered
    assert out.startswith(b"data: ") or b"event" in out
    last = json.loads(out.rsplit(b"data: ", 1)[1])
    assert "fails closed" in last["error"]["message"] and b"three" not in out
    assert passing(STREAM) == []


def test_after_the_end_nothing_leaves() -> None:
    call = Call(CHAT, over=True)
    assert stream(call, lambda _: Verdict([]))(STREAM) == []
    made = Instead(call, b"an error")
    assert [made(b"what the provider says"), made(b"more"), made(b"")] == [[b"an error"], [], []]


def test_one_that_is_only_read_is_decoded() -> None:
    import gzip

    passing = Stream(Call(CHAT), Decoder("gzip"), None, None)
    packed = gzip.compress(b"words")
    assert b"".join(passing(packed) + passing(b"")) == b"words"


def test_a_stop_without_a_decision_is_no_end() -> None:
    """A screen that stops for no rule must not cut an answer."""
    call = Call(CHAT)
    passing = stream(call, lambda _: _raise(Stop))
    joined(passing, STREAM, b"")
    assert not call.over


@pytest.mark.parametrize(
    ("action", "more", "expected"),
    [
        ("block", {"reason": "no"}, (403, "r: no")),
        ("block", {"status": 400}, (400, "r")),
        ("throttle", {}, (429, "r")),
    ],
)
def test_what_a_refusal_says(action: str, more: dict[str, Any], expected: tuple[int, str]) -> None:
    assert refusal(Decision(rule(action=action, **more), action, True)) == expected
