"""Anthropic: messages streamed, a coding agent's tool loop with a cached system prompt, thinking."""

from __future__ import annotations

from typing import Any

import anthropic

KEY = "sk-ant-demo-not-a-real-key"

_STYLE = "Keep functions short. Prefer the standard library. Every change comes with its test. "
# Long enough that the provider caches it, as agents' prompts are.
AGENT_PROMPT = "You are a coding agent working in a Python repository. " + _STYLE * 60

FILE_TOOLS: list[Any] = [
    {
        "name": name,
        "description": description,
        "input_schema": {
            "type": "object",
            "properties": {key: {"type": "string"} for key in keys},
            "required": list(keys),
        },
    }
    for name, description, keys in (
        ("read_file", "Read a file of the repository.", ("path",)),
        ("edit_file", "Replace a piece of text in a file.", ("path", "old", "new")),
        ("run_tests", "Run the tests of a folder.", ("folder",)),
    )
]
RESULTS = {
    "read_file": "def parse_date(text):\n    return datetime.strptime(text, '%d.%m.%Y')\n",
    "edit_file": "1 replacement made",
    "run_tests": "14 passed in 0.41s",
}


def explain_code() -> None:
    client = anthropic.Anthropic(api_key=KEY)
    messages: list[Any] = []
    for question in (
        "What does `functools.partial` give me that a lambda does not? [[offline: drip_ms=10]]",
        "When would you still take the lambda?",
    ):
        messages.append({"role": "user", "content": question})
        with client.messages.stream(model="claude-sonnet-5", max_tokens=1024, messages=messages) as stream:
            text = "".join(stream.text_stream)
        messages.append({"role": "assistant", "content": text})


def coding_agent() -> None:
    """The whole history goes out again each turn; the marked prefix is read from the provider's cache."""
    client = anthropic.Anthropic(api_key=KEY)
    system: list[Any] = [{"type": "text", "text": AGENT_PROMPT, "cache_control": {"type": "ephemeral"}}]
    messages: list[Any] = []
    for turn in (
        "parse_date fails for ISO dates. "
        'First use the read_file tool with {"path": "shop/dates.py"} and say what you would change.',
        'Good. Use the edit_file tool with {"path": "shop/dates.py", "old": "datetime.strptime(text, \'%d.%m.%Y\')", '
        '"new": "datetime.fromisoformat(text)"}',
        'Use the run_tests tool with {"folder": "tests"} and sum up.',
    ):
        messages.append({"role": "user", "content": turn})
        while True:
            with client.messages.stream(
                model="claude-opus-5", max_tokens=2048, system=system, messages=messages, tools=FILE_TOOLS
            ) as stream:
                answer = stream.get_final_message()
            messages.append({"role": "assistant", "content": answer.content})
            calls = [block for block in answer.content if block.type == "tool_use"]
            if not calls:
                break
            results = [
                {"type": "tool_result", "tool_use_id": call.id, "content": RESULTS[call.name]}
                for call in calls
            ]
            messages.append({"role": "user", "content": results})


def thinking() -> None:
    anthropic.Anthropic(api_key=KEY).messages.create(
        model="claude-haiku-4-5",
        max_tokens=4096,
        thinking={"type": "enabled", "budget_tokens": 1024},
        messages=[
            {
                "role": "user",
                "content": "A bat and a ball cost 1.10 together, the bat 1.00 more than the ball. What is the ball?",
            }
        ],
    )


CONVERSATIONS = (
    ("Explaining code (Anthropic, streamed)", explain_code),
    ("A coding agent's tool loop (Anthropic, streamed, cached prompt)", coding_agent),
    ("A riddle (Anthropic, thinking)", thinking),
)
