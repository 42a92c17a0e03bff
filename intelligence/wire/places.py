"""Every text a rule may look at in a request or an answer: what it says, who says it, where it came from, and where it stands.

The members that hold a conversation have names that do not collide between formats, so one reader serves all of them, and a
host nobody knows too. A member that no format has is read as well, as said by the user: what leaves the house leaves by any
field. Left out are marks (types, ids, models), numbers, keys of objects, and files (base64).

No value raises, and time is linear in its size. `wire.guards` says which places nobody may edit.
"""

from __future__ import annotations

from typing import Any

from intelligence.wire.guards import guard
from intelligence.wire.json_value import name, obj
from intelligence.wire.place import ASSISTANT, RESULT, SYSTEM, USER, Place, Said, Walk, step
from intelligence.wire.place_parts import call, content, part, result, texts_of, thinking
from intelligence.wire.tool_definitions import definition_texts, tools

__all__ = ["Place", "answer_places", "places", "tools"]

_ROLES = {
    "system": SYSTEM,
    "developer": SYSTEM,
    "assistant": ASSISTANT,
    "model": ASSISTANT,
    "chatbot": ASSISTANT,
    "tool": RESULT,
    "function": RESULT,
    "ipython": RESULT,
}
_SYSTEM = ("system", "instructions", "systemInstruction", "system_instruction", "preamble", "system_prompt")
_TURNS = ("messages", "chat_history", "contents")
_SAID = (
    "message",
    "prompt",
    "suffix",
    "query",
    "inputs",
    "texts",
    "content",
    "inputText",
    "input_text",
    "prediction",
)
_THOUGHTS = frozenset(
    ["reasoning_content", "reasoning", "thinking", "tool_plan", "reasoning_details", "thinking_blocks"]
)
WRAPPERS = ("request", "generateContentRequest", "input", "session", "response", "converse")
# One of these makes an object in a wrapper a request of its own.
HOLD = (*_SYSTEM, *_TURNS, *_SAID, "tools", "input", "converse")
TURNS = (*_TURNS, "input")
# What is read before wrappers, in this order, and behind them; all other members follow.
BEFORE = (*_SYSTEM, *_TURNS)
BEHIND = ("input", *_SAID, "documents", "tool_results", "tools", "functions", "toolConfig")
_RETRIEVED = frozenset(["chat", "responses", "generate_content", "unknown", None])
MAX_WRAPPERS = 3
# How to answer, not what is said.
_CONTROLS = frozenset(
    """model models stream stream_options tool_choice toolChoice tool_config toolConfig service_tier store include reasoning
    reasoning_effort truncation modalities keep_alive options thinking anthropic_version anthropic_beta betas encoding_format
    previous_response_id conversation input_type embedding_types provider transforms route generationConfig
    inferenceConfig safetySettings safety_settings project userPromptId voice output_config context_management
    taskType prompt_cache_key prompt_cache_retention""".split()
)


def places(format: str | None, operation: str | None, path: str, value: Any) -> list[Place]:
    """Of a decoded JSON request body, in the order in which a model reads it: system prompt, conversation, tool definitions, the
    rest. `format`, `operation` and `path` are those of `read_request`."""
    walk = Walk()
    if isinstance(value, dict):
        request(walk, "", value, documents_of(format, operation), 0)
    else:
        content(walk, "", value, USER)
    return walk.places


def documents_of(format: str | None, operation: str | None) -> Said:
    """A rerank orders documents of the user's own; in a conversation they were fetched from somewhere."""
    return RESULT if operation in _RETRIEVED and format != "rerank" else USER


def request(walk: Walk, at: str, body: dict[str, Any], documents: Said, depth: int) -> None:
    """A body, what a wrapper holds, or one member of either: no member of a request depends on another."""
    done = set(texts_of(walk, at, body, _SYSTEM, SYSTEM))
    for key in _TURNS:
        if key in body:
            done.add(key)
            _turns(walk, f"{at}/{key}", body[key])
    for key in WRAPPERS:
        inner = body.get(key)
        if isinstance(inner, dict) and depth < MAX_WRAPPERS and any(k in inner for k in HOLD):
            done.add(key)
            request(walk, f"{at}/{key}", inner, documents, depth + 1)
    if "input" in body and "input" not in done:
        done.add("input")
        _turns(walk, f"{at}/input", body["input"])
    done |= texts_of(walk, at, body, _SAID, USER)
    done |= texts_of(walk, at, body, ("documents",), documents)
    if isinstance(body.get("tool_results"), list):
        done.add("tool_results")
        _cohere_results(walk, f"{at}/tool_results", body["tool_results"])
    for key in ("tools", "functions"):
        if key in body:
            done.add(key)
            definition_texts(walk, f"{at}/{key}", body[key])
    if isinstance(held := obj(body.get("toolConfig")).get("tools"), list):
        done.add("toolConfig")
        definition_texts(walk, f"{at}/toolConfig/tools", held)
    walk.rest(at, body, USER, 0, frozenset(done), _CONTROLS)


def _turns(walk: Walk, at: str, turns: Any) -> None:
    if not isinstance(turns, list):
        turns, one = [turns], True
    else:
        one = False
    for n, value in enumerate(turns):
        turn(walk, at if one else f"{at}/{n}", value)


def turn(walk: Walk, at: str, value: Any) -> None:
    """An item of a conversation, by itself."""
    if isinstance(value, dict):
        _turn(walk, at, value, USER)
    else:
        content(walk, at, value, USER)


