import json

import pytest

from addons import answers
from addons.call import Call
from intelligence.wire.registry import Target


@pytest.mark.parametrize(
    ("fmt", "path"),
    [
        ("openai-chat", ("error", "message")),
        ("openai-responses", ("error", "message")),
        ("anthropic-messages", ("error", "message")),
        ("gemini", ("error", "message")),
        ("bedrock-converse", ("message",)),
        ("cohere-v2", ("message",)),
        ("ollama", ("error",)),
        ("unknown", ("error", "message")),
    ],
)
def test_the_providers_own_shape_with_reason_and_id(fmt: str, path: tuple) -> None:
    call = Call(Target("x", "chat", fmt))
    response = answers.error(call, 429, "too much", rule="budget")
    body = json.loads(response.content or b"")
    for key in path:
        body = body[key]
    assert body == f"too much (llmitm id {call.text_id})"
    assert response.status_code == 429
    assert (response.headers["x-llmitm-id"], response.headers["x-llmitm-rule"]) == (call.text_id, "budget")


def test_anthropic_types() -> None:
    body = json.loads(
        answers.error(Call(Target("anthropic", "chat", "anthropic-messages")), 429, "m").content or b""
    )
    assert (body["type"], body["error"]["type"]) == ("error", "rate_limit_error")


def test_no_rule_no_header() -> None:
    assert "x-llmitm-rule" not in answers.error(Call(Target("x", "chat", "openai-chat")), 502, "m").headers
