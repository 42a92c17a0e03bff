from __future__ import annotations

import json
from typing import Any

import pytest

from intelligence.policy.steps import MAX_STEPS, steps_of, turns_of
from intelligence.wire.request import read_request


def _messages(*messages: dict[str, Any]) -> Any:
    body = json.dumps({"model": "m", "messages": list(messages)}).encode()
    return read_request("openai-chat", "chat", "/v1/chat/completions", body).messages


def _call(id: str, arguments: str = "{}", name: str = "run") -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": function}]}


def _result(id: str, text: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id, "content": text}


def test_results_belong_to_their_calls_in_any_order() -> None:
    steps = steps_of(
        _messages(_call("a", '{"n": 1}'), _call("b", '{"n": 2}'), _result("b", "two"), _result("a", "one"))
    )
    assert [json.loads(step.arguments)["n"] for step in steps] == [2, 1]


def test_the_same_failure_is_the_same_whatever_it_counts() -> None:
    one, two = steps_of(
        _messages(
            _call("a"),
            _result("a", "Error: line 12, 10:02"),
            _call("b"),
            _result("b", "Error: line 13,  10:03"),
        )
    )
    assert one.levelled == two.levelled
    assert one.result != two.result


@pytest.mark.parametrize(
    ("text", "failed", "waits"),
    [("Error: no such file", True, False), ("exit code 1", True, False), ("exit code 0", False, False),
     ("The build is running", False, True), ("3 errors were fixed", False, False), ("ok", False, False)],
)  # fmt: skip
def test_what_failed_and_what_waits(text: str, failed: bool, waits: bool) -> None:
    (step,) = steps_of(_messages(_call("a"), _result("a", text)))
    assert (step.failed, step.waits) == (failed, waits)


def test_plain_turns_are_steps_as_well() -> None:
    messages = _messages(
        {"role": "user", "content": "begin"},
        {"role": "assistant", "content": "shall I?"},
        {"role": "user", "content": "yes"},
        {"role": "assistant", "content": "done"},
    )
    assert [step.tool for step in steps_of(messages)] == [""]
    assert turns_of(messages) == 2


def test_only_the_last_steps_are_kept() -> None:
    many = [
        m
        for n in range(MAX_STEPS + 5)
        for m in (_call(f"c{n}", json.dumps({"n": n})), _result(f"c{n}", "ok"))
    ]
    steps = steps_of(_messages(*many))
    assert len(steps) == MAX_STEPS
    assert json.loads(steps[-1].arguments) == {"n": MAX_STEPS + 4}
