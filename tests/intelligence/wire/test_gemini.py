import json

import pytest

from tests.intelligence.wire.answers import JSON, read, sse, tokens, tools

STREAM_PATH = "/v1beta/models/gemini-x:streamGenerateContent"
USAGE = {
    "promptTokenCount": 121,
    "candidatesTokenCount": 36,
    "thoughtsTokenCount": 38,
    "totalTokenCount": 195,
}


def chunk(*parts, reason=None, **more):
    candidate = {"content": {"parts": list(parts), "role": "model"}}
    if reason is not None:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": "gemini-x-001"} | more


CHUNKS = [
    chunk({"text": "Hm", "thought": True}, usageMetadata={"promptTokenCount": 121}),
    chunk({"text": "Hel"}, usageMetadata={"promptTokenCount": 121, "candidatesTokenCount": 2}),
    chunk(
        {"text": "lö"},
        {"functionCall": {"id": "c", "name": "add", "args": {"a": 1}}, "thoughtSignature": "x" * 20_000},
    ),
    chunk({"functionCall": {"name": "now"}}, {"text": ""}, reason="STOP", usageMetadata=USAGE),
]


def check(answer):
    assert (answer.model, answer.finish_reason, answer.terminal) == ("gemini-x-001", "STOP", True)
    assert (answer.text, answer.reasoning) == ("Hellö", "Hm")
    assert tools(answer) == [("c", "add", '{"a":1}'), (None, "now", "{}")]
    assert tokens(answer) == (121, 74, None, None, 38)
    assert answer.usage_raw == USAGE


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_sse(end):
    check(read("gemini", sse(*CHUNKS, end=end), path=STREAM_PATH + "?alt=sse"))


@pytest.mark.parametrize("separator", [",", "\n,\r\n"])
def test_growing_array(separator):
    body = (
        "[" + separator.join(json.dumps(c, indent=2, ensure_ascii=False) for c in CHUNKS) + "\n]"
    ).encode()
    check(read("gemini", body, JSON, path=STREAM_PATH))
    check(read("gemini", body, JSON))  # the path was not kept


def test_growing_array_that_breaks_off():
    answer = read("gemini", json.dumps(CHUNKS[:3]).encode()[:-1], JSON, path=STREAM_PATH)
    assert (answer.text, answer.terminal) == ("Hellö", False)


def test_code_assist_wraps():
    check(
        read(
            "gemini",
            sse(*({"response": c} for c in CHUNKS)),
            path="/v1internal:streamGenerateContent?alt=sse",
        )
    )


def test_whole():
    usage = USAGE | {"cachedContentTokenCount": 100, "toolUsePromptTokenCount": 9}
    answer = read("gemini", chunk({"text": "Hi"}, reason="MAX_TOKENS", usageMetadata=usage))
    assert (answer.text, answer.finish_reason) == ("Hi", "MAX_TOKENS")
    assert tokens(answer) == (130, 74, 100, None, 38)


def test_blocked_prompt_has_no_candidates():
    answer = read(
        "gemini", {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 4}}
    )
    assert (answer.finish_reason, answer.text, answer.terminal) == ("SAFETY", "", True)
    assert tokens(answer) == (4, None, None, None, None)


@pytest.mark.parametrize("streamed", [True, False])
def test_finish_message_is_no_text(streamed):
    ended = chunk(reason="MALFORMED_FUNCTION_CALL")
    ended["candidates"][0]["finishMessage"] = "Malformed function call: add(1"
    answer = read("gemini", sse(CHUNKS[1], ended) if streamed else ended)
    assert (answer.finish_reason, answer.terminal) == ("MALFORMED_FUNCTION_CALL", True)
    assert (answer.text, answer.tool_calls) == ("Hel" if streamed else "", [])


def test_enums_as_numbers():
    assert read("gemini", chunk({"text": "Hi"}, reason=1)).finish_reason == "1"
    assert read("gemini", chunk({"text": "Hi"}, reason=0)).finish_reason is None


ERROR = {"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT"}}


@pytest.mark.parametrize("body", [ERROR, [ERROR]])
@pytest.mark.parametrize("path", [STREAM_PATH, "/v1beta/models/x:generateContent"])
def test_error(body, path):
    answer = read("gemini", body, status=400, path=path)
    assert (answer.error_type, answer.error_message) == ("INVALID_ARGUMENT", "No.")


def test_error_in_a_stream():
    answer = read("gemini", sse(CHUNKS[1], ERROR))
    assert (answer.error_message, answer.text, answer.terminal) == ("No.", "Hel", True)


def test_code_execution_is_the_providers():
    answer = read(
        "gemini",
        chunk({"executableCode": {"language": "PYTHON", "code": "1+1"}}, {"text": "2"}, reason="STOP"),
    )
    assert [(c.name, c.arguments) for c in answer.server_tool_calls] == [("code_execution", "1+1")]


def test_counting_and_embedding():
    assert read("gemini", {"totalTokens": 7}, operation="count_tokens").input_tokens == 7
    body = {"embeddings": [{"values": [0.1]}], "usageMetadata": {"promptTokenCount": 4}}
    assert tokens(read("gemini", body, operation="embeddings")) == (4, None, None, None, None)
