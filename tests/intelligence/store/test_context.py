import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.store.context import MEDIA_TOKENS, Context, composition, new_messages, tokens_of
from intelligence.wire.request import Request, read_request


def anthropic(*messages: dict, **more) -> Request:
    body = {"model": "claude", "system": "s" * 400, "messages": list(messages)} | more
    return read_request("anthropic-messages", "chat", "/v1/messages", json.dumps(body).encode())


TURNS = (
    {"role": "user", "content": "q" * 40},
    {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "read", "input": {}}]},
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r" * 800}]},
    {"role": "assistant", "content": "a" * 80},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "n" * 120},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 90_000}},
        ],
    },
)


def test_each_kind_is_counted() -> None:
    tools = [{"name": "read", "description": "d" * 36, "input_schema": {"type": "object"}}]
    found = composition(anthropic(*TURNS, tools=tools), None)
    assert (found.system, found.tool_results, found.new, found.images) == (100, 200, 30, MEDIA_TOKENS)
    assert found.tools == 1 + 9 + tokens_of('{"type":"object"}')
    assert 10 + 20 + 1 <= found.history <= 10 + 20 + 3  # the question, the call, the answer


def test_without_an_answer_all_is_new() -> None:
    found = composition(anthropic(TURNS[0]), None)
    assert (found.new, found.history) == (10, 0)


@pytest.mark.parametrize("total", [0, 1, 7, 1331, 10**9])
def test_shares_add_up_to_what_is_stated(total: int) -> None:
    assert composition(anthropic(*TURNS), total).total == total


@given(st.lists(st.text(max_size=50), max_size=6), st.integers(0, 10**6))
def test_whatever_is_said_they_add_up(texts: list[str], total: int) -> None:
    turns = [{"role": ("user", "assistant")[n % 2], "content": text} for n, text in enumerate(texts)]
    found = composition(anthropic(*turns, system=""), total)
    assert found.total == total and min(found.system, found.new, found.history) >= 0


def test_a_request_without_words_is_new() -> None:
    assert composition(Request(), 12) == Context(new=12)


def test_responses_items_without_a_role_are_the_models() -> None:
    items = [
        {"type": "message", "role": "user", "content": "first"},
        {"type": "function_call", "call_id": "c", "name": "ls", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "a.txt"},
    ]
    body = json.dumps({"model": "gpt-5", "input": items}).encode()
    request = read_request("openai-responses", "responses", "/v1/responses", body)
    said = [part.text for message in new_messages(request) for part in message.parts]
    assert said == ["a.txt"]


def test_tokens_by_length() -> None:
    assert [tokens_of(text) for text in ("", "a", "abcd", "abcde")] == [0, 1, 1, 2]
    assert tokens_of("漢字漢字") == 2
    assert tokens_of("漢" * 200_000) == 100_000
