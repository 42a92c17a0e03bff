"""Ollama: /api/chat and /api/generate (JSON lines, streamed unless `stream` is false), /api/tags, /api/version."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from .ask import Ask, Tool, ToolResult, canonical, text_of, user_text
from .format import Format, Json, dumps
from .memory import Memory
from .script import Reply, pieces

MODELS = ("llama3.2:latest", "qwen3:8b")


def read_chat(body: Json, path: str, memory: Memory) -> Ask:
    messages = body["messages"]
    last_user = max((i for i, m in enumerate(messages) if m["role"] == "user"), default=-1)
    results = tuple(
        ToolResult(message.get("tool_name") or "", text_of(message.get("content")))
        for message in messages[last_user + 1 :]
        if message["role"] == "tool"
    )
    tools = tuple(
        Tool(tool["function"]["name"], tool["function"].get("parameters") or {})
        for tool in body.get("tools") or ()
    )
    segments = tuple(map(canonical, [*(body.get("tools") or ()), *messages]))
    prompt = user_text(messages[last_user].get("content")) if last_user >= 0 else ""
    return _ask(body, prompt, segments, tool_results=results, tools=tools)


def read_generate(body: Json, path: str, memory: Memory) -> Ask:
    prompt = str(body.get("prompt") or "")
    return _ask(body, prompt, tuple(filter(None, (body.get("system"), prompt))))


def _ask(body: Json, prompt: str, segments: tuple[str, ...], **more: Any) -> Ask:
    wanted = body.get("format")
    limit = (body.get("options") or {}).get("num_predict")
    return Ask(
        model=str(body.get("model", "")),
        stream=body.get("stream") is not False,
        prompt=prompt,
        segments=segments,
        output_schema=wanted if isinstance(wanted, dict) else {} if wanted == "json" else None,
        max_tokens=limit if limit and limit > 0 else None,
        thinking=bool(body.get("think")),
        **more,
    )


def _chat_piece(content: str, thinking: str = "", calls: list[Json] | None = None) -> Json:
    message: Json = {"role": "assistant", "content": content}
    if thinking:
        message["thinking"] = thinking
    if calls:
        message["tool_calls"] = calls
    return {"message": message}


def _generate_piece(content: str, thinking: str = "", calls: list[Json] | None = None) -> Json:
    return {"response": content} | ({"thinking": thinking} if thinking else {})


def _calls(reply: Reply) -> list[Json]:
    return [{"function": {"name": c.tool.name, "arguments": c.arguments}} for c in reply.tool_calls]


def _format(read: Callable[[Json, str, Memory], Ask], piece: Callable[..., Json]) -> Format:
    def head(reply: Reply) -> Json:
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        return {"model": reply.model, "created_at": f"{now}.000000Z"}

    def document(ask: Ask, reply: Reply) -> Json:
        return head(reply) | piece(reply.text, reply.reasoning, _calls(reply)) | _last(reply)

    def events(ask: Ask, reply: Reply) -> Iterator[bytes]:
        def line(content: Json, last: Json | None = None) -> bytes:
            return dumps(head(reply) | content | (last or {"done": False})) + b"\n"

        for text in pieces(reply.reasoning):
            yield line(piece("", text))
        for text in pieces(reply.text):
            yield line(piece(text))
        if reply.tool_calls:
            yield line(piece("", "", _calls(reply)))
        yield line(piece(""), _last(reply))

    return Format(read, document, events, error, error_event, stream_type="application/x-ndjson")


def _last(reply: Reply) -> Json:
    return {
        "done": True,
        "done_reason": "length" if reply.finish == "length" else "stop",
        "total_duration": 1_000_000 * reply.output_tokens + 5_000_000,
        "load_duration": 1_000_000,
        "prompt_eval_count": reply.input_tokens,
        "prompt_eval_duration": 4_000_000,
        "eval_count": reply.output_tokens,
        "eval_duration": 1_000_000 * reply.output_tokens,
    }


def error(status: int, message: str) -> Json:
    return {"error": message}


def error_event(status: int, message: str) -> bytes:
    return dumps(error(status, message)) + b"\n"


def tags() -> Json:
    details = {"format": "gguf", "family": "offline", "parameter_size": "1B", "quantization_level": "Q4_K_M"}
    return {
        "models": [
            {
                "name": name,
                "model": name,
                "modified_at": "2026-01-01T00:00:00Z",
                "size": 1_000_000_000,
                "digest": "0" * 64,
                "details": details,
            }
            for name in MODELS
        ]
    }


CHAT = _format(read_chat, _chat_piece)
GENERATE = _format(read_generate, _generate_piece)
