from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.policy.decide import TERMINAL, decide, directions, final
from tests.intelligence.policy.rules import compiled, decided, facts, rule

ACTIONS = ["allow", "alert", "redact", "block", "throttle"]
modes, fails = st.sampled_from(["enforce", "shadow"]), st.sampled_from(["open", "closed"])
drawn = st.lists(st.tuples(st.sampled_from(ACTIONS), modes, st.booleans(), fails), max_size=12)


def _rules(spec: list[tuple[str, str, bool, str]]) -> list[Any]:
    return compiled(
        *(
            rule(f"r{n}", action, mode=mode, fail=fail, when={} if holds else {"model": "no"})
            for n, (action, mode, holds, fail) in enumerate(spec)
        )
    )


@given(drawn)
def test_the_first_enforced_terminal_action_wins(spec: list[tuple[str, str, bool, str]]) -> None:
    decisions = decide(_rules(spec), facts())
    holding = [(n, a, m) for n, (a, m, holds, _) in enumerate(spec) if holds]
    expected = next((n for n, a, m in holding if m == "enforce" and a in TERMINAL), None)
    ended = final(decisions)
    assert (ended.rule.id if ended else None) == (None if expected is None else f"r{expected}")
    told = [d.rule.id for d in decisions]
    assert told == [f"r{n}" for n, _, m in holding if expected is None or n <= expected or m == "shadow"]


@given(drawn)
def test_shadow_rules_change_nothing(spec: list[tuple[str, str, bool, str]]) -> None:
    def acting(some: list[tuple[str, str, bool, str]]) -> list[str]:
        rules = [r for r in _rules(spec) if some is spec or r.rule.mode == "enforce"]
        return [d.rule.id for d in decide(rules, facts()) if d.acts]

    assert acting(spec) == acting([])


class Broken:
    """Evidence that cannot be had."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError("broken")


@pytest.mark.parametrize("fail", ["open", "closed"])
@pytest.mark.parametrize("mode", ["enforce", "shadow"])
@pytest.mark.parametrize("action", ACTIONS)
def test_a_rule_that_cannot_be_judged_fails_as_it_says(action: str, mode: str, fail: str) -> None:
    one = rule(action=action, mode=mode, fail=fail, when={"detection": {"kind": "secret"}})
    call = facts()
    call.evidence = Broken()  # type: ignore[assignment]
    (decision,) = decide(compiled(one), call)
    assert decision.failed == "AttributeError" or decision.failed == "RuntimeError"
    blocks = fail == "closed" and action != "allow"
    assert decision.action == ("block" if blocks else "alert")
    assert (final([decision]) is not None) == (blocks and mode == "enforce")


def _seen(**but: Any) -> SimpleNamespace:
    whole = {"kind": "secret", "type": "x", "score": 1.0, "start": 0, "end": 1}
    return SimpleNamespace(**whole | {"place": SimpleNamespace(text="ab", source="user")} | but)


@pytest.mark.parametrize(
    "nonsense",
    [
        None, "secret", SimpleNamespace(kind="secret"), _seen(end=99), _seen(start=2), _seen(start=-1), _seen(score=float("nan")),
        _seen(score=7), _seen(type=None), _seen(place=None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("fail", ["open", "closed"])
def test_a_detector_that_returns_nonsense_fails_the_rule(nonsense: Any, fail: str) -> None:
    call = facts()
    call.evidence = SimpleNamespace(detections=lambda kinds: [nonsense])  # type: ignore[assignment]
    (decision,) = decide(compiled(rule(fail=fail, when={"detection": {"kind": "secret"}})), call)
    assert decision.failed
    assert decision.action == ("block" if fail == "closed" else "alert")


def test_a_rule_that_fails_does_not_stop_the_next() -> None:
    call = facts(model="m")
    call.evidence = Broken()  # type: ignore[assignment]
    rules = compiled(rule("a", when={"text": {"matches": "x"}}), rule("b", when={"model": "m"}))
    assert [(d.rule.id, d.action) for d in decide(rules, call)] == [("a", "alert"), ("b", "block")]


def test_the_reason_is_the_rules_own_with_its_figures() -> None:
    (decision,) = decided(
        rule(reason="Budget used up", when={"limit": {"cost_usd": 5, "per": "day"}}), used=6
    )
    assert decision.reason == "Budget used up; 6 of 5 used"


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({}, {"request"}),
        ({"detection": {"kind": "secret"}}, {"request"}),
        ({"tool": {"name": "bash"}}, {"response"}),
        ({"detection": {"kind": "command"}}, {"response"}),
        ({"detection": {"kind": ["command", "secret"]}}, {"request"}),
        ({"direction": "response", "detection": {"kind": "secret"}}, {"response"}),
        ({"any": [{"direction": "request"}, {"direction": "response"}]}, {"request", "response"}),
    ],
)
def test_directions(when: dict[str, Any], expected: set[str]) -> None:
    assert directions(rule(when=when)) == expected


def test_a_rule_is_asked_only_in_its_direction() -> None:
    assert not decided(rule(when={"direction": "response"}), direction="request")
    assert decided(rule(when={"direction": "response"}), direction="response")


def test_rules_that_only_tell_and_look_at_texts_may_wait() -> None:
    def later(**given: Any) -> bool:
        return compiled(rule(**given))[0].later

    seen = {"detection": {"kind": "secret"}}
    assert later(action="alert", when=seen)
    assert later(action="block", mode="shadow", when=seen)
    assert not later(action="block", when=seen)
    assert not later(action="alert", when={"model": "x"})
    assert not later(action="alert", when={**seen, "concurrent": 2})
