import base64
import json

import pytest

from tests.intelligence.wire.answers import read, tokens, tools
from tests.intelligence.wire.test_aws_eventstream import frame, string

STREAM = "application/vnd.amazon.eventstream"
PATH = "/model/vendor.model-v1%3A0/converse-stream"


def event(kind, **payload):
    headers = (
        string(":event-type", kind)
        + string(":message-type", "event")
        + string(":content-type", "application/json")
    )
    return frame(json.dumps(payload | {"p": "abcdef"}).encode(), headers)


def chunk(value):
    return event("chunk", bytes=base64.b64encode(json.dumps(value).encode()).decode())


USAGE = {
    "inputTokens": 10,
    "outputTokens": 5,
    "totalTokens": 35,
    "cacheReadInputTokens": 20,
    "cacheWriteInputTokens": 0,
}
EVENTS = [
    event("messageStart", role="assistant"),
    event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"text": "Hm"}}),
    event("contentBlockDelta", contentBlockIndex=0, delta={"reasoningContent": {"signature": "s"}}),
    event("contentBlockDelta", contentBlockIndex=1, delta={"text": "Hé"}),
    event("contentBlockDelta", contentBlockIndex=1, delta={"text": "llo"}),
    event("contentBlockStop", contentBlockIndex=1),
    event("contentBlockStart", contentBlockIndex=2, start={"toolUse": {"toolUseId": "t", "name": "add"}}),
    event("contentBlockDelta", contentBlockIndex=2, delta={"toolUse": {"input": ""}}),
    event("contentBlockDelta", contentBlockIndex=2, delta={"toolUse": {"input": '{"a":1}'}}),
    event("contentBlockStop", contentBlockIndex=2),
    event("messageStop", stopReason="tool_use"),
    event("metadata", usage=USAGE, metrics={"latencyMs": 3}),
]


def test_converse_stream():
    answer = read("bedrock-converse", b"".join(EVENTS), STREAM, path=PATH)
    assert (answer.model, answer.finish_reason, answer.terminal) == ("vendor.model-v1:0", "tool_use", True)
    assert (answer.text, answer.reasoning) == ("Héllo", "Hm")
    assert tools(answer) == [("t", "add", '{"a":1}')]
    assert tokens(answer) == (30, 5, 20, 0, None)
    assert answer.usage_raw == USAGE


def test_converse_whole():
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm"}}},
        {"text": "Hi"},
        {"toolUse": {"toolUseId": "t", "name": "add", "input": {"a": 1}}},
        {"toolResult": {"content": [{"json": {}}]}},
    ]
    body = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        "usage": USAGE,
    }
    answer = read("bedrock-converse", body, path=PATH)
    assert (answer.text, answer.reasoning, tools(answer)) == ("Hi", "Hm", [("t", "add", '{"a":1}')])


@pytest.mark.parametrize(
    ("headers", "payload", "expected"),
    [
        ({"message-type": "exception", "exception-type": "throttling"}, b'{"message":"Slow."}', ("throttling", "Slow.")),
        ({"message-type": "error", "error-code": "500", "error-message": "Oh."}, b"", ("500", "Oh.")),
        ({"message-type": "exception"}, b"\xff", (None, "the provider broke the stream off")),
    ],
)  # fmt: skip
def test_exception_frames(headers, payload, expected):
    block = b"".join(string(f":{name}", value) for name, value in headers.items())
    answer = read("bedrock-converse", b"".join(EVENTS[:4]) + frame(payload, block), STREAM)
    assert (answer.error_type, answer.error_message) == expected
    assert (answer.text, answer.terminal) == ("Hé", True)


def test_error_type_is_in_a_header():
    answer = read(
        "bedrock-invoke",
        {"message": "No."},
        status=400,
        x_amzn_errortype="ValidationException:http://internal.amazon.com/",
    )
    assert (answer.error_type, answer.error_message) == ("ValidationException", "No.")


