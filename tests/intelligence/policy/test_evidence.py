from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.detect.detection import DeadlineExceeded, Detection, check
from intelligence.policy.evidence import CallEvidence, Unreadable, seen_digest
from intelligence.policy.facts import Facts
from intelligence.policy.rule import LimitMatch
from tests.intelligence.detect.whole import Whole

ALL = frozenset({"secret", "pii"})


class Scans(Whole):
    """Sees the word `key` in every text, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[frozenset[str]] = []

    def request(self, places: Any, kinds: frozenset[str], *, deadline: float | None = None) -> list[Any]:
        self.asked.append(kinds)
        assert deadline is not None
        return [
            (place, Detection("secret", "word", 0.9, at, at + 3, "r"))
            for place in places
            if "secret" in kinds and (at := place.text.find("key")) >= 0
        ]


def _evidence(body: bytes | None, scans: Any = None, seconds: float = 1.0, **more: Any) -> CallEvidence:
    return CallEvidence(
        "openai-chat", "chat", "/v1/chat/completions", body, scans or Scans(), seconds, **more
    )


def _body(*messages: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"model": "m", "messages": list(messages), **more}).encode()


CALL = {"id": "c", "type": "function", "function": {"name": "run", "arguments": '{"a": 1}'}}
HISTORY = _body(
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "the key is here"},
    {"role": "assistant", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "done"},
    tools=[{"type": "function", "function": {"name": "run", "parameters": {}}}],
)


class Working(Whole):
    """Looks for a quarter of a second: with the processor, or waiting for it."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock

    def request(self, places: Any, kinds: frozenset[str], *, deadline: float | None = None) -> list[Any]:
        until = self.clock() + 0.25
        while self.clock() < until:
            if self.clock is not time.thread_time:
                time.sleep(0.05)
        check(deadline)
        return []


def test_the_deadline_counts_work_and_no_waiting() -> None:
    with pytest.raises(DeadlineExceeded):
        _evidence(HISTORY, Working(time.thread_time), seconds=0.1).detections(ALL)
    assert _evidence(HISTORY, Working(time.monotonic), seconds=0.1).detections(ALL) == []


def test_texts_calls_and_definitions_of_a_request() -> None:
    evidence = _evidence(HISTORY)
    said = [
        (place.source, place.text)
        for place in evidence.texts()
        if place.source in ("system", "user", "tool_result")
    ]
    assert said == [("system", "be kind"), ("user", "the key is here"), ("tool_result", "done")]
    assert [(call.name, json.loads(call.arguments)) for call in evidence.tool_calls()] == [("run", {"a": 1})]
    assert [name for name, _ in evidence.tool_definitions()] == ["run"]


@given(st.sampled_from([None, b"", b"{", b"3", b'"text"', b"\xff\xfe"]))
def test_a_body_that_cannot_be_read_is_told(body: bytes | None) -> None:
    evidence = _evidence(body)
    assert not evidence.readable()
    for ask in (
        evidence.texts,
        evidence.tool_definitions,
        evidence.tool_calls,
        lambda: evidence.detections(ALL),
    ):
        with pytest.raises(Unreadable):
            ask()


def test_each_kind_is_looked_for_once() -> None:
    scans = Scans()
    evidence = _evidence(HISTORY, scans)
    assert [
        found.place.text[found.start : found.end] for found in evidence.detections(frozenset({"secret"}))
    ] == ["key"]
    assert len(evidence.detections(ALL)) == 1
    evidence.detections(ALL)
    assert scans.asked == [{"secret"}, {"pii"}]


def test_what_somebody_allowed_is_not_seen() -> None:
    assert (
        _evidence(
            HISTORY, allowed=lambda kind, type_, text: (kind, type_, text) == ("secret", "word", "key")
        ).detections(ALL)
        == []
    )


def test_a_body_is_loaded_when_a_rule_asks_for_it() -> None:
    loaded: list[int] = []

    def load() -> bytes:
        loaded.append(1)
        return HISTORY

    evidence = _evidence(None, load=load)
    assert loaded == []
    evidence.texts()
    evidence.detections(ALL)
    assert loaded == [1]


def test_without_counters_a_limit_cannot_be_judged() -> None:
    evidence = _evidence(HISTORY)
    evidence.facts = Facts(evidence)
    with pytest.raises(Unreadable):
        evidence.limit("r", LimitMatch(requests=1, per="day"))


def test_a_digest_tells_kinds_and_installations_apart() -> None:
    one = seen_digest(b"k" * 32, "secret", "text")
    assert one == seen_digest(b"k" * 32, "secret", "text")
    assert len({one, seen_digest(b"k" * 32, "pii", "text"), seen_digest(b"x" * 32, "secret", "text")}) == 3
    assert "text" not in one


def test_the_time_for_detectors_is_for_all_rules_together() -> None:
    evidence = _evidence(HISTORY, Working(time.thread_time), seconds=0.4)
    assert evidence.detections(frozenset({"secret"})) == []
    with pytest.raises(DeadlineExceeded):
        evidence.detections(frozenset({"pii"}))
