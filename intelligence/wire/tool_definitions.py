"""The tools a request offers: where each definition stands, and the words a model reads in it.

A definition may stand alone, in a wrapper (`function`, `custom`, `toolSpec`), in a group (Gemini's `functionDeclarations`, Codex'
`namespace`), or among the input items of Responses.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from intelligence.wire.json_value import items, name, obj
from intelligence.wire.place import Said, Walk, step

_LISTS = ("tools", "functions")
_DECLARATIONS = ("functionDeclarations", "function_declarations")
_INNER = ("function", "custom", "toolSpec")
_NOT_WORDS = frozenset(
    [
        "type",
        "$schema",
        "$ref",
        "$id",
        "format",
        "required",
        "name",
        "cache_control",
        "strict",
        "syntax",
        "propertyOrdering",
    ]
)
_WRAPPERS = ("request", "generateContentRequest", "input", "session", "response", "converse")
_MAX_DEPTH = 40
_GROUPS_DEPTH = 8


class Definition(msgspec.Struct, frozen=True):
    """`pointer` is that of the whole element, as it can be removed. A tool that the provider brings along has no description."""

    pointer: str
    name: str
    description: str | None = None


class _Tool(NamedTuple):
    """`words` are what of it a model reads; `group` is one whose tools are told apart."""

    pointer: str
    name: str
    words: dict[str, Any]
    group: bool = False


def tools(value: Any) -> list[Definition]:
    """Of a decoded request body, in order."""
    return [
        Definition(tool.pointer, tool.name, name(_spec(tool.words).get("description")))
        for tool in _all(value, "", 0)
        if not tool.group
    ]


def definition_texts(walk: Walk, at: str, listed: Any) -> None:
    """The texts of a list of tools that stands at a pointer."""
    for tool in _listed(listed, at, 0):
        _words(walk, tool.pointer, tool.words, Said("system", "tool_definition", tool.name), 0)
    said = Said("system", "tool_definition")
    if not isinstance(listed, list):
        walk.data(at, listed, said)
    else:
        for n, item in enumerate(listed):
            if not isinstance(item, dict):
                walk.data(f"{at}/{n}", item, said, 1)


def _all(value: Any, at: str, depth: int) -> list[_Tool]:
    body = obj(value)
    found: list[_Tool] = []
    for key in _LISTS:
        found += _listed(body.get(key), f"{at}/{key}", 0)
    found += _listed(obj(body.get("toolConfig")).get("tools"), f"{at}/toolConfig/tools", 0)
    for n, item in enumerate(items(body.get("input"))):
        if isinstance(item, dict) and item.get("type") == "additional_tools":
            found += _listed(item.get("tools"), f"{at}/input/{n}/tools", 0)
    if depth < 2:
        for key in _WRAPPERS:
            if isinstance(body.get(key), dict):
                found += _all(body[key], f"{at}/{key}", depth + 1)
    return found


def _listed(listed: Any, at: str, depth: int) -> list[_Tool]:
    """Each definition; groups are opened."""
    found: list[_Tool] = []
    for n, tool in enumerate(items(listed)):
        if not isinstance(tool, dict):
            continue
        here = f"{at}/{n}"
        groups = [key for key in _DECLARATIONS if isinstance(tool.get(key), list)]
        if tool.get("type") == "namespace" and isinstance(tool.get("tools"), list):
            groups = ["tools"]
        if not groups or depth >= _GROUPS_DEPTH:
            found.append(_Tool(here, _name(tool), tool))
            continue
        for key in groups:
            found += _listed(tool[key], f"{here}/{key}", depth + 1)
        beside = {key: inner for key, inner in tool.items() if key not in groups}
        if groups == ["tools"]:
            found.append(_Tool(here, _name(tool), beside, group=True))
        else:  # Gemini's other tools, each under its own key
            found += [_Tool(f"{here}/{step(key)}", key, obj(inner)) for key, inner in beside.items()]
    return found


def _spec(tool: dict[str, Any]) -> dict[str, Any]:
    return next((tool[key] for key in _INNER if isinstance(tool.get(key), dict)), tool)


def _name(tool: dict[str, Any]) -> str:
    return name(_spec(tool).get("name")) or name(tool.get("type")) or next(iter(tool), "")


def _words(walk: Walk, at: str, value: Any, said: Said, depth: int) -> None:
    """Descriptions, and whatever else a schema says in words: they are read by the model, so they can mislead it."""
    if isinstance(value, str):
        walk.add(at, value, said)
    elif depth > _MAX_DEPTH:
        walk.data(at, value, said, depth)
    elif isinstance(value, dict):
        for key, inner in value.items():
            # A parameter may be called `name` or `type`; then it is an object.
            if key not in _NOT_WORDS or isinstance(inner, dict):
                _words(walk, f"{at}/{step(key)}", inner, said, depth + 1)
    elif isinstance(value, list):
        for n, inner in enumerate(value):
            _words(walk, f"{at}/{n}", inner, said, depth + 1)