METRICS = {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 7, "outputTokenCount": 3}}
NOVA = [
    {"messageStart": {"role": "assistant"}},
    {"contentBlockDelta": {"delta": {"text": "Hi"}, "contentBlockIndex": 0}},
    {"messageStop": {"stopReason": "end_turn"}},
    {"metadata": {"usage": {"inputTokens": 7, "outputTokens": 3}}} | METRICS,
]
CLAUDE = [
    {
        "type": "message_start",
        "message": {"model": "claude-x", "usage": {"input_tokens": 7, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}},
    {"type": "message_stop"} | METRICS,
]
VENDORS = {
    "nova": NOVA,
    "claude": CLAUDE,
    "titan": [
        {"outputText": "H", "completionReason": None, "inputTextTokenCount": 7, "totalOutputTextTokenCount": None},
        {"outputText": "i", "completionReason": "end_turn", "totalOutputTextTokenCount": 3} | METRICS,
    ],
    "llama": [
        {"generation": "H", "prompt_token_count": 7, "generation_token_count": 1, "stop_reason": None},
        {"generation": "i", "prompt_token_count": None, "generation_token_count": 3, "stop_reason": "end_turn"} | METRICS,
    ],
    "mistral": [
        {"outputs": [{"text": "H", "stop_reason": None}]},
        {"outputs": [{"text": "i", "stop_reason": "end_turn"}]} | METRICS,
    ],
    "jamba": [
        {"choices": [{"index": 0, "delta": {"content": "Hi"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "end_turn"}]} | METRICS,
    ],
    "cohere": [
        {"event_type": "text-generation", "text": "Hi", "is_finished": False},
        {"event_type": "stream-end", "is_finished": True, "finish_reason": "end_turn", "response": {"text": "Hi"}} | METRICS,
    ],
}  # fmt: skip


@pytest.mark.parametrize("vendor", VENDORS)
def test_invoke_stream(vendor):
    body = b"".join(map(chunk, VENDORS[vendor]))
    answer = read("bedrock-invoke", body, STREAM, path="/model/m%3A0/invoke-with-response-stream")
    assert (answer.text, answer.finish_reason, answer.terminal) == ("Hi", "end_turn", True)
    assert tokens(answer)[:2] == (7, 3)
    assert METRICS.items() <= answer.usage_raw.items()
    assert answer.model == ("claude-x" if vendor == "claude" else "m:0")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (
            {
                "inputTextTokenCount": 7,
                "results": [{"tokenCount": 3, "outputText": "Hi", "completionReason": "FINISH"}],
            },
            "Hi",
        ),
        (
            {"generation": "Hi", "prompt_token_count": 7, "generation_token_count": 3, "stop_reason": "stop"},
            "Hi",
        ),
        ({"outputs": [{"text": "Hi", "stop_reason": "stop"}]}, "Hi"),
        (
            {
                "type": "message",
                "content": [{"type": "text", "text": "Hi"}],
                "usage": {"input_tokens": 7, "output_tokens": 3},
            },
            "Hi",
        ),
        ({"choices": [{"message": {"content": "Hi"}}]}, "Hi"),
        ({"generations": [{"text": "Hi"}]}, "Hi"),
        ({"embedding": [0.1], "inputTextTokenCount": 7}, ""),
    ],
    ids=["titan", "llama", "mistral", "claude", "jamba", "cohere", "embedding"],
)
def test_invoke_whole_with_counts_in_headers(body, text):
    answer = read(
        "bedrock-invoke", body, x_amzn_bedrock_input_token_count="7", x_amzn_bedrock_output_token_count="3"
    )
    assert (answer.text, answer.input_tokens, answer.terminal) == (text, 7, True)
    assert answer.output_tokens == 3 or not text


def test_damaged_chunk_is_passed_over():
    body = event("chunk", bytes="!!!") + event("chunk", bytes="e30x") + chunk(CLAUDE[2])
    assert read("bedrock-invoke", body, STREAM).text == "Hi"
