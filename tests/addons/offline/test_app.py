"""Routing: what is answered where, and what is no known path."""

from __future__ import annotations

import pytest

CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/api/claude_code/settings"),
        ("POST", "/api/event_logging/v2/batch"),
        ("POST", "/v1/unheard/of"),
        ("GET", "/v1/chat/completions"),
        ("PUT", "/v1/messages"),
    ],
)
def test_unknown_paths_get_an_empty_object(http, method, path):
    answer = http.request(method, path, content=b"\x00 not json")
    assert (answer.status_code, answer.json()) == (200, {})


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/openai/v1/chat/completions", "chat.completion"),
        ("/openai/deployments/gpt-4o/chat/completions?api-version=2025-01-01", "chat.completion"),
        ("/beta/chat/completions", "chat.completion"),
        ("/backend-api/codex/responses", "response"),
        ("/v1/messages?beta=true", "message"),
    ],
)
def test_one_protocol_on_many_paths(http, path, kind):
    answer = http.post(path, json=CHAT | {"input": "hi", "max_tokens": 99}).json()
    assert (answer.get("object") or answer.get("type")) == kind


def test_the_model_in_the_path_of_azure(http):
    body = {"messages": CHAT["messages"]}
    assert http.post("/openai/deployments/gpt-4o/chat/completions", json=body).json()["model"] == "gpt-4o"


def test_the_models_list_is_in_the_shape_of_who_asks(http):
    assert http.get("/v1/models").json()["object"] == "list"
    assert http.get("/v1/models", headers={"anthropic-version": "2023-06-01"}).json()["has_more"] is False
    assert http.get("/v1beta/models").json()["models"][0]["name"].startswith("models/")
    assert http.get("/v1/models/gemini-3-pro?key=x").json()["name"] == "models/gemini-3-pro"
    claude = http.get("/v1/models/claude-haiku-4-5", headers={"anthropic-version": "2023-06-01"}).json()
    assert claude["display_name"] == "Claude Haiku 4.5"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"messages": 3, "contents": 3}'])
@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/v1/chat/completions", ["error"]),
        ("/v1/messages", ["type", "error", "request_id"]),
        ("/v1beta/models/m:generateContent", ["error"]),
        ("/v1/embeddings", ["error"]),
    ],
)
def test_an_unreadable_body_is_refused_in_the_providers_shape(http, path, shape, body):
    answer = http.post(path, content=body)
    assert answer.status_code == 400
    assert list(answer.json()) == shape


@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize("stream", [False, True])
def test_compressed_answers(http, encoding, stream):
    messages = [{"role": "user", "content": f"squeeze [[offline: encoding={encoding}]]"}]
    body = {"model": "m", "messages": messages, "stream": stream}
    answer = http.post("/v1/chat/completions", json=body)
    assert answer.headers["content-encoding"] == encoding
    assert "squeeze" in answer.text


@pytest.mark.parametrize(
    ("directive", "check"),
    [
        ("eof", lambda body: body.startswith(b'{"id"') and not body.endswith(b"}")),
        ("garbage", lambda body: b"\xff\xfe" in body),
        ("error_event status=503", lambda body: b"overloaded" in body),
        ("drip_ms=1", lambda body: body.endswith(b"}")),
    ],
)
def test_faults_of_a_whole_answer(http, directive, check):
    messages = [{"role": "user", "content": f"x [[offline: {directive}]]"}]
    answer = http.post("/v1/chat/completions", json={"model": "m", "messages": messages})
    assert answer.status_code == 200 and check(answer.content)
