"""A session told once, though every request repeats it."""

from __future__ import annotations

import json

from intelligence.store.transcript import Transcript


def row(text, **changes):
    values = {
        "id": "1", "session_id": None, "format": "openai-chat", "operation": "chat", "path": "/v1/chat/completions",
        "started_at": 1_780_000_000_000, "client": "c", "client_version": None, "provider": "openai", "user": None,
        "host": "h", "model": "m", "response_model": None, "input_tokens": 1200, "output_tokens": 3,
        "duration_ms": 1500.0, "state": "complete", "reasoning": None, "text": text, "tool_calls_json": "[]",
        "error_type": None, "error_message": None,
    }  # fmt: skip
    return values | changes


def body(*messages):
    return json.dumps({"messages": [{"role": r, "content": c} for r, c in messages]}).encode()


def test_each_thing_is_said_once():
    transcript = Transcript()
    first = body(("system", "Rules"), ("user", "One?"))
    second = body(("system", "Rules"), ("user", "One?"), ("assistant", "One."), ("user", "Two?"))
    said = "".join([*transcript.call(row("One."), first), *transcript.call(row("Two."), second)])
    for words in ("Rules", "\nOne?", "One.\n", "Two?", "Two."):
        assert said.count(words) == 1, words
    assert said.index("Rules") < said.index("\nOne?") < said.index("One.\n") < said.index("Two?")
    assert said.startswith("# One?\n") and "1,200 tokens in, 3 out" in said and "1.5 s" in said


def test_another_way_is_followed():
    transcript = Transcript()
    said = "".join(
        [
            *transcript.call(row("One."), body(("user", "One?"))),
            *transcript.call(row("Uno."), body(("user", "One, in Spanish?"))),
        ]
    )
    assert "One, in Spanish?" in said and "Uno." in said


def test_tools_failures_and_fences():
    call = [{"id": "c", "name": "run", "arguments": '{"cmd": "echo ```"}'}]
    failed = row(None, tool_calls_json=json.dumps(call), state="error", error_type="E", error_message="why")
    said = "".join(Transcript().call(failed, b"not json"))
    assert (
        "**Calls `run`**" in said and "````json" in said and "**Error** E: why" in said and "error*" in said
    )
