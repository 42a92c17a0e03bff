from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from intelligence.policy.load import PolicySet
from intelligence.policy.testing import run
from tests.intelligence.policy.rules import rule


def _detect(text: str, source: str, kinds: frozenset[str]) -> list[Any]:
    at = text.find("key")
    seen = SimpleNamespace(kind="secret", type="word", score=0.9, start=at, end=at + 3)
    return [seen] if at >= 0 and "secret" in kinds else []


def _failures(when: dict[str, Any], given: dict[str, Any], expect: str = "block") -> list[str]:
    one = rule("r", when=when, tests=[{"given": given, "expect": expect}])
    return [failure.message for failure in run(PolicySet(rules=[one], sources={"r": "a.yaml:3"}), _detect)]


@pytest.mark.parametrize(
    ("when", "given", "expect"),
    [
        ({"model": "gpt*"}, {"model": "gpt-5"}, "block"),
        ({"model": "gpt*"}, {"model": "claude"}, "nothing"),
        (
            {"text": {"matches": "hello", "source": "tool_result"}},
            {"messages": [{"role": "tool", "content": "hello"}]},
            "block",
        ),
        (
            {"text": {"matches": "hello", "source": "tool_result"}},
            {"messages": [{"role": "user", "content": "hello"}]},
            "nothing",
        ),
        ({"detection": {"kind": "secret"}}, {"messages": [{"content": "a key"}]}, "block"),
        ({"detection": {"kind": "secret"}}, {"detections": [{"kind": "pii"}]}, "nothing"),
        (
            {"tool": {"name": "bash", "arguments": "rm "}},
            {"tool_calls": [{"name": "bash", "arguments": "rm -rf"}]},
            "block",
        ),
        ({"limit": {"requests": 5, "per": "day"}}, {"used": 5}, "block"),
        ({"limit": {"requests": 5, "per": "day"}}, {"used": 4}, "nothing"),
        ({"loop": {}}, {"loop": "again"}, "block"),
        ({"time": {"from": "09:00", "to": "17:00"}}, {"at": "2026-03-31T10:00"}, "block"),
        ({"time": {"from": "09:00", "to": "17:00"}}, {"at": "2026-03-31T10:00-09:00"}, "nothing"),
    ],
)
def test_an_example_is_judged_as_a_call(when: dict[str, Any], given: dict[str, Any], expect: str) -> None:
    assert _failures(when, given, expect) == []
    assert _failures(when, given, "block" if expect == "nothing" else "nothing")


def test_what_is_wrong_is_told_with_its_place() -> None:
    one = rule("r", tests=[{"name": "all", "given": {}, "expect": "nothing"}])
    (failure,) = run(PolicySet(rules=[one], sources={"r": "a.yaml:3"}), _detect)
    assert str(failure) == "a.yaml:3: rule r: example (all): expected nothing, got block"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"modle": "x"}, "unknown key modle"),
        ({"at": "soon"}, "cannot be understood"),
        ({"messages": [3]}, "could not be judged"),
    ],
)
def test_an_example_that_makes_no_sense_fails(given: dict[str, Any], told: str) -> None:
    (message,) = _failures({"text": {"matches": "x"}}, given)
    assert told in message


def test_a_detector_that_raises_fails_the_example() -> None:
    def broken(*_: Any) -> list[Any]:
        raise RuntimeError

    one = rule(
        "r",
        when={"detection": {"kind": "secret"}},
        tests=[{"given": {"messages": [{"content": "x"}]}, "expect": "block"}],
    )
    assert "could not be judged" in str(run(PolicySet(rules=[one]), broken)[0])
