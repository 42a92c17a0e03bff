"""Rewriting the recorded requests, and bodies that hold what nobody may edit."""

import json
import re
from itertools import islice
from typing import Any

import pytest

from intelligence.rewrite.apply import apply, undo
from intelligence.rewrite.edits import Edit, Remove, Replace, Rewrite
from intelligence.rewrite.redact import Secret, redact
from intelligence.wire.json_value import INVALID, decode
from intelligence.wire.places import places, tools
from tests.intelligence.rewrite.bodies import at, drop, put, value_of
from tests.intelligence.wire import corpus

needs_corpus = pytest.mark.skipif(not corpus.FILES, reason=f"no corpus at {corpus.FOLDER} (LLMITM_CORPUS)")


@needs_corpus
@pytest.mark.parametrize("file", corpus.FILES)
def test_each_recorded_request(file: str) -> None:
    for exchange in corpus.exchanges(file):
        body = corpus.body_of(exchange, "request")
        value = decode(body)
        if value is INVALID or not isinstance(value, dict):
            continue
        target = corpus.target_of(exchange)
        found = places(target and target.format, target and target.operation, exchange["path"] or "", value)
        edits = [Edit(p.pointer, len(p.text) // 3, len(p.text) // 2 + 1, "[gone]") for p in found]
        done = apply(body, [Rewrite("r", "", edits)])
        assert {r.edit.pointer for r in done.refused} == {p.pointer for p in found if p.guarded}
        assert all(refused.why for refused in done.refused)
        for place, edit in zip(found, edits, strict=True):
            text = at(value, place.pointer)
            assert text == place.text
            if not place.guarded:
                put(value, place.pointer, text[: edit.start] + edit.text + text[edit.end :])
        assert value_of(done.body) == value
        assert undo(done.body, done.splices) == body
        removed = apply(body, [Rewrite("r", "", [Remove(tool.pointer) for tool in tools(decode(body))])])
        value = decode(body)
        for tool in reversed(tools(decode(body))):
            drop(value, tool.pointer)
        assert (
            not removed.refused
            and value_of(removed.body) == value
            and undo(removed.body, removed.splices) == body
        )


LONG_WORD = re.compile(r"[A-Za-z-]{12,}")
MOST = 40


def redacted(body: bytes, exchange: dict[str, Any]) -> bytes:
    """Without its long words."""
    value, target = decode(body), corpus.target_of(exchange)
    if not isinstance(value, dict):
        return body
    found = places(target and target.format, target and target.operation, exchange["path"] or "", value)
    secrets = [
        Secret(place, *match.span(), "secret-word")
        for place in found
        if place.guarded is None
        for match in islice(LONG_WORD.finditer(place.text), MOST)
    ]
    done = apply(body, [redact(b"k" * 32, "r", "", secrets).rewrite])
    assert not done.refused and undo(done.body, done.splices) == body
    return done.body


@needs_corpus
@pytest.mark.parametrize("file", corpus.FILES)
def test_redacting_a_recorded_request_twice_is_once(file: str) -> None:
    for exchange in corpus.exchanges(file):
        once = redacted(corpus.body_of(exchange, "request"), exchange)
        assert redacted(once, exchange) == once


def why(body: Any, edit: Any) -> str | None:
    raw = json.dumps(body).encode()
    done = apply(raw, [Rewrite("r", "", [edit], redacts=True)])
    assert done.refused or done.body != raw
    return done.refused[0].why if done.refused else None


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
CALL = {
    "type": "tool_use",
    "id": "c",
    "name": "sh",
    "input": {"command": "ls", "signature": "me", "text": "t"},
}
ANTHROPIC = {
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [THOUGHT, {"type": "text", "text": "so"}, CALL]},
        {"role": "user", "content": [{"type": "text", "text": "ok"}]},
    ]
}
RESPONSES = {
    "input": [
        {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": "hm"}],
            "encrypted_content": "gAAA",
        },
        {"type": "function_call", "call_id": "c", "name": "sh", "arguments": '{"a":"b"}'},
        {"type": "function_call_output", "call_id": "c", "output": "ok"},
    ]
}
GEMINI = {
    "request": {
        "contents": [
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "f", "args": {"a": "b"}}, "thoughtSignature": "Cg=="},
                    {"functionCall": {"name": "f", "args": {"a": "b"}}},
                ],
            },
        ]
    }
}


@pytest.mark.parametrize(
    ("body", "edit", "refused"),
    [
        (ANTHROPIC, Edit("/messages/1/content/0/thinking", 0, 1, ""), "signed thinking"),
        (ANTHROPIC, Edit("/messages/1/content/0/signature", 0, 1, ""), "signed thinking"),
        (ANTHROPIC, Replace("/messages/1/content/0/thinking", ""), "signed thinking"),
        (ANTHROPIC, Remove("/messages/1/content/0/signature"), "signed thinking"),
        (ANTHROPIC, Remove("/messages/1/content/0"), "signed thinking"),
        (ANTHROPIC, Replace("/messages/1/content", []), "signed thinking"),
        (ANTHROPIC, Remove("/messages/1"), "signed thinking"),
        (ANTHROPIC, Remove("/messages"), "signed thinking"),
        (ANTHROPIC, Remove("/messages/1/content/1"), "stands beside signed thinking"),
        (ANTHROPIC, Remove("/messages/2"), None),
        (ANTHROPIC, Edit("/messages/1/content/1/text", 0, 1, ""), None),
        (ANTHROPIC, Edit("/messages/1/content/2/input/command", 0, 1, ""), None),
        (ANTHROPIC, Edit("/messages/1/content/2/input/text", 0, 1, ""), None),
        (RESPONSES, Edit("/input/0/summary/0/text", 0, 1, ""), "encrypted content"),
        (RESPONSES, Remove("/input/0"), "encrypted content"),
        (RESPONSES, Remove("/input/1"), "belongs to a reasoning item"),
        (RESPONSES, Edit("/input/1/arguments", 0, 1, ""), None),
        (RESPONSES, Remove("/input/2"), None),
        (GEMINI, Edit("/request/contents/0/parts/0/functionCall/args/a", 0, 1, ""), "signed thinking"),
        (GEMINI, Edit("/request/contents/0/parts/1/functionCall/args/a", 0, 1, ""), None),
        (GEMINI, Remove("/request/contents/0/parts/1"), "stands beside signed thinking"),
        (GEMINI, Replace("/request/contents", []), "signed thinking"),
    ],
)
def test_guards(body: Any, edit: Any, refused: str | None) -> None:
    assert why(body, edit) == refused


def test_a_signature_outside_the_conversation_guards_nothing() -> None:
    """A client cannot seal its whole request with a word at the top."""
    body = {
        "encrypted_content": "x",
        "thoughtSignature": "y",
        "messages": [{"role": "user", "content": "key"}],
    }
    assert why(body, Edit("/messages/0/content", 0, 3, "")) is None
