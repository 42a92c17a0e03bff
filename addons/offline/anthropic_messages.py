"""Anthropic messages: streamed or not, thinking blocks with a signature, prompt caching, `count_tokens`, models list.

`input_tokens` leaves out what the cache gave or took, as Anthropic counts. Cached is what stands before the last
`cache_control` mark, from 1024 tokens on.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import Any

from .ask import Ask, Tool, ToolResult, canonical, text_of, user_text
from .format import Format, Json, sse
from .memory import Memory, tokens
from .script import Reply, pieces

MODELS = {
    "claude-opus-4-6": "Claude Opus 4.6",
    "claude-sonnet-4-6": "Claude Sonnet 4.6",
    "claude-haiku-4-5": "Claude Haiku 4.5",
}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
_STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


def read(body: Json, path: str, memory: Memory) -> Ask:
    messages = body["messages"]
    system = body.get("system") or []
    blocks: list[Any] = [
        *(body.get("tools") or ()),
        *([system] if isinstance(system, str) else system),
        *(block for message in messages for block in _blocks(message)),
    ]
    marks = [i for i, block in enumerate(blocks) if isinstance(block, dict) and "cache_control" in block]
    prompt, results = _last_turn(messages)
    choice = body.get("tool_choice") or {}
    forced = {"any": "", "tool": str(choice.get("name", ""))}.get(choice.get("type", "auto"))
    output = body.get("output_config") or {}
    output_format = output.get("format") or body.get("output_format") or {}
    return Ask(
        model=str(body.get("model", "")),
        stream=bool(body.get("stream")),
        prompt=prompt,
        segments=tuple(canonical(_without_mark(block)) for block in blocks),
        tool_results=results,
        tools=() if choice.get("type") == "none" else _tools(body),
        forced_tool=forced,
        output_schema=output_format.get("schema"),
        max_tokens=body.get("max_tokens"),
        thinking=(body.get("thinking") or {}).get("type") == "enabled",
        cached_segments=marks[-1] + 1 if marks else 0,
    )


def document(ask: Ask, reply: Reply) -> Json:
    return _message(reply, list(_content(reply)), _STOP[reply.finish], usage(reply))


def events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    def event(kind: str, **fields: object) -> bytes:
        return sse({"type": kind, **fields}, kind)

    yield event("message_start", message=_message(reply, [], None, usage(reply) | {"output_tokens": 1}))
    for index, block in enumerate(_content(reply)):
        start, deltas = _streamed(block)
        yield event("content_block_start", index=index, content_block=start)
        if index == 0:
            yield event("ping")
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    stop = {"stop_reason": _STOP[reply.finish], "stop_sequence": None}
    yield event("message_delta", delta=stop, usage={"output_tokens": reply.output_tokens})
    yield event("message_stop")


def usage(reply: Reply) -> Json:
    return {
        "input_tokens": reply.input_tokens - reply.cache_read_tokens - reply.cache_write_tokens,
        "cache_creation_input_tokens": reply.cache_write_tokens,
        "cache_read_input_tokens": reply.cache_read_tokens,
        "output_tokens": reply.output_tokens,
        "service_tier": "standard",
    }


def count_tokens(body: Json) -> Json:
    ask = read(body, "", Memory())
    return {"input_tokens": max(1, sum(map(tokens, ask.segments)))}


def models() -> Json:
    data = [model(name) for name in MODELS]
    return {"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]}


def model(name: str) -> Json:
    shown = MODELS.get(name, name)
    return {"type": "model", "id": name, "display_name": shown, "created_at": "2026-01-01T00:00:00Z"}


def error(status: int, message: str) -> Json:
    kind = _ERRORS.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_offline"}


def error_event(status: int, message: str) -> bytes:
    return sse(error(status, message), "error")


def _message(reply: Reply, content: list[Json], stop_reason: str | None, counts: Json) -> Json:
    return {
        "id": reply.id("msg_"),
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": counts,
    }


def _content(reply: Reply) -> Iterator[Json]:
    if reply.reasoning:
        signature = base64.b64encode(hashlib.sha512(reply.reasoning.encode()).digest()).decode()
        yield {"type": "thinking", "thinking": reply.reasoning, "signature": signature}
    if reply.text:
        yield {"type": "text", "text": reply.text}
    for call in reply.tool_calls:
        yield {"type": "tool_use", "id": f"toolu_{call.id}", "name": call.tool.name, "input": call.arguments}


def _streamed(block: Json) -> tuple[Json, list[Json]]:
    """How a block starts, and the deltas that fill it."""
    match block["type"]:
        case "text":
            deltas = [{"type": "text_delta", "text": piece} for piece in pieces(block["text"])]
            return block | {"text": ""}, deltas
        case "thinking":
            deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(block["thinking"])]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return block | {"thinking": "", "signature": ""}, deltas
        case _:
            text = canonical(block["input"])
            half = len(text) // 2
            parts = ["", text[:half], text[half:]] if block["input"] else [""]
            return block | {"input": {}}, [{"type": "input_json_delta", "partial_json": p} for p in parts]


def _blocks(message: Json) -> list[Any]:
    content = message["content"]
    return [content] if isinstance(content, str) else list(content)


def _without_mark(block: Any) -> Any:
    return {k: v for k, v in block.items() if k != "cache_control"} if isinstance(block, dict) else block


def _last_turn(messages: list[Json]) -> tuple[str, tuple[ToolResult, ...]]:
    """The last text the user wrote, and the tool results since."""
    names = {
        block["id"]: block["name"]
        for message in messages
        for block in _blocks(message)
        if isinstance(block, dict) and block.get("type") == "tool_use"
    }
    results: list[ToolResult] = []
    for message in reversed(messages):
        if message["role"] != "user":
            continue
        blocks = _blocks(message)
        found = [b for b in blocks if isinstance(b, dict) and b.get("type") == "tool_result"]
        results[:0] = [ToolResult(names.get(b["tool_use_id"], ""), text_of(b.get("content"))) for b in found]
        text = user_text([b for b in blocks if b not in found])
        if text:
            return text, tuple(results)
    return "", tuple(results)


def _tools(body: Json) -> tuple[Tool, ...]:
    """Tools that the client runs; provider-run ones (web search and the like) have a versioned type and no schema."""
    return tuple(
        Tool(tool["name"], tool["input_schema"]) for tool in body.get("tools") or () if "input_schema" in tool
    )


FORMAT = Format(read, document, events, error, error_event, request_id="request-id", event_status=529)
