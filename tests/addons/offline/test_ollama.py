"""Ollama over plain HTTP, as its clients reach it."""

from __future__ import annotations

import json

import httpx
import pytest

TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
    },
}


@pytest.fixture
def http(provider):
    with httpx.Client(base_url=provider.http_url) as client:
        yield client


def lines(response: httpx.Response) -> list[dict]:
    assert response.headers["content-type"] == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_chat_streams_unless_told_otherwise(http):
    body = {"model": "llama3.2", "messages": [{"role": "user", "content": "hello llama"}]}
    chunks = lines(http.post("/api/chat", json=body))
    whole = http.post("/api/chat", json=body | {"stream": False}).json()
    assert "".join(chunk["message"]["content"] for chunk in chunks) == whole["message"]["content"]
    assert "hello llama" in whole["message"]["content"]
    assert [chunk["done"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    for last in (chunks[-1], whole):
        assert last["done_reason"] == "stop" and last["eval_count"] == whole["eval_count"] > 0
        assert last["prompt_eval_count"] > 0


def test_tool_call_then_text(http):
    messages = [{"role": "user", "content": 'use tool add with {"a": 7}'}]
    body = {"model": "m", "messages": messages, "tools": [TOOL], "stream": False}
    message = http.post("/api/chat", json=body).json()["message"]
    assert message["tool_calls"] == [{"function": {"name": "add", "arguments": {"a": 7}}}]
    body["messages"] = [*messages, message, {"role": "tool", "tool_name": "add", "content": "8"}]
    assert 'add said "8"' in http.post("/api/chat", json=body).json()["message"]["content"]


def test_generate_thinking_and_format(http):
    chunks = lines(http.post("/api/generate", json={"model": "m", "prompt": "why", "think": True}))
    assert any(chunk.get("thinking") for chunk in chunks)
    assert "why" in "".join(chunk["response"] for chunk in chunks)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    body = {"model": "m", "prompt": "x", "format": schema, "stream": False}
    assert json.loads(http.post("/api/generate", json=body).json()["response"]) == {"n": 1}


def test_faults(http):
    body = {"model": "m", "prompt": '[[offline: status=500 message="no luck"]]'}
    refused = http.post("/api/generate", json=body)
    assert (refused.status_code, refused.json()) == (500, {"error": "no luck"})
    body = {"model": "m", "prompt": "x [[offline: error_event=2]]"}
    assert "error" in lines(http.post("/api/generate", json=body))[-1]
    with pytest.raises(httpx.RemoteProtocolError):
        http.post("/api/generate", json={"model": "m", "prompt": "x [[offline: cut=2]]"})


def test_tags_and_version(http):
    assert http.get("/api/tags").json()["models"][0]["name"] == "llama3.2:latest"
    assert http.get("/api/version").json()["version"]
