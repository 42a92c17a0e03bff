import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.wire.identify import Fields, client_of, conversation_key, read_fields


def fields(body: Any) -> Fields:
    found = read_fields(json.dumps(body).encode())
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        ("claude-cli/2.1.329 (external, cli)", ("claude-code", "2.1.329")),
        ("OpenAI/Python 3.52.0", ("openai-python", "3.52.0")),
        ("AsyncAnthropic/Python 2.11.0", ("anthropic-python", "2.11.0")),
        ("codex_cli_rs/0.169.0 (Debian 12; x86_64)", ("codex", "0.169.0")),
        ("GeminiCLI/0.61.0/gemini-3-pro (linux; x64)", ("gemini-cli", "0.61.0")),
        ("GeminiCLI-tui/0.61.0/gemini-2.5-flash (linux; x64; terminal)", ("gemini-cli", "0.61.0")),
        ("google-genai-sdk/2.8.0 gl-python/3.13.0", ("google-genai", "2.8.0")),
        ("curl/7.88.1", ("curl", "7.88.1")),
        ("my-tool/1.0", ("my-tool", "1.0")),
        ("node", ("node", None)),
        ("", (None, None)),
        ("\x00\xff", (None, None)),
    ],
)
def test_client(agent: str, expected: tuple) -> None:
    assert client_of(agent) == expected


CHAT = {
    "model": "m",
    "stream": True,
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}],
}
ANTHROPIC = {
    "model": "m",
    "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
    "messages": [{"role": "user", "content": [{"type": "text", "text": "U"}]}],
}
RESPONSES = {
    "model": "m",
    "instructions": "S",
    "input": [{"role": "user", "content": [{"type": "input_text", "text": "U"}]}],
}
GEMINI = {
    "systemInstruction": {"parts": [{"text": "S"}]},
    "contents": [{"role": "user", "parts": [{"text": "U"}]}],
}


@pytest.mark.parametrize("body", [CHAT, ANTHROPIC, RESPONSES, GEMINI, {"request": GEMINI, "model": "m"}])
def test_system_and_first_user_of_every_family(body: dict) -> None:
    found = fields(body)
    assert (found.system, found.first_user) == ("S", "U")


def test_strings_are_prompts() -> None:
    assert fields({"model": "m", "input": "U"}).first_user == "U"
    assert fields({"model": "m", "prompt": "U"}).first_user == "U"


def test_stream_and_model_are_unknown_when_not_said() -> None:
    assert (fields({"messages": []}).stream, fields({"messages": []}).model) == (None, None)
    assert fields({"model": 5, "stream": "yes", "messages": []}).model is None


def test_later_turns_share_the_key() -> None:
    later = json.loads(json.dumps(ANTHROPIC))
    del later["system"][0]["cache_control"]
    later["messages"] += [{"role": "assistant", "content": "A"}, {"role": "user", "content": "U2"}]
    key = b"k"
    first = conversation_key(key, "f", "c", fields(ANTHROPIC))
    assert conversation_key(key, "f", "c", fields(later)) == first
    assert conversation_key(key, "f", "other", fields(later)) != first
    later["messages"][0]["content"][0]["text"] = "other"
    assert conversation_key(key, "f", "c", fields(later)) != first


def test_billing_line_stays_out_of_the_key() -> None:
    def body(mark: str) -> Fields:
        billing = f"x-anthropic-billing-header: cc_version=2.1; cch={mark};"
        return fields(
            {"system": [{"type": "text", "text": billing}, {"type": "text", "text": "S"}], "messages": []}
        )

    assert conversation_key(b"k", None, None, body("aaaaa")) == conversation_key(
        b"k", None, None, body("bbbbb")
    )


@given(st.binary(max_size=200))
def test_no_bytes_raise(data: bytes) -> None:
    read_fields(data)


_KEYS = st.sampled_from(
    ["messages", "role", "content", "text", "parts", "input", "system", "model", "request", "x"]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.text()


@given(st.recursive(_SCALARS, lambda inner: st.lists(inner) | st.dictionaries(_KEYS, inner)))
def test_no_json_raises(value: Any) -> None:
    read_fields(json.dumps(value).encode())
