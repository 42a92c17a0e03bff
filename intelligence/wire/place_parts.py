"""The texts in a part of a message, whatever provider's words it is in.

A part is known by its `type` (OpenAI, Anthropic, Cohere) or by the one key it has (Gemini, Bedrock); the names do not collide, so
one reader serves all. Of a part that nobody knows every string counts as said by whoever says the message.
"""

from __future__ import annotations

from typing import Any

from intelligence.wire.guards import guard
from intelligence.wire.json_value import name, obj
from intelligence.wire.place import MAX_DEPTH, RESULT, Said, Walk, step

_THINKING = frozenset(["thinking", "reasoning", "redacted_thinking", "reasoning.text", "reasoning.summary"])
_PLAIN = (None, "text", "input_text", "output_text")
_CALLS = frozenset(["tool_use", "server_tool_use", "mcp_tool_use"])
_ARGUMENTS = ("arguments", "input", "action", "operation", "queries", "code", "args", "parameters")
_RESULTS = ("output", "outputs", "results", "result", "content", "error")
# Gemini and Bedrock: the key of the part, and that of the words in it.
_KEYED_CALLS = {"functionCall": "args", "function_call": "args", "toolUse": "input", "executableCode": "code"}
_KEYED_RESULTS = {
    "functionResponse": "response",
    "function_response": "response",
    "toolResult": "content",
    "codeExecutionResult": "output",
}
_SEEN = frozenset([*_ARGUMENTS, *_RESULTS, "caller"])


def content(walk: Walk, at: str, value: Any, said: Said, depth: int = 0) -> None:
    """Of a message: a string, a part, or a list of either."""
    if isinstance(value, str):
        walk.add(at, value, said)
    elif isinstance(value, list) and depth <= MAX_DEPTH:
        for n, item in enumerate(value):
            if item.__class__ is not int and item.__class__ is not float:
                content(walk, f"{at}/{n}", item, said, depth + 1)
    elif isinstance(value, dict) and depth <= MAX_DEPTH:
        part(walk, at, value, said, depth)
    else:
        walk.data(at, value, said, depth)


def part(walk: Walk, at: str, value: dict[str, Any], said: Said, depth: int = 0) -> None:
    kind = value.get("type")
    if len(value) == (1 if kind is None else 2) and kind in _PLAIN and isinstance(value.get("text"), str):
        walk.add(f"{at}/text", value["text"], said)  # as nearly all parts are
        return
    said = said.but(guard(value))
    if not isinstance(kind, str):
        _keyed(walk, at, value, said, depth)
    elif kind in _THINKING:
        walk.rest(at, value, thinking(said), depth)
    elif kind in _CALLS or kind.endswith("_call"):
        call(walk, at, value, said, depth)
    elif kind.endswith(("tool_result", "_output")):
        result(walk, at, value, said, depth)
    else:
        walk.rest(at, value, said, depth)


def thinking(said: Said) -> Said:
    return Said("assistant", "thinking", guarded=said.guarded)


def call(walk: Walk, at: str, value: dict[str, Any], said: Said, depth: int = 0) -> None:
    """A part or item that is a tool call; what a provider's tool answered stands in it too."""
    id_ = name(value.get("call_id")) or name(value.get("id")) or name(value.get("tool_use_id"))
    tool = name(value.get("name")) or name(value.get("type"))
    if id_ and tool:
        walk.names[id_] = tool
    asked = Said("assistant", "tool_call", tool, id_, said.guarded)
    for key in _ARGUMENTS:
        if key in value:
            walk.data(f"{at}/{key}", value[key], asked, depth + 1)
    for key in _RESULTS:
        if key in value:
            content(
                walk,
                f"{at}/{key}",
                value[key],
                Said("tool", "tool_result", tool, id_, said.guarded),
                depth + 1,
            )
    walk.rest(at, value, asked, depth, _SEEN)


def result(walk: Walk, at: str, value: dict[str, Any], said: Said, depth: int = 0) -> None:
    id_ = name(value.get("tool_use_id")) or name(value.get("call_id")) or name(value.get("tool_call_id"))
    tool = name(value.get("name")) or name(value.get("tool_name")) or walk.names.get(id_ or "")
    told = Said("tool", "tool_result", tool, id_, said.guarded)
    for key in _RESULTS:
        if key in value:
            content(walk, f"{at}/{key}", value[key], told, depth + 1)
    walk.rest(at, value, told, depth, frozenset(_RESULTS))


def _keyed(walk: Walk, at: str, value: dict[str, Any], said: Said, depth: int) -> None:
    """Parts of Gemini and Bedrock."""
    if value.get("thought") is True or "reasoningContent" in value:
        said = thinking(said)
    done = set()
    for key, words in _KEYED_CALLS.items():
        inner = value.get(key)
        if isinstance(inner, dict):
            done.add(key)
            _keyed_call(walk, f"{at}/{key}", inner, words, said, depth + 1)
    for key, words in _KEYED_RESULTS.items():
        inner = value.get(key)
        if isinstance(inner, dict):
            done.add(key)
            _keyed_result(walk, f"{at}/{key}", inner, words, said, depth + 1)
    thought = value.get("reasoningContent")
    if isinstance(thought, dict):
        done.add("reasoningContent")
        inside = said.but(guard(thought)).but(guard(obj(thought.get("reasoningText"))))
        walk.rest(f"{at}/reasoningContent", thought, inside, depth + 1)
    walk.rest(at, value, said, depth, frozenset(done))


def _keyed_call(walk: Walk, at: str, value: dict[str, Any], words: str, said: Said, depth: int) -> None:
    id_ = name(value.get("id")) or name(value.get("toolUseId"))
    tool = name(value.get("name")) or ("code_execution" if words == "code" else None)
    if id_ and tool:
        walk.names[id_] = tool
    asked = Said("assistant", "tool_call", tool, id_, said.but(guard(value)).guarded)
    walk.data(f"{at}/{words}", value.get(words), asked, depth)
    walk.rest(at, value, asked, depth, frozenset([words]))


def _keyed_result(walk: Walk, at: str, value: dict[str, Any], words: str, said: Said, depth: int) -> None:
    id_ = name(value.get("id")) or name(value.get("toolUseId"))
    tool = name(value.get("name")) or walk.names.get(id_ or "")
    told = Said(RESULT.role, RESULT.source, tool, id_, said.but(guard(value)).guarded)
    inner = value.get(words)
    if isinstance(inner, list) and words == "content":  # Bedrock: text, json, image or document
        for n, block in enumerate(inner):
            here = f"{at}/{words}/{n}"
            if isinstance(block, dict) and "json" in block:
                walk.data(f"{here}/json", block["json"], told, depth)
                walk.rest(here, block, told, depth, frozenset(["json"]))
            else:
                content(walk, here, block, told, depth)
    else:
        walk.data(f"{at}/{words}", inner, told, depth)
    walk.rest(at, value, told, depth, frozenset([words]))


def texts_of(walk: Walk, at: str, value: dict[str, Any], keys: tuple[str, ...], said: Said) -> frozenset[str]:
    """The contents of those members that are there, and their names."""
    present = frozenset(key for key in keys if key in value)
    for key in keys:
        if key in present:
            content(walk, f"{at}/{step(key)}", value[key], said, 1)
    return present
