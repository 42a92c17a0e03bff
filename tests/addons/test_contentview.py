from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from mitmproxy import contentviews, http
from mitmproxy.test import taddons, tflow, tutils

from addons import contentview

ASKED = {
    "model": "claude-opus-4-5",
    "max_tokens": 1000,
    "stream": True,
    "system": "You are careful.",
    "tools": [{"name": "Bash", "description": "Runs a\n command.", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": "List the files."},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "Bash", "input": {"command": "ls"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "a.py"}]},
    ],
}
EVENTS: list[dict[str, Any]] = [
    {
        "type": "message_start",
        "message": {"model": "claude-opus-4-5", "usage": {"input_tokens": 12, "output_tokens": 1}},
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "thinking_delta", "thinking": "Look first."},
    },
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "There is "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "one file."}},
    {"type": "content_block_stop", "index": 1},
    {
        "type": "content_block_start",
        "index": 2,
        "content_block": {"type": "tool_use", "id": "t2", "name": "Read", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '{"path":'},
    },
    {
        "type": "content_block_delta",
        "index": 2,
        "delta": {"type": "input_json_delta", "partial_json": '"a.py"}'},
    },
    {"type": "content_block_stop", "index": 2},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 34}},
    {"type": "message_stop"},
]
STREAM = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in EVENTS).encode()


@pytest.fixture(autouse=True)
def registered() -> None:
    contentview.register()


def call(request: bytes, response: bytes = b"", *, noted: bool = True, **headers: str) -> http.HTTPFlow:
    flow = tflow.tflow(
        req=tutils.treq(
            method=b"POST",
            host=b"api.anthropic.com",
            path=b"/v1/messages",
            headers=http.Headers(content_type="application/json"),
            content=request,
        ),
        resp=tutils.tresp(headers=http.Headers(**({"content_type": "text/event-stream"} | headers))),
    )
    assert flow.response
    flow.response.raw_content = response
    if noted:
        flow.metadata["llmitm"] = {
            "call_id": "1",
            "provider": "anthropic",
            "operation": "chat",
            "format": "anthropic-messages",
        }
    return flow


def shown(flow: http.HTTPFlow, side: str, view: str = "auto") -> contentviews.ContentviewResult:
    with taddons.context():
        return contentviews.prettify_message(getattr(flow, side), flow, view)


def test_a_request_as_messages_and_tools() -> None:
    result = shown(call(json.dumps(ASKED).encode()), "request")
    assert result.view_name == "LLM request"
    order = [
        "model: claude-opus-4-5",
        "── system",
        "You are careful.",
        "── user",
        "List the files.",
        "── assistant",
    ]
    order += [
        "[tool call Bash]",
        '"command": "ls"',
        "[tool result",
        "a.py",
        "── tools (1)",
        "Bash: Runs a command.",
    ]
    found = [result.text.find(part) for part in order]
    assert -1 not in found, order[found.index(-1)]
    assert found == sorted(found)


@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_a_streamed_answer_put_together(encoding: str | None) -> None:
    body = gzip.compress(STREAM) if encoding else STREAM
    headers = {"content_encoding": encoding} if encoding else {}
    result = shown(call(b"{}", body, **headers), "response")
    assert result.view_name == "LLM answer"
    for part in (
        "finish reason: tool_use",
        "input 12, output 34",
        "── reasoning",
        "Look first.",
        "There is one file.",
        "── tool call: Read",
        '"path": "a.py"',
    ):
        assert part in result.text
    assert "content_block_delta" not in result.text


def test_the_raw_events_stay() -> None:
    result = shown(call(b"{}", STREAM), "response", "raw")
    assert result.text == STREAM.decode()


def test_an_error_answer() -> None:
    body = json.dumps(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    ).encode()
    flow = call(b"{}", body, content_type="application/json")
    assert flow.response
    flow.response.status_code = 529
    assert "overloaded_error: Overloaded" in shown(flow, "response").text


def test_other_traffic_is_shown_as_ever() -> None:
    flow = call(json.dumps(ASKED).encode(), b'{"a": 1}', noted=False, content_type="application/json")
    assert shown(flow, "request").view_name == shown(flow, "response").view_name == "JSON"


def test_each_view_is_for_its_side() -> None:
    flow = call(json.dumps(ASKED).encode(), STREAM)
    assert shown(flow, "request").view_name == "LLM request"
    assert shown(flow, "response").view_name == "LLM answer"


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00\xff", b"{", b"[]", b'{"messages": 3}', b"[" * 100_000, b'{"messages":' + b"[" * 100_000],
)
def test_anything_can_be_shown(body: bytes) -> None:
    flow = call(body, body)
    for side, view in (("request", "llm request"), ("response", "llm answer")):
        result = shown(flow, side, view)
        assert "Traceback" not in result.text
        assert "Couldn't parse" not in result.text
        assert result.text or not body


def test_a_huge_body_is_bounded_work() -> None:
    asked = ASKED | {"messages": [{"role": "user", "content": "x" * 3_000_000}]}
    result = shown(call(json.dumps(asked).encode()), "request")
    assert result.view_name == "LLM request"
    long = ASKED | {"messages": [{"role": "user", "content": "x" * 100_000}]}
    text = shown(call(json.dumps(long).encode()), "request").text
    assert len(text) < 2 * contentview.MAX_PART
    assert "80,000 more characters: see Raw" in text


def test_without_a_flow() -> None:
    metadata = contentviews.Metadata()
    for view in (contentview.LLMRequest(), contentview.LLMAnswer()):
        assert view.render_priority(b"{}", metadata) < 0
        assert view.prettify(b'{"a": 1}', metadata)
