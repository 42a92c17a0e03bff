"""Requests: one small case for each provider's shape, the corpus, and anything at all."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire.paths import FORMATS
from intelligence.wire.request import read_request
from tests.intelligence.wire import corpus

TOOL = {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}
ROLES = [
    ("user", [("text", "Hi")]),
    ("assistant", [("tool_call", '{"a":1}')]),
    ("tool", [("tool_result", "2")]),
]

# Format, path, body -> what must be read: model, stream, system, roles with parts, tools, parameters.
CASES = {
    "openai chat": (
        "openai-chat",
        "/v1/chat/completions",
        {
            "model": "m",
            "stream": True,
            "temperature": 0,
            "messages": [
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "add", "arguments": '{"a":1}'}}]},
                {"role": "tool", "tool_call_id": "c", "content": "2"},
            ],
            "tools": [{"type": "function", "function": TOOL}],
        },
        ("m", True, "Be brief.", ROLES, ["add"], {"temperature": 0}),
    ),
    "responses": (
        "openai-responses",
        "/v1/responses",
        {
            "model": "m",
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                {"type": "function_call", "call_id": "c", "name": "add", "arguments": '{"a":1}'},
                {"type": "function_call_output", "call_id": "c", "output": "2"},
                {"type": "additional_tools", "tools": [{"type": "namespace", "tools": [{"type": "custom", "name": "exec"}]}]},
            ],
            "tools": [{"type": "function", **TOOL}, {"type": "web_search"}],
            "store": False,
        },
        ("m", False, "Be brief.", ROLES, ["add", "web_search", "exec"], {"store": False}),
    ),
    "anthropic": (
        "anthropic-messages",
        "/v1/messages?beta=true",
        {
            "model": "m",
            "max_tokens": 9,
            "system": [{"type": "text", "text": "Be brief.", "cache_control": {}}],
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "add", "input": {"a": 1}}]},
                {"role": "tool", "content": [{"type": "tool_result", "tool_use_id": "c", "content": "2"}]},
            ],
            "tools": [{"name": "add", "input_schema": {}}, {"type": "web_search_20250305", "name": "web_search"}],
        },
        ("m", False, "Be brief.", ROLES, ["add", "web_search"], {"max_tokens": 9}),
    ),
    "gemini": (
        "gemini",
        "/v1beta/models/g-2:streamGenerateContent?alt=sse",
        {
            "system_instruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Hi"}]},
                {"role": "assistant", "parts": [{"functionCall": {"name": "add", "args": {"a": 1}}}]},
                {"role": "tool", "parts": [{"functionResponse": {"name": "add", "response": "2"}}]},
            ],
            "tools": [{"function_declarations": [TOOL]}, {"googleSearch": {}}],
            "generationConfig": {"temperature": 0},
        },
        ("g-2", True, "Be brief.", ROLES, ["add", "googleSearch"], {"temperature": 0}),
    ),
    "gemini code assist": (
        "gemini",
        "/v1internal:generateContent",
        {"model": "g", "project": "p", "request": {"contents": [{"parts": [{"text": "Hi"}]}]}},
        ("g", False, "", ROLES[:1], [], {}),
    ),
    "gemini counting": (
        "gemini",
        "/v1beta/models/g:countTokens",
        {"generateContentRequest": {"model": "models/g", "contents": [{"parts": [{"text": "Hi"}]}]}},
        ("g", False, "", ROLES[:1], [], {}),
    ),
    "bedrock converse": (
        "bedrock-converse",
        "/model/a.b%3A0/converse-stream",
        {
            "system": [{"text": "Be brief."}],
            "messages": [
                {"role": "user", "content": [{"text": "Hi"}]},
                {"role": "assistant", "content": [{"toolUse": {"toolUseId": "c", "name": "add", "input": {"a": 1}}}]},
                {"role": "tool", "content": [{"toolResult": {"toolUseId": "c", "content": [{"text": "2"}]}}]},
            ],
            "toolConfig": {"tools": [{"toolSpec": {"name": "add", "inputSchema": {"json": {}}}}]},
            "inferenceConfig": {"maxTokens": 5},
        },
        ("a.b:0", True, "Be brief.", ROLES, ["add"], {"maxTokens": 5}),
    ),
    "bedrock titan": (
        "bedrock-invoke", "/model/amazon.titan/invoke", {"inputText": "Hi"},
        ("amazon.titan", False, "", ROLES[:1], [], {}),
    ),
    "cohere v1": (
        "cohere-v1", "/v1/chat", {"preamble": "Be brief.", "message": "Hi", "tools": [TOOL]},
        (None, False, "Be brief.", ROLES[:1], ["add"], {}),
    ),
    "ollama generate": (
        "ollama", "/api/generate", {"model": "m", "prompt": "Hi", "system": "Be brief.", "options": {"seed": 1}},
        ("m", False, "Be brief.", ROLES[:1], [], {"seed": 1}),
    ),
    "azure": (
        "openai-chat", "/openai/deployments/d/chat/completions", {"messages": [{"role": "user", "content": "Hi"}]},
        ("d", False, "", ROLES[:1], [], {}),
    ),
    "completions": (
        "openai-completions", "/v1/completions", {"model": "m", "prompt": "Hi"},
        ("m", False, "", ROLES[:1], [], {}),
    ),
    "embeddings": (
        "openai-embeddings", "/v1/embeddings", {"model": "m", "input": ["Hi"]},
        ("m", False, "", ROLES[:1], [], {}),
    ),
    "dashscope": (
        "dashscope", "/api/v1/services/aigc/text-generation/generation",
        {"model": "m", "input": {"messages": [{"role": "user", "content": "Hi"}]}, "parameters": {"top_p": 1}},
        ("m", False, "", ROLES[:1], [], {"top_p": 1}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_shape(name):
    format_, path, body, expected = CASES[name]
    request = read_request(
        format_, "chat" if format_ != "ollama" else "embeddings", path, json.dumps(body).encode()
    )
    model, stream, system, messages, tools, parameters = expected
    assert (request.model, request.stream) == (model, stream)
    assert "".join(part.text for part in request.system) == system
    assert [(m.role, [(p.type, p.text) for p in m.parts]) for m in request.messages] == messages
    assert [tool.name for tool in request.tools] == tools
    assert parameters.items() <= request.parameters.items()
    assert not {"messages", "contents", "tools", "model", "system"} & request.parameters.keys()
    assert request.understood


@pytest.mark.parametrize(
    ("part", "type_"),
    [
        ({"type": "image_url", "image_url": {"url": "data:…"}}, "image"),
        ({"type": "image", "source": {"type": "base64", "data": "…"}}, "image"),
        ({"type": "input_image", "image_url": "https://…"}, "image"),
        ({"inlineData": {"mimeType": "audio/wav", "data": "…"}}, "audio"),
        ({"type": "document", "source": {}}, "file"),
        ({"type": "thinking", "thinking": "Hm", "signature": "s"}, "thinking"),
        ({"reasoningContent": {"reasoningText": {"text": "Hm"}}}, "thinking"),
        ({"text": "Hm", "thought": True}, "thinking"),
        ({"type": "nobody_knows"}, "other"),
        ({"nobody": "knows"}, "other"),
    ],
)
def test_part(part, type_):
    body = {"messages": [{"role": "user", "content": [part]}]}
    (message,) = read_request(
        "anthropic-messages", "chat", "/v1/messages", json.dumps(body).encode()
    ).messages
    assert [p.type for p in message.parts] == [type_]


def test_ollama_streams_unless_told_not_to():
    body = b'{"model":"m","messages":[]}'
    assert read_request("ollama", "chat", "/api/chat", body).stream is True
    assert read_request("ollama", "chat", "/api/chat", body[:-1] + b',"stream":false}').stream is False


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff\xfe", b'"x"', b"null"])
def test_not_understood(body):
    request = read_request("openai-chat", "chat", "/v1/chat/completions", body)
    assert not request.understood
    assert (request.model, request.messages) == (None, [])


def test_model_of_a_form():
    body = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--b--\r\n'
    assert read_request("openai-audio", "audio", "/v1/audio/transcriptions", body).model == "whisper-1"


KEYS = st.sampled_from(
    "model stream system messages role content type text tool_calls function name arguments input contents parts tools prompt "
    "instructions request functionCall args toolUse options parameters input_schema images documents id session".split()
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["text", "thinking"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(FORMATS), st.dictionaries(KEYS, VALUES, max_size=6))
def test_any_json_is_read(format_, body):
    read_request(format_, "chat", "/x", json.dumps(body).encode())


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read(body):
    read_request("openai-chat", "chat", "/x", body)
    read_request("openai-chat", "chat", "/x", b"{" + body)


@pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")
@pytest.mark.parametrize("file", corpus.FILES)
def test_corpus(file):
    for exchange in corpus.exchanges(file):
        target = corpus.target_of(exchange)
        if target is None or exchange["format"] in ("other", "realtime-ws"):
            continue
        body = corpus.body_of(exchange, "request")
        request = read_request(target.format, target.operation, exchange["path"], body)
        expected = exchange["expected_request"]
        where = exchange["id"]
        assert [tool.name for tool in request.tools] == expected["tools"], where
        if not body.startswith(b"{"):
            continue
        # Of an Azure deployment the corpus takes the name in the body where there is one.
        assert expected["model"] in (request.model, json.loads(body).get("model")), where
        if target.stream is None and target.format != "ollama":
            assert request.stream == expected["stream"], where
        if expected["messages"] and target.operation not in ("embeddings", "rerank"):
            system = (
                len(request.system)
                if target.format in ("openai-chat", "openai-responses", "ollama", "cohere-v2")
                else 0
            )
            assert expected["messages"] in (len(request.messages), len(request.messages) + system), where
        assert not [p for m in request.messages for p in m.parts if p.type == "other"], where


@pytest.mark.parametrize(
    ("format", "content", "failed"),
    [
        (
            "anthropic-messages",
            {"type": "tool_result", "tool_use_id": "a", "content": "x", "is_error": True},
            True,
        ),
        ("anthropic-messages", {"type": "tool_result", "tool_use_id": "a", "content": "x"}, False),
        (
            "bedrock-converse",
            {"toolResult": {"toolUseId": "a", "content": [{"text": "x"}], "status": "error"}},
            True,
        ),
        ("bedrock-converse", {"toolResult": {"toolUseId": "a", "content": [{"text": "x"}]}}, False),
    ],
)
def test_a_result_says_that_it_failed(format, content, failed):
    body = json.dumps({"messages": [{"role": "user", "content": [content]}]}).encode()
    (message,) = read_request(format, "chat", "", body).messages
    assert message.parts[0].failed is failed


def test_tools_within_tools_without_end():
    nested = '{"type":"namespace","tools":[' * 700 + "]}" * 700
    body = f'{{"model":"m","messages":[{{"role":"user","content":"a"}}],"tools":[{nested}]}}'
    for format_ in ("openai-chat", "openai-responses"):
        assert read_request(format_, "chat", "", body.encode()).understood
