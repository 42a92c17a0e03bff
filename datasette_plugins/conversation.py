"""What was said in a call, as blocks for the page: who speaks, what kind of thing it is, its text.

A request of a coding agent can carry hundreds of messages and megabytes, so the page shows at most `BUDGET` characters, the
latest messages first, and cuts each text at `LONGEST`. The whole is always there as the raw body.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from datasette_plugins import units
from intelligence.wire.request import Message, Part, Request

LONGEST = 60_000
BUDGET = 1_500_000
FOLD_OVER = 1_600
PREVIEW = 500
OPEN_MESSAGES = 8

LABELS = {
    "text": "",
    "thinking": "reasoning",
    "tool_call": "tool call",
    "tool_result": "tool result",
    "image": "image",
    "audio": "audio",
    "file": "file",
}


@dataclass(frozen=True)
class Block:
    """`preview` is set where the text is long and starts folded. `missing` counts characters left out."""

    kind: str
    label: str
    name: str
    text: str
    preview: str = ""
    missing: int = 0
    folded: bool = False


@dataclass(frozen=True)
class Turn:
    role: str
    blocks: list[Block]


@dataclass(frozen=True)
class Conversation:
    """`earlier` are the turns that start folded, `left_out` counts those not shown at all."""

    system: list[Block] = field(default_factory=list)
    tools: list[Block] = field(default_factory=list)
    earlier: list[Turn] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    left_out: int = 0


def of_request(request: Request) -> Conversation:
    turns: list[Turn] = []
    spent = 0
    for message in reversed(request.messages):
        turn = _turn(message)
        spent += sum(len(b.text) for b in turn.blocks)
        if spent > BUDGET and turns:
            break
        turns.append(turn)
    turns.reverse()
    return Conversation(
        [of_part(part) for part in request.system],
        [block("tool", tool.name, _tool_text(tool.description, tool.schema)) for tool in request.tools],
        turns[:-OPEN_MESSAGES],
        turns[-OPEN_MESSAGES:],
        len(request.messages) - len(turns),
    )


def of_answer(
    text: str | None,
    reasoning: str | None,
    tools: Sequence[tuple[str, str]],
    server_tools: Sequence[tuple[str, str]],
) -> Turn:
    """Tools are names and arguments; `server_tools` are those the provider ran itself."""
    blocks = []
    if reasoning:
        blocks.append(block("thinking", "", reasoning, folded=True))
    if text:
        blocks.append(block("text", "", text))
    for kind, called in (("server_tool_call", server_tools), ("tool_call", tools)):
        blocks += [block(kind, name, pretty(arguments)) for name, arguments in called]
    return Turn("assistant", blocks)


def of_part(part: Part) -> Block:
    data: Any = part.data
    if part.type in ("image", "audio", "file") and not part.text:
        return block(part.type, part.name or "", _media(data))
    text = part.text or ("" if data is None else data if isinstance(data, str) else _json(data))
    if part.type == "tool_call":
        text = pretty(text)
    return block(part.type, part.name or "", text, folded=part.type == "thinking")


def block(kind: str, name: str, text: str, *, folded: bool = False) -> Block:
    shown = text[:LONGEST]
    long = len(shown) > FOLD_OVER or shown.count("\n") > 30
    label = LABELS.get(kind, kind.replace("_", " "))
    return Block(
        kind, label, name, shown, _first_lines(shown) if long else "", len(text) - len(shown), folded
    )


def pretty(text: str) -> str:
    """JSON indented; anything else as it is."""
    if not text.lstrip().startswith(("{", "[")) or len(text) > LONGEST:
        return text
    try:
        return _json(json.loads(text))
    except (ValueError, RecursionError):
        return text


def parameters(request: Request) -> list[tuple[str, str]]:
    """Names and values, as JSON without the quotes of plain strings."""
    return [
        (name, value if isinstance(value, str) else _short(_json(value, indent=None)))
        for name, value in request.parameters.items()
    ]


def _turn(message: Message) -> Turn:
    return Turn(message.role or "unknown role", [of_part(part) for part in message.parts])


def _tool_text(description: str | None, schema: Any) -> str:
    parts = [description or "", "" if schema is None else _json(schema)]
    return "\n\n".join(part for part in parts if part)


def _media(data: Any) -> str:
    """What can be said of an image or a file without showing it."""
    if isinstance(data, (str, bytes)):
        return units.size(len(data)) + (" of base64" if isinstance(data, str) else "")
    if isinstance(data, dict):
        return _json({key: _short(str(value), 200) for key, value in data.items()})
    return ""


def _first_lines(text: str) -> str:
    lines = text[:PREVIEW].split("\n")
    return "\n".join(lines[:8])


def _short(text: str, longest: int = 2000) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _json(value: Any, indent: int | None = 2) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=repr)