def _turn(walk: Walk, at: str, turn: dict[str, Any], otherwise: Said) -> None:
    """A message, or an item of Responses. `otherwise` says it when it does not tell."""
    kind, role = turn.get("type"), turn.get("role")
    if isinstance(kind, str) and kind not in ("message", "agent_message") and not isinstance(role, str):
        _item(walk, at, turn, kind, otherwise)
        return
    said = _ROLES.get(role.lower(), USER) if isinstance(role, str) else otherwise
    said = said.but(guard(turn))
    done: set[str] = set()
    if not _THOUGHTS.isdisjoint(turn):
        done |= texts_of(walk, at, turn, tuple(key for key in turn if key in _THOUGHTS), thinking(said))
    if said.role == "tool" and "tool_results" not in turn:
        result(walk, at, turn, said)
        return
    done |= texts_of(walk, at, turn, ("content", "parts", "message", "refusal"), said)
    for key in ("tool_calls", "function_call"):
        if key in turn:
            done.add(key)
            _calls(walk, f"{at}/{key}", turn[key], said)
    if isinstance(turn.get("tool_results"), list):
        done.add("tool_results")
        _cohere_results(walk, f"{at}/tool_results", turn["tool_results"])
    walk.rest(at, turn, said, 1, frozenset(done))


def _item(walk: Walk, at: str, item: dict[str, Any], kind: str, otherwise: Said) -> None:
    if kind in ("additional_tools", "mcp_list_tools"):
        definition_texts(walk, f"{at}/tools", item.get("tools"))
        walk.rest(at, item, SYSTEM.but(guard(item)), 1, frozenset(["tools"]))
    else:
        part(walk, at, item, otherwise)


def _calls(walk: Walk, at: str, calls: Any, said: Said) -> None:
    """OpenAI's list of calls, one call of the old kind, and Cohere's flat ones."""
    several = isinstance(calls, list)
    for n, one in enumerate(calls if several else [calls]):
        here = f"{at}/{n}" if several else at
        if not isinstance(one, dict):
            content(walk, here, one, said)
            continue
        inner_key = next((key for key in ("function", "custom") if isinstance(one.get(key), dict)), None)
        guarded = said.but(guard(one))
        if inner_key is None:
            call(walk, here, one, guarded)
            continue
        inner = one[inner_key]
        id_, tool = name(one.get("id")), name(inner.get("name"))
        if id_ and tool:
            walk.names[id_] = tool
        asked = Said("assistant", "tool_call", tool, id_, guarded.guarded)
        for key in ("arguments", "input"):
            if key in inner:
                walk.data(f"{here}/{inner_key}/{key}", inner[key], asked)
        walk.rest(f"{here}/{inner_key}", inner, asked, 2, frozenset(["arguments", "input"]))
        walk.rest(here, one, asked, 2, frozenset([inner_key]))


def _cohere_results(walk: Walk, at: str, results: list[Any]) -> None:
    for n, one in enumerate(results):
        asked = obj(obj(one).get("call"))
        tool = name(asked.get("name"))
        walk.data(f"{at}/{n}/call/parameters", asked.get("parameters"), Said("assistant", "tool_call", tool))
        if isinstance(one, dict):
            told = Said("tool", "tool_result", tool)
            walk.data(f"{at}/{n}/outputs", one.get("outputs"), told)
            walk.rest(f"{at}/{n}", one, told, 1, frozenset(["call", "outputs"]))


# Answers

_ANSWER_TEXTS = (
    "content",
    "text",
    "completion",
    "generation",
    "outputText",
    "generated_text",
    "refusal",
    "response",
)
_ANSWER_LISTS = ("choices", "candidates", "output", "outputs", "results", "generations")
_ANSWER_WRAPPERS = ("message", "output", "response", "result", "content", "delta")
_ANSWER_DEPTH = 12


def answer_places(format: str | None, operation: str | None, path: str, value: Any) -> list[Place]:
    """Of a decoded whole answer: what the model says, thinks and calls for. Of an error, and of a shape nobody knows,
    every string. The arguments are those of `places`, of the request."""
    walk = Walk()
    _answer(walk, "", value, 0)
    if not walk.places and isinstance(value, dict):
        walk.rest("", value, ASSISTANT, 0)
    return walk.places


def _answer(walk: Walk, at: str, value: Any, depth: int) -> None:
    if isinstance(value, list) and depth < _ANSWER_DEPTH:  # a stream held whole, or an answer for each input
        for n, one in enumerate(value):
            _answer(walk, f"{at}/{n}", one, depth + 1)
    elif not isinstance(value, dict) or depth >= _ANSWER_DEPTH:
        content(walk, at, value, ASSISTANT)
    elif "parts" in value or (isinstance(value.get("type"), str) and value["type"] != "message"):
        _turn(walk, at, value, ASSISTANT)
    else:
        _members(walk, at, value, depth)


def _members(walk: Walk, at: str, value: dict[str, Any], depth: int) -> None:
    for key, inner in value.items():
        here = f"{at}/{step(key)}"
        if (key in _ANSWER_LISTS and isinstance(inner, list)) or (
            key in _ANSWER_WRAPPERS and isinstance(inner, dict)
        ):
            _answer(walk, here, inner, depth + 1)
        elif key in _THOUGHTS and not (key == "reasoning" and isinstance(inner, dict)):
            content(walk, here, inner, thinking(ASSISTANT), 1)
        elif key in _ANSWER_TEXTS and not (key == "text" and isinstance(inner, dict)):
            content(walk, here, inner, ASSISTANT, 1)
        elif key in ("tool_calls", "function_call"):
            _calls(walk, here, inner, ASSISTANT)
