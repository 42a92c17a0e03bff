"""OpenAI Responses, over HTTP and over a WebSocket.

On the WebSocket each text message from the client is a `response.create`; the events that answer it are the same as in the
event stream, one text message each. `generate: false` is Codex's warm-up: the response completes with no output, and the
next request builds on it by `previous_response_id`. Answers to one socket come one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from .ask import Ask, Tool, ToolResult, canonical, text_of, user_text
from .format import Format, Json, dumps, json_mode, sse
from .memory import Memory
from .openai_chat import error, forced_tool
from .script import Reply, ToolCall, pieces

_OUTPUTS = ("function_call_output", "custom_tool_call_output")


def read(body: Json, path: str, memory: Memory) -> Ask:
    items = history(body, memory)
    tools = [
        *(body.get("tools") or ()),
        # Codex offers its tools in an input item.
        *(tool for item in items if isinstance(item.get("tools"), list) for tool in item["tools"]),
    ]
    last_user = max((i for i, item in enumerate(items) if item.get("role") == "user"), default=-1)
    names = {item.get("call_id"): item.get("name", "") for item in items if "name" in item}
    results = tuple(
        ToolResult(names.get(item.get("call_id"), ""), text_of(item.get("output")))
        for item in items[last_user + 1 :]
        if item.get("type") in _OUTPUTS
    )
    text_format = (body.get("text") or {}).get("format") or {}
    instructions = body.get("instructions")
    return Ask(
        model=str(body.get("model", "")),
        stream=bool(body.get("stream")),
        prompt=user_text(items[last_user].get("content")) if last_user >= 0 else "",
        segments=tuple(map(canonical, [*tools, *([instructions] if instructions else []), *items])),
        tool_results=results,
        tools=() if body.get("tool_choice") == "none" else tuple(_tools(tools)),
        forced_tool=forced_tool(body.get("tool_choice")),
        output_schema=json_mode(text_format.get("type"), text_format.get("schema")),
        max_tokens=body.get("max_output_tokens"),
    )


def history(body: Json, memory: Memory) -> list[Json]:
    """All input items, those of the previous response first."""
    given = body.get("input") or []
    items = [{"role": "user", "content": given}] if isinstance(given, str) else list(given)
    return [*memory.responses.get(body.get("previous_response_id") or "", ()), *items]


def remember(body: Json, ask: Ask, reply: Reply, memory: Memory) -> None:
    memory.responses[reply.id("resp_")] = [*history(body, memory), *_output(reply)]


def document(ask: Ask, reply: Reply) -> Json:
    incomplete = reply.finish == "length"
    return _head(reply, "incomplete" if incomplete else "completed") | {
        "output": _output(reply),
        "incomplete_details": {"reason": "max_output_tokens"} if incomplete else None,
        "usage": usage(reply),
    }


def events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    return (sse(event, event["type"]) for event in event_objects(ask, reply))


def messages(ask: Ask, reply: Reply) -> Iterator[bytes]:
    """The events as WebSocket messages."""
    return map(dumps, event_objects(ask, reply))


def warmed_up(reply: Reply) -> Iterator[bytes]:
    """The answer to `generate: false`."""
    for number, status in enumerate(("in_progress", "completed")):
        kind = "response.created" if status == "in_progress" else "response.completed"
        counts = None if status == "in_progress" else usage(reply) | {"output_tokens": 0}
        response = _head(reply, status) | {"usage": counts}
        yield dumps({"type": kind, "response": response, "sequence_number": number})


def event_objects(ask: Ask, reply: Reply) -> Iterator[Json]:
    started = _head(reply, "in_progress")
    plan: list[Json] = [
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
    ]
    for index, item in enumerate(_output(reply)):
        plan += _item_events(index, item)
    final = document(ask, reply)
    plan.append({"type": f"response.{final['status']}", "response": final})
    return (event | {"sequence_number": number} for number, event in enumerate(plan))


def usage(reply: Reply) -> Json:
    return {
        "input_tokens": reply.input_tokens,
        "input_tokens_details": {"cached_tokens": reply.cache_read_tokens},
        "output_tokens": reply.output_tokens,
        "output_tokens_details": {"reasoning_tokens": reply.reasoning_tokens},
        "total_tokens": reply.input_tokens + reply.output_tokens,
    }


def error_event(status: int, message: str) -> bytes:
    # Nested as servers send it; the reference documents the same fields flat.
    return sse({"type": "error", "sequence_number": 0, **error(status, message)}, "error")


def error_message(status: int, message: str) -> bytes:
    """An error on the WebSocket: with the status that HTTP would have had."""
    return dumps({"type": "error", "status": status, **error(status, message)})


def _head(reply: Reply, status: str) -> Json:
    return {
        "id": reply.id("resp_"),
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "model": reply.model,
        "output": [],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": None,
        "user": None,
    }


def _output(reply: Reply) -> list[Json]:
    items: list[Json] = []
    if reply.reasoning:
        summary = [{"type": "summary_text", "text": reply.reasoning}]
        items.append({"id": reply.id("rs_"), "type": "reasoning", "summary": summary})
    if reply.text or not reply.tool_calls:
        text = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        items.append(
            {
                "id": reply.id("msg_"),
                "type": "message",
                "status": "completed" if reply.finish != "length" else "incomplete",
                "role": "assistant",
                "content": [text],
            }
        )
    items += (_call(reply, call) for call in reply.tool_calls)
    return items


def _call(reply: Reply, call: ToolCall) -> Json:
    item: Json = {"id": reply.id("ctc_" if call.tool.custom else "fc_", call.id), "status": "completed"}
    item |= {"call_id": f"call_{call.id}", "name": call.tool.name}
    if call.tool.namespace:
        item["namespace"] = call.tool.namespace
    if call.tool.custom:
        return item | {"type": "custom_tool_call", "input": call.text}
    return item | {"type": "function_call", "arguments": call.text}


def _item_events(index: int, item: Json) -> list[Json]:
    at = {"output_index": index, "item_id": item["id"]}
    match item["type"]:
        case "message":
            part, start = item["content"][0], {"content": [], "status": "in_progress"}
            inner = _part_events(
                at | {"content_index": 0}, part, "output_text", "content_part", {"logprobs": []}
            )
        case "reasoning":
            part, start = item["summary"][0], {"summary": []}
            where = at | {"summary_index": 0}
            inner = _part_events(where, part, "reasoning_summary_text", "reasoning_summary_part", {})
        case kind:
            field = "input" if kind == "custom_tool_call" else "arguments"
            name = "custom_tool_call_input" if kind == "custom_tool_call" else "function_call_arguments"
            start = {field: "", "status": "in_progress"}
            inner = [
                {"type": f"response.{name}.delta", **at, "delta": piece} for piece in pieces(item[field])
            ]
            inner.append({"type": f"response.{name}.done", **at, "name": item["name"], field: item[field]})
    place = {"output_index": index}
    return [
        {"type": "response.output_item.added", **place, "item": item | start},
        *inner,
        {"type": "response.output_item.done", **place, "item": item},
    ]


def _part_events(where: Json, part: Json, text: str, kind: str, more: Json) -> list[Json]:
    return [
        {"type": f"response.{kind}.added", **where, "part": part | {"text": ""}},
        *({"type": f"response.{text}.delta", **where, "delta": p, **more} for p in pieces(part["text"])),
        {"type": f"response.{text}.done", **where, "text": part["text"], **more},
        {"type": f"response.{kind}.done", **where, "part": part},
    ]


def _tools(tools: list[Any], namespace: str | None = None) -> Iterator[Tool]:
    for tool in tools:
        match tool.get("type"):
            case "function":
                yield Tool(tool["name"], tool.get("parameters") or {}, namespace=namespace)
            case "custom":
                yield Tool(tool["name"], custom=True, namespace=namespace)
            case "namespace":
                yield from _tools(tool.get("tools") or [], tool.get("name"))


FORMAT = Format(read, document, events, error, error_event, request_id="x-request-id", remember=remember)
WEBSOCKET = Format(read, document, messages, error, error_message, remember=remember)
