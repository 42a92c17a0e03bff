"""OpenAI chat completions, and the errors that every OpenAI endpoint shares.

Many providers speak this format, so any path ending in `/chat/completions` is answered with it. Usage in a stream is sent
only when `stream_options.include_usage` asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from .ask import Ask, Tool, ToolResult, canonical, text_of, user_text
from .format import Format, Json, json_mode, sse
from .memory import Memory
from .script import Reply, ToolCall, pieces

_ERRORS = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    403: ("permission_error", None),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("service_unavailable", "overloaded"),
}


def read(body: Json, path: str, memory: Memory) -> Ask:
    messages = body["messages"]
    tools = tuple(map(_tool, body.get("tools") or ()))
    last_user = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    names = {
        call.get("id"): (call.get("function") or call.get("custom") or {}).get("name", "")
        for message in messages
        for call in message.get("tool_calls") or ()
    }
    results = tuple(
        ToolResult(names.get(message.get("tool_call_id"), ""), text_of(message.get("content")))
        for message in messages[last_user + 1 :]
        if message["role"] in ("tool", "function")
    )
    response_format = body.get("response_format") or {}
    model = body.get("model") or path.partition("/deployments/")[2].partition("/")[0]
    return Ask(
        model=str(model),
        stream=bool(body.get("stream")),
        prompt=user_text(messages[last_user].get("content")) if last_user >= 0 else "",
        segments=tuple(map(canonical, [*(body.get("tools") or ()), *messages])),
        tool_results=results,
        tools=() if body.get("tool_choice") == "none" else tools,
        forced_tool=forced_tool(body.get("tool_choice")),
        output_schema=json_mode(
            response_format.get("type"), (response_format.get("json_schema") or {}).get("schema")
        ),
        max_tokens=body.get("max_completion_tokens") or body.get("max_tokens"),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )


def forced_tool(choice: Any) -> str | None:
    """`tool_choice` of chat and Responses as `Ask.forced_tool`."""
    if choice == "required":
        return ""
    if not isinstance(choice, dict) or choice.get("type") not in ("function", "custom"):
        return None
    return str((choice.get("function") or choice.get("custom") or choice).get("name", ""))


def document(ask: Ask, reply: Reply) -> Json:
    message: Json = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
    if reply.reasoning:
        message["reasoning_content"] = reply.reasoning
    if reply.tool_calls:
        message["tool_calls"] = [_call(call) for call in reply.tool_calls]
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.finish}
    return {**_head(reply, "chat.completion"), "choices": [choice], "usage": usage(reply)}


def events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    head = _head(reply, "chat.completion.chunk") | ({"usage": None} if ask.include_usage else {})

    def chunk(delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse(head | {"choices": [choice]})

    yield chunk({"role": "assistant", "content": "" if not reply.tool_calls else None, "refusal": None})
    for piece in pieces(reply.reasoning):
        yield chunk({"reasoning_content": piece})
    for piece in pieces(reply.text):
        yield chunk({"content": piece})
    for index, call in enumerate(reply.tool_calls):
        kind, field = ("custom", "input") if call.tool.custom else ("function", "arguments")
        named = {
            "index": index,
            "id": f"call_{call.id}",
            "type": kind,
            kind: {"name": call.tool.name, field: ""},
        }
        yield chunk({"tool_calls": [named]})
        for piece in pieces(call.text):
            yield chunk({"tool_calls": [{"index": index, kind: {field: piece}}]})
    yield chunk({}, reply.finish)
    if ask.include_usage:
        yield sse(head | {"choices": [], "usage": usage(reply)})
    yield b"data: [DONE]\n\n"


def usage(reply: Reply) -> Json:
    return {
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": reply.cache_read_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reply.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def error(status: int, message: str) -> Json:
    kind, code = _ERRORS.get(status, ("server_error" if status >= 500 else "invalid_request_error", None))
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def error_event(status: int, message: str) -> bytes:
    return sse(error(status, message))


def _head(reply: Reply, kind: str) -> Json:
    return {
        "id": reply.id("chatcmpl-"),
        "object": kind,
        "created": int(time.time()),
        "model": reply.model,
        "service_tier": "default",
        "system_fingerprint": "fp_offline",
    }


def _tool(tool: Json) -> Tool:
    inner = tool.get("function") or tool.get("custom") or {}
    return Tool(inner.get("name", ""), inner.get("parameters") or {}, custom=tool.get("type") == "custom")


def _call(call: ToolCall) -> Json:
    kind, field = ("custom", "input") if call.tool.custom else ("function", "arguments")
    return {"id": f"call_{call.id}", "type": kind, kind: {"name": call.tool.name, field: call.text}}


FORMAT = Format(read, document, events, error, error_event, request_id="x-request-id")
