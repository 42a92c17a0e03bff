"""What is answered: from the request alone, tools when they are asked for."""

from __future__ import annotations

import dataclasses

import pytest

from addons.offline.ask import Ask, Tool, ToolResult
from addons.offline.faults import Directives
from addons.offline.memory import Memory
from addons.offline.script import pieces, reply, wishes

SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
TOOLS = (Tool("alpha", SCHEMA), Tool("beta", SCHEMA), Tool("run", custom=True))


def answer(prompt: str, directives: Directives | None = None, **more):
    ask = Ask(model="m", stream=False, prompt=prompt, segments=(prompt,), **more)
    return reply(ask, directives or Directives(), Memory())


def test_same_request_same_answer_and_other_request_other_ids():
    one, two, other = answer("hello"), answer("hello"), answer("hullo")
    assert one == two
    assert one.id("x_") == two.id("x_") != other.id("x_") and one.id("x_", "part") != one.id("x_")


@pytest.mark.parametrize(
    ("prompt", "called"),
    [
        ("hello", []),
        ("I use tools at work", []),
        ("call the tool", ["alpha"]),
        ("Use tool beta.", ["beta"]),
        ("please use the beta tool", ["beta"]),
        ("use tool `beta` and call the tool alpha", ["beta", "alpha"]),
        ("use tool nosuch", ["alpha"]),
    ],
)
def test_which_tools_are_called(prompt, called):
    assert [call.tool.name for call in answer(prompt, tools=TOOLS).tool_calls] == called
    assert not answer(prompt).tool_calls


@pytest.mark.parametrize(
    ("prompt", "arguments"),
    [
        ("use tool beta", {"q": "example q"}),
        ('use tool beta with {"q": {"deep": [1]}} and go on', {"q": {"deep": [1]}}),
        ("use tool beta with {broken", {"q": "example q"}),
        ("use tool run with print(1)", "print(1)"),
        ("use tool run", 'text("offline")'),
    ],
)
def test_arguments(prompt, arguments):
    (call,) = answer(prompt, tools=TOOLS).tool_calls
    assert call.arguments == arguments


def test_a_tool_result_is_answered_with_text_unless_a_tool_is_forced():
    results = (ToolResult("alpha", "found\nthis"),)
    told = answer("use tool alpha", tools=TOOLS, tool_results=results)
    assert told.finish == "stop" and 'alpha said "found this"' in told.text
    forced = answer("hi", tools=TOOLS, tool_results=results, forced_tool="beta")
    assert forced.finish == "tool_calls" and forced.tool_calls[0].tool.name == "beta"


def test_directives_shape_the_text():
    assert answer("x", Directives(text="just so")).text == "just so"
    assert len(answer("x", Directives(length=77)).text.split()) == 77
    thinking = answer("x", Directives(thinking=True))
    assert thinking.reasoning and thinking.output_tokens > thinking.reasoning_tokens > 0
    assert "offline" not in answer("why [[offline: drip_ms=1]]").text


def test_times_limits_the_fault_not_the_rest():
    memory = Memory()
    prompt = "[[offline: status=429 text=fine times=1]]"
    first, second = wishes(prompt, memory), wishes(prompt, memory)
    assert first.status == 429
    assert second == dataclasses.replace(first, status=None)
    assert wishes(prompt + "!", memory).status == 429


@pytest.mark.parametrize(
    "text", ["", " ", "one", "  two words \n and more  ", "über 日本語 text\n\n", "a\tb"]
)
def test_pieces_lose_nothing(text):
    assert "".join(pieces(text)) == text
