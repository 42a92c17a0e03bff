from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.policy.match import globs
from tests.intelligence.policy.rules import compiled, decided, facts, matches, rule


@pytest.mark.parametrize(
    ("patterns", "name", "expected"),
    [
        (["gpt-*"], "gpt-5", True), (["gpt-*"], "xgpt-5", False), (["GPT-?"], "gpt-5", True), (["gpt-?"], "gpt-55", False),
        (["a", "b"], "b", True), (["a.c"], "abc", False), (["[x]"], "[x]", True), (["[x]"], "x", False), (["*"], "", True),
        (["*"], None, False), ([], "a", False), (["a\\Z"], "a\\z", True), (["ü*"], "Übung", True), (["a*b"], "a\nb", True),
    ],
)  # fmt: skip
def test_globs(patterns: list[str], name: str | None, expected: bool) -> None:
    assert globs(patterns)(name) is expected


@given(st.text(max_size=30))
def test_a_glob_of_plain_text_matches_itself_alone(text: str) -> None:
    plain = text.replace("*", "").replace("?", "")
    assert globs([plain])(plain)
    assert not globs([plain])(plain + "x")


@pytest.mark.parametrize(
    "field", ["provider", "host", "model", "operation", "user", "client", "session", "credential"]
)
def test_names(field: str) -> None:
    assert matches({field: "acme*"}, **{field: "acme-1"})
    assert not matches({field: "acme*"}, **{field: "other"})
    assert not matches({field: "acme*"})


def test_a_rule_without_conditions_holds_always() -> None:
    assert matches({})


def test_all_any_not() -> None:
    a, b = {"model": "a"}, {"user": "b"}
    assert matches({"all": [a, b]}, model="a", user="b")
    assert not matches({"all": [a, b]}, model="a")
    assert matches({"any": [a, b]}, user="b")
    assert not matches({"any": [a, b]})
    assert matches({"not": a}, model="z")
    assert not matches({"not": a}, model="a")
    assert matches({"model": "a", "not": b}, model="a", user="c")


def test_group() -> None:
    one = compiled(rule(when={"group": "eng"}), groups={"eng": ["alice", "bob*"]})
    assert one[0].test(facts(user="bobby"), _held())
    assert not one[0].test(facts(user="carol"), _held())
    assert not one[0].test(facts(), _held())


def _held():
    from intelligence.policy.match import Held

    return Held()


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("11.0.0.1", False),
        ("fd00::1", True),
        ("nonsense", False),
    ],
)
def test_client_address(address: str, expected: bool) -> None:
    assert matches({"client_address": ["10.0.0.0/8", "fd00::/8"]}, client_address=address) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-20 10:00", True),  # Friday
        ("2026-11-20 08:59", False), ("2026-11-20 09:00", True), ("2026-11-20 17:30", False), ("2026-11-21 10:00", False),
    ],
)  # fmt: skip
def test_time(at: str, expected: bool) -> None:
    window = {
        "days": ["mon", "tue", "wed", "thu", "fri"],
        "from": "09:00",
        "to": "17:30",
        "zone": "Europe/Berlin",
    }
    when = datetime.fromisoformat(at).replace(tzinfo=ZoneInfo("Europe/Berlin")).timestamp()
    assert matches({"time": window}, at=when) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-20 23:00", True),
        ("2026-11-21 05:59", True),
        ("2026-11-21 06:00", False),
        ("2026-11-22 05:00", False),
    ],
)
def test_a_window_past_midnight_belongs_to_the_day_it_began(at: str, expected: bool) -> None:
    window = {"days": "fri", "from": "22:00", "to": "06:00"}
    when = datetime.fromisoformat(at + "+00:00").timestamp()
    assert matches({"time": window}, at=when) is expected


def test_numbers() -> None:
    assert matches({"prompt_tokens": ">= 100k"}, prompt_tokens=100_000)
    assert not matches({"prompt_tokens": ">= 100k"}, prompt_tokens=99_999)
    assert not matches({"body_bytes": "< 1 MB"})
    assert matches({"concurrent": 3}, concurrent=3)


def test_stream_is_three_valued() -> None:
    assert matches({"stream": True}, stream=True)
    assert not matches({"stream": False}, stream=None)


def test_tools() -> None:
    calls = [{"name": "bash", "arguments": '{"command": "rm -rf /"}'}]
    given = {"direction": "response", "tool_calls": calls}
    assert matches({"tool": {"name": "ba*", "arguments": r"rm\s+-rf"}}, **given)
    assert not matches({"tool": {"name": "ba*", "arguments": "curl"}}, **given)
    assert not matches({"tool": {"name": "read"}}, **given)
    assert matches({"tool_definition": "web*"}, tools=["read", "web_search"])
    assert not matches({"tool_definition": "web*"}, tools=["read"])


def test_a_text_is_found_where_it_stands() -> None:
    messages = [{"role": "user", "content": "say x"}, {"role": "tool", "content": "äx and x"}]
    (decision,) = decided(rule(when={"text": {"matches": "x", "source": "tool_result"}}), messages=messages)
    assert [(one.place.pointer, one.start, one.end) for one in decision.found] == [
        ("/messages/1", 1, 2),
        ("/messages/1", 7, 8),
    ]
    assert not matches({"text": {"matches": "x", "role": "system"}}, messages=messages)
    assert matches({"text": {"source": "tool_result"}}, messages=messages)


def test_detections_are_chosen_by_kind_type_score_and_source() -> None:
    seen = [{"kind": "secret", "type": "aws_key", "score": 0.8}]
    assert matches({"detection": {"kind": "secret"}}, detections=seen)
    assert matches(
        {"detection": {"kind": ["pii", "secret"], "type": "aws_*", "score": ">= 0.8"}}, detections=seen
    )
    assert not matches({"detection": {"kind": "secret", "score": ">= 0.9"}}, detections=seen)
    assert not matches({"detection": {"kind": "secret", "type": "github*"}}, detections=seen)
    assert not matches({"detection": {"kind": "secret", "source": "tool_result"}}, detections=seen)
    assert not matches({"detection": {"kind": "pii"}}, detections=seen)


def test_every_alternative_adds_what_it_saw() -> None:
    messages = [{"role": "user", "content": "a b"}]
    when = {"any": [{"text": {"matches": "a"}}, {"text": {"matches": "b"}}]}
    (decision,) = decided(rule(when=when), messages=messages)
    assert [(one.start, one.end) for one in decision.found] == [(0, 1), (2, 3)]


def test_what_is_under_not_is_not_redacted() -> None:
    messages = [{"role": "user", "content": "a b"}]
    when = {"text": {"matches": "a"}, "not": {"text": {"matches": "z"}}}
    (decision,) = decided(rule(when=when), messages=messages)
    assert len(decision.found) == 1


def test_limit_and_loop_say_what_they_saw() -> None:
    when = {"limit": {"requests": 10, "per": "hour", "by": "user"}}
    assert matches(when, used=10)
    assert not matches(when, used=9)
    (decision,) = decided(rule(when={"loop": {}}), loop="the same call 8 times")
    assert "the same call 8 times" in decision.reason


def test_a_soft_limit_alerts_and_lets_pass() -> None:
    (decision,) = decided(rule(when={"limit": {"cost_usd": 10, "per": "day", "soft": 0.8}}), used=8)
    assert (decision.action, decision.soft) == ("alert", True)
