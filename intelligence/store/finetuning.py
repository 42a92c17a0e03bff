"""Conversations as fine-tuning data, whatever provider they were held with: a line each, the last answer included.

OpenAI: `{"messages": [...], "tools": [...]}` (developers.openai.com, supervised fine-tuning). Anthropic (as Amazon Bedrock takes
it for Claude): `{"system": "...", "messages": [...], "tools": [...]}`, user and assistant in turn. Only what has no words is
lost: audio, files, and images whose data is not in the request, which become a note in brackets.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from intelligence.store.transcript import answer_of
from intelligence.wire.json_value import INVALID, as_json, decode, obj, text
from intelligence.wire.parts import Message, Part
from intelligence.wire.request import Request, read_request

OPERATIONS = frozenset(["chat", "responses", "generate_content"])
Example = dict[str, Any]


def example(
    row: dict[str, Any], body: bytes, shape: Callable[[Request, list[Message]], Example]
) -> Example | None:
    """None for a call that teaches nothing: it failed, was no conversation, or its history is at the provider.
    `row`: as `queries.call` gives it; `body`: of the request, decoded."""
    if row["state"] != "complete" or row["operation"] not in OPERATIONS:
        return None
    request = read_request(row["format"], row["operation"], row["path"] or "", body)
    answer = answer_of(row)
    stored = any(request.parameters.get(key) for key in ("previous_response_id", "conversation"))
    if not request.understood or not request.messages or not answer.parts or stored:
        return None
    messages = [*request.messages, answer]
    _name_calls(messages)
    return shape(request, messages)


def openai(request: Request, messages: list[Message]) -> Example:
    out: list[dict[str, Any]] = []
    if words := _words(request.system):
        out.append({"role": "system", "content": words})
    for message in messages:
        results = [p for p in message.parts if p.type == "tool_result"]
        out += [{"role": "tool", "tool_call_id": p.id, "content": p.text} for p in results]
        said = [p for p in message.parts if p.type not in ("tool_result", "tool_call", "thinking")]
        calls = [
            {"id": p.id, "type": "function", "function": {"name": p.name, "arguments": p.text or "{}"}}
            for p in message.parts
            if p.type == "tool_call"
        ]
        if said or calls:
            made: dict[str, Any] = {"role": _role(message.role), "content": _openai_content(said)}
            out.append(made | ({"tool_calls": calls} if calls else {}))
    tools = [
        {"type": "function", "function": _told(name=t.name, description=t.description, parameters=t.schema)}
        for t in request.tools
        if t.schema is not None
    ]
    return {"messages": out} | ({"tools": tools} if tools else {})


def anthropic(request: Request, messages: list[Message]) -> Example:
    out: list[dict[str, Any]] = []
    system = [_words(request.system)]
    for message in messages:
        role = _role(message.role)
        if role == "system":
            system.append(_words(message.parts))
            continue
        blocks = [_block(p) for p in message.parts if p.type != "thinking"]
        if any(block["type"] == "tool_result" for block in blocks):
            role = "user"
        if out and out[-1]["role"] == role:
            out[-1]["content"] += blocks
        elif blocks:
            out.append({"role": role, "content": blocks})
    for made in out:
        if all(block["type"] == "text" for block in made["content"]):
            made["content"] = "\n".join(block["text"] for block in made["content"])
    tools = [
        _told(name=t.name, description=t.description, input_schema=t.schema)
        for t in request.tools
        if t.schema is not None
    ]
    words = "\n\n".join(filter(None, system))
    return ({"system": words} if words else {}) | {"messages": out} | ({"tools": tools} if tools else {})


def _name_calls(messages: list[Message]) -> None:
    """Some providers give calls no id (Gemini, Ollama): a result then belongs to the first open call of its name."""
    open_calls: list[Part] = []
    number = 0
    for part in (part for message in messages for part in message.parts):
        if part.type == "tool_call":
            number += 1
            part.id = part.id or f"call_{number}"
            open_calls.append(part)
        elif part.type == "tool_result":
            mine = next((c for c in open_calls if c.id == part.id), None)
            mine = mine or next((c for c in open_calls if not part.id and part.name in (None, c.name)), None)
            if mine:
                part.id = mine.id
                open_calls.remove(mine)


def _role(role: str) -> str:
    return {"model": "assistant", "developer": "system", "function": "user", "tool": "user"}.get(
        role, role or "user"
    )


def _words(parts: list[Part]) -> str:
    return "\n".join(part.text for part in parts if part.text)


def _openai_content(parts: list[Part]) -> Any:
    if not parts:
        return None
    if not any(part.type == "image" and _image_url(part) for part in parts):
        return "\n".join(part.text if part.type == "text" else f"[{part.type}]" for part in parts)
    return [_openai_part(part) for part in parts]


def _openai_part(part: Part) -> dict[str, Any]:
    if part.type == "image" and (url := _image_url(part)):
        return {"type": "image_url", "image_url": {"url": url}}
    return {"type": "text", "text": part.text if part.type == "text" else f"[{part.type}]"}


def _block(part: Part) -> dict[str, Any]:
    if part.type == "text":
        return {"type": "text", "text": part.text}
    if part.type == "tool_call":
        given = decode(part.text.encode("utf-8", "replace"))
        value = {} if given is INVALID else given
        return {
            "type": "tool_use",
            "id": part.id,
            "name": part.name,
            "input": value if isinstance(value, dict) else {"input": value},
        }
    if part.type == "tool_result":
        return {"type": "tool_result", "tool_use_id": part.id, "content": part.text}
    if part.type == "image" and (url := _image_url(part)):
        kind, comma, data = url.removeprefix("data:").partition(";base64,")
        source = (
            {"type": "base64", "media_type": kind, "data": data} if comma else {"type": "url", "url": url}
        )
        return {"type": "image", "source": source}
    return {"type": "text", "text": f"[{part.type}]"}


def _image_url(part: Part) -> str | None:
    """An address, or the data as one."""
    data = part.data
    if isinstance(data, str):
        return data if data.startswith(("data:", "http")) else f"data:image/png;base64,{data}"
    value = obj(data)
    if address := text(value.get("url")) or text(value.get("image_url")):
        return address
    kind = text(value.get("media_type") or value.get("mimeType") or value.get("mime_type")) or "image/png"
    inner = value.get("data") or obj(value.get("source")).get("bytes")
    return f"data:{kind};base64,{inner}" if isinstance(inner, str) and inner else None


def _told(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def line_of(made: Example) -> str:
    return as_json(made) + "\n"
