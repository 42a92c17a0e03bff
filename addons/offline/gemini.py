"""Gemini: generateContent, streamGenerateContent (server-sent events, or one growing JSON array), countTokens, models.

Keys are read in camelCase and snake_case, as clients write both. `candidatesTokenCount` leaves out thoughts and
`promptTokenCount` includes what was cached, as Gemini counts. Event streams have CRLF line ends.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from .ask import Ask, Tool, ToolResult, canonical, user_text
from .format import Format, Json, dumps
from .memory import Memory, tokens
from .script import Reply, pieces

MODELS = ("gemini-3-pro", "gemini-3-flash", "gemini-2.5-flash")
_MODEL = re.compile(r"/models/([^/:?]+)")
_CAMEL = re.compile(r"_([a-z])")
# How many levels of keys belong to the API, below each field.
_KEY_DEPTH = {"contents": 3, "tools": 2, "toolConfig": 2, "generationConfig": 1}
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def read(body: Json, path: str, memory: Memory) -> Ask:
    body = _camel(body)
    contents = body["contents"]
    contents = contents if isinstance(contents, list) else [contents]
    config = body.get("generationConfig") or {}
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    forced = (calling.get("allowedFunctionNames") or [""])[0] if calling.get("mode") == "ANY" else None
    thinking = config.get("thinkingConfig") or {}
    prompt, results = _last_turn(contents)
    found = _MODEL.search(path)
    schema = config.get("responseJsonSchema") or config.get("responseSchema")
    json_asked = schema is not None or config.get("responseMimeType") == "application/json"
    pieces_of_prompt = [*(body.get("tools") or ()), body.get("systemInstruction"), *contents]
    return Ask(
        model=found[1] if found else "",
        stream=":streamGenerateContent" in path,
        prompt=prompt,
        segments=tuple(canonical(piece) for piece in pieces_of_prompt if piece),
        tool_results=results,
        tools=() if calling.get("mode") == "NONE" else tuple(_tools(body)),
        forced_tool=forced,
        output_schema=(schema or {}) if json_asked else None,
        max_tokens=config.get("maxOutputTokens"),
        thinking=bool(thinking.get("includeThoughts") or thinking.get("include_thoughts")),
    )


def document(ask: Ask, reply: Reply) -> Json:
    return _chunk(reply, list(_parts(reply)), last=True)


def chunks(ask: Ask, reply: Reply) -> Iterator[Json]:
    """The bodies of a stream: text in pieces, a call always whole, usage in each."""
    parts = []
    for part in _parts(reply):
        parts += [part | {"text": piece} for piece in pieces(part["text"])] if "text" in part else [part]
    for index, part in enumerate(parts or [{"text": ""}]):
        yield _chunk(reply, [part], last=index >= len(parts) - 1)


def sse_events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    return (b"data: " + dumps(chunk) + b"\r\n\r\n" for chunk in chunks(ask, reply))


def array_events(ask: Ask, reply: Reply) -> Iterator[bytes]:
    opening = b"["
    for chunk in chunks(ask, reply):
        yield opening + dumps(chunk)
        opening = b",\r\n"
    yield b"\n]"


def count_tokens(body: Json) -> Json:
    body = _camel(body)
    inner = body.get("generateContentRequest") or body
    return {"totalTokens": max(1, sum(map(tokens, read(inner, "", Memory()).segments)))}


def models() -> Json:
    return {"models": [model(name) for name in MODELS]}


def model(name: str) -> Json:
    return {
        "name": f"models/{name}",
        "version": "offline",
        "displayName": name,
        "inputTokenLimit": 1048576,
        "outputTokenLimit": 65536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }


def error(status: int, message: str) -> Json:
    kind = _STATUS.get(status, "INTERNAL" if status >= 500 else "INVALID_ARGUMENT")
    return {"error": {"code": status, "message": message, "status": kind}}


def array_error(status: int, message: str) -> list[Json]:
    return [error(status, message)]


def sse_error_event(status: int, message: str) -> bytes:
    return b"data: " + dumps(error(status, message)) + b"\r\n\r\n"


def array_error_event(status: int, message: str) -> bytes:
    return b",\r\n" + dumps(error(status, message)) + b"\n]"


def _chunk(reply: Reply, parts: list[Json], *, last: bool) -> Json:
    candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if last:
        candidate["finishReason"] = "MAX_TOKENS" if reply.finish == "length" else "STOP"
    return {
        "candidates": [candidate],
        "usageMetadata": _usage(reply),
        "modelVersion": reply.model,
        "responseId": reply.id(""),
    }


def _usage(reply: Reply) -> Json:
    counts: Json = {
        "promptTokenCount": reply.input_tokens,
        "candidatesTokenCount": reply.output_tokens - reply.reasoning_tokens,
        "totalTokenCount": reply.input_tokens + reply.output_tokens,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": reply.input_tokens}],
    }
    if reply.reasoning_tokens:
        counts["thoughtsTokenCount"] = reply.reasoning_tokens
    if reply.cache_read_tokens:
        counts["cachedContentTokenCount"] = reply.cache_read_tokens
    return counts


def _parts(reply: Reply) -> Iterator[Json]:
    if reply.reasoning:
        yield {"text": reply.reasoning, "thought": True}
    if reply.text:
        yield {"text": reply.text}
    for call in reply.tool_calls:
        yield {"functionCall": {"name": call.tool.name, "args": call.arguments}}


def _last_turn(contents: list[Any]) -> tuple[str, tuple[ToolResult, ...]]:
    """The last text the user wrote, and the function responses since."""
    results: list[ToolResult] = []
    for content in reversed(contents):
        if isinstance(content, str):
            return content, tuple(results)
        if content.get("role", "user") == "model":
            continue
        found = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        results[:0] = [ToolResult(r.get("name", ""), canonical(r.get("response"))) for r in found]
        text = user_text([part for part in content["parts"] if "functionResponse" not in part])
        if text:
            return text, tuple(results)
    return "", tuple(results)


def _tools(body: Json) -> Iterator[Tool]:
    for group in body.get("tools") or ():
        for function in group.get("functionDeclarations") or ():
            schema = function.get("parametersJsonSchema") or function.get("parameters") or {}
            yield Tool(function["name"], schema)


def _camel(body: Json) -> Json:
    """Known keys in camelCase; the schemas, arguments and responses inside stay as they are."""

    def renamed(value: Any, depth: int) -> Any:
        if isinstance(value, list):
            return [renamed(item, depth) for item in value]
        if isinstance(value, dict) and depth:
            return {_CAMEL.sub(lambda m: m[1].upper(), k): renamed(v, depth - 1) for k, v in value.items()}
        return value

    named = {_CAMEL.sub(lambda m: m[1].upper(), key): value for key, value in body.items()}
    return {key: renamed(value, _KEY_DEPTH.get(key, 0)) for key, value in named.items()}


SSE = Format(read, document, sse_events, error, sse_error_event, stream_type="text/event-stream")
ARRAY = dataclasses.replace(
    SSE,
    events=array_events,
    error=array_error,
    error_event=array_error_event,
    stream_type="application/json; charset=UTF-8",
)
