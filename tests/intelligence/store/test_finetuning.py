"""Conversations as training data: which calls are taken, and what becomes of ids, images and roles."""

from __future__ import annotations

import json

import pytest

from intelligence.store.finetuning import anthropic, example, openai
from tests.intelligence.store.test_transcript import row

PNG = "iVBORw0KGgo="


def made(shape, value, text="done", **changes):
    return example(row(text, **changes), json.dumps(value).encode(), shape)


def test_calls_without_ids_get_them():
    contents = [
        {"role": "user", "parts": [{"text": "go"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"a": 1}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"ok": True}}}]},
    ]
    gemini = {"format": "gemini", "operation": "generate_content", "path": "/v1beta/models/g:generateContent"}
    messages = made(openai, {"contents": contents}, **gemini)["messages"]
    assert [m["role"] for m in messages] == ["user", "assistant", "tool", "assistant"]
    assert messages[1]["tool_calls"][0]["id"] == messages[2]["tool_call_id"] == "call_1"
    turns = made(anthropic, {"contents": contents}, **gemini)["messages"]
    assert [m["role"] for m in turns] == ["user", "assistant", "user", "assistant"]
    assert turns[1]["content"][0]["id"] == turns[2]["content"][0]["tool_use_id"] == "call_1"


@pytest.mark.parametrize(
    ("format_", "part"),
    [
        ("openai-chat", {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}),
        ("anthropic-messages", {
            "type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}),
        ("gemini", {"inlineData": {"mimeType": "image/png", "data": PNG}}),
    ],
)  # fmt: skip
def test_images_keep_their_data(format_, part):
    value = {"messages": [{"role": "user", "content": [part]}]}
    if format_ == "gemini":
        value = {"contents": [{"role": "user", "parts": [part]}]}
    (first, _) = made(openai, value, format=format_)["messages"]
    assert first["content"] == [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}]
    (first, _) = made(anthropic, value, format=format_)["messages"]
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    assert first["content"] == [{"type": "image", "source": source}]


@pytest.mark.parametrize(
    "changes",
    [{"state": "error"}, {"operation": "embeddings"}, {"text": None}],
)
def test_what_teaches_nothing_is_left_out(changes):
    value = {"messages": [{"role": "user", "content": "x"}]}
    assert example(row("t") | changes, json.dumps(value).encode(), openai) is None


def test_a_conversation_of_which_the_provider_has_the_beginning_is_left_out():
    value = {"input": [{"role": "user", "content": "and then?"}], "previous_response_id": "r"}
    assert made(openai, value, format="openai-responses", operation="responses") is None
    del value["previous_response_id"]
    assert made(openai, value, format="openai-responses", operation="responses") is not None
