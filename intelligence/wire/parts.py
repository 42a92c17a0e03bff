"""What is said in a request: messages of parts, whatever provider's words it came in.

A part of a message is known by its `type` (OpenAI, Anthropic, Cohere) or by the one key it has (Gemini, Bedrock); the names
do not collide, so one reader serves all. What it does not know is kept as `other`, with its data.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from intelligence.wire.json_value import as_json, name, obj, objects, sound, text

# Of lists and tool results within one another.
_MAX_DEPTH = 16


@dataclass(slots=True)
class Part:
    """`type`: text, image, audio, file, thinking, tool_call, tool_result or other. `name` and `id` are of tools; `text` holds the
    arguments of a call and the words of a result, `failed` is a result that says so of itself; `data` is what has no text, as it
    came."""

    type: str
    text: str = ""
    name: str | None = None
    id: str | None = None
    data: Any = None
    failed: bool = False


@dataclass(slots=True)
class Message:
    role: str
    parts: list[Part] = field(default_factory=list)


@dataclass(slots=True)
class Tool:
    """`schema` is that of the arguments; None for tools the provider brings along."""

    name: str
    description: str | None = None
    schema: Any = None


_TEXT = frozenset(["text", "input_text", "output_text", "summary_text", "reasoning_text", "refusal"])
_CALLS = frozenset(["tool_use", "server_tool_use", "mcp_tool_use"])
_MEDIA = {
    "image": ("image", "source"),
    "image_url": ("image", "image_url"),
    "input_image": ("image", "image_url"),
    "input_audio": ("audio", "input_audio"),
    "audio": ("audio", "audio"),
    "audio_url": ("audio", "audio_url"),
    "document": ("file", "source"),
    "file": ("file", "file"),
    "input_file": ("file", "file_data"),
    "video_url": ("file", "video_url"),
}


def parts_of(content: Any, depth: int = 0) -> list[Part]:
    """Parts of a message's content: a string, a part, or a list of either. Deeper than any real one it stays as it came."""
    if content is None or content == "":
        return []
    if isinstance(content, list) and depth <= _MAX_DEPTH:
        return [part for item in content for part in parts_of(item, depth + 1)]
    if isinstance(content, str):
        return [Part("text", sound(content))]
    if depth > _MAX_DEPTH:
        return [Part("other", data=content)]
    return [_part(content, depth)] if isinstance(content, dict) else [Part("other", data=content)]


def plain(content: Any, depth: int = 0) -> str:
    """All the words in a content; of values that are no content, the JSON."""
    words = []
    for part in parts_of(content, depth):
        if part.text:
            words.append(part.text)
        elif part.type == "other" and part.data is not None:
            words.append(as_json(part.data))
        elif part.type != "text":
            words.append(f"[{part.type}]")
    return "\n".join(words)


def _part(part: dict[str, Any], depth: int) -> Part:
    kind = part.get("type")
    if isinstance(kind, str):
        return _typed(kind, part, depth)
    for reader in (_gemini, _bedrock):
        if found := reader(part, depth):
            return found
    return Part("other", data=part)


def _typed(kind: str, part: dict[str, Any], depth: int) -> Part:
    if kind in _TEXT:
        return Part("text", sound(text(part.get("text") or part.get("refusal"))))
    if kind in ("thinking", "reasoning"):
        return Part(
            "thinking", plain(part.get("thinking") or part.get("text") or part.get("summary"), depth + 1)
        )
    if kind == "redacted_thinking":
        return Part("thinking", data=part.get("data"))
    if kind in _CALLS:
        return tool_call(part.get("id"), part.get("name"), part.get("input"))
    if kind.endswith("tool_result"):
        failed = part.get("is_error") is True
        return tool_result(part.get("tool_use_id"), part.get("content"), depth + 1, failed=failed)
    if kind in _MEDIA:
        type_, key = _MEDIA[kind]
        data = part.get(key)
        return Part(
            type_,
            name=name(part.get("filename")) or name(part.get("title")),
            data=part if data is None else data,
        )
    return Part("other", data=part)


def _gemini(part: dict[str, Any], depth: int) -> Part | None:
    call = part.get("functionCall", part.get("function_call"))
    if isinstance(call, dict):
        return tool_call(call.get("id"), call.get("name"), call.get("args"))
    result = part.get("functionResponse", part.get("function_response"))
    if isinstance(result, dict):
        found = tool_result(result.get("id"), result.get("response"), depth + 1)
        found.name = name(result.get("name"))
        return found
    if part.get("thought") is True and "text" in part:
        return Part("thinking", sound(text(part["text"])))
    data = part.get("inlineData", part.get("inline_data", part.get("fileData", part.get("file_data"))))
    if isinstance(data, dict):
        mime = text(data.get("mimeType") or data.get("mime_type"))
        kind = mime.partition("/")[0]
        return Part(kind if kind in ("image", "audio") else "file", data=data)
    if "executableCode" in part:
        return tool_call(None, "code_execution", obj(part["executableCode"]).get("code"))
    if "codeExecutionResult" in part:
        return tool_result(None, obj(part["codeExecutionResult"]).get("output"), depth + 1)
    return Part("text", sound(part["text"])) if isinstance(part.get("text"), str) else None


def _bedrock(part: dict[str, Any], depth: int) -> Part | None:
    call, result = part.get("toolUse"), part.get("toolResult")
    if isinstance(call, dict):
        return tool_call(call.get("toolUseId"), call.get("name"), call.get("input"))
    if isinstance(result, dict):
        content = [block.get("json", block) for block in objects(result.get("content"))]
        failed = result.get("status") == "error"
        return tool_result(result.get("toolUseId"), content, depth + 1, failed=failed)
    thinking = part.get("reasoningContent")
    if isinstance(thinking, dict):
        return Part("thinking", sound(text(obj(thinking.get("reasoningText")).get("text"))), data=thinking)
    for key, type_ in (("image", "image"), ("document", "file"), ("video", "file"), ("audio", "audio")):
        if isinstance(part.get(key), dict):
            return Part(type_, name=name(part[key].get("name")), data=part[key])
    return None


def tool_call(id_: Any, name_: Any, arguments: Any) -> Part:
    return Part("tool_call", sound(as_json({} if arguments is None else arguments)), name(name_), name(id_))


def tool_result(id_: Any, content: Any, depth: int = 0, *, failed: bool = False) -> Part:
    return Part("tool_result", plain(content, depth), id=name(id_), failed=failed)
