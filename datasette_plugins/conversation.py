"""What was said in a call, as blocks for the page: who speaks, what kind of thing it is, its text.

The result of a tool stands with the call it answers, whoever sent it; a message of nothing but such results is not shown again.
Words are read as Markdown unless they are asked for as written.

A request of a coding agent can carry hundreds of messages and megabytes, so the page shows at most `BUDGET` characters, the
latest messages first, and cuts each text at `LONGEST`. The whole is always there as the raw body.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from markupsafe import Markup

from datasette_plugins import markdown, units
from datasette_plugins.markdown import Budget
from datasette_plugins.mask import NOTHING_HIDDEN, Mask
from datasette_plugins.pictures import picture
from intelligence.wire.request import Part, Request

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
    """`preview` is set where the text is long and starts folded. `missing` counts characters left out. `html` is the text as it
    is to be read, `picture` the address of an image, `results` are those of a tool call."""

    kind: str
    label: str
    name: str
    text: str
    preview: str = ""
    missing: int = 0
    folded: bool = False
    html: Markup | None = None
    picture: str | None = None
    results: list[Block] = field(default_factory=list)


@dataclass(frozen=True)
class Turn:
    """`new`: the request before this one of its conversation did not hold it."""

    role: str
    blocks: list[Block]
    new: bool = False


class Reader:
    """Turns parts into blocks, within the budget of one page. `as_written` leaves words as they are, `pictures` is how many
    characters of images may be shown, `mask` what of all text must not be."""

    def __init__(
        self,
        *,
        as_written: bool = False,
        budget: Budget | None = None,
        pictures: int = 8_000_000,
        mask: Mask = NOTHING_HIDDEN,
    ) -> None:
        self.mask = mask
        self._budget = None if as_written else budget or Budget()
        self._pictures = pictures

    def words(self, text: str) -> Markup | None:
        return None if self._budget is None else markdown.render(text, self._budget)

    def json(self, text: str) -> Markup | None:
        """Coloured, if it is JSON."""
        if self._budget is None or not text.startswith(("{", "[")):
            return None
        return markdown.code(text, "json", self._budget)

    def picture(self, data: Any) -> str | None:
        shown = picture(data)
        if shown is None or len(shown) > self._pictures:
            return None
        self._pictures -= len(shown)
        return shown


@dataclass(frozen=True)
class Conversation:
    """`earlier` are the turns that start folded, `left_out` counts those not shown at all."""

    system: list[Block] = field(default_factory=list)
    tools: list[Block] = field(default_factory=list)
    earlier: list[Turn] = field(default_factory=list)
    turns: list[Turn] = field(default_factory=list)
    left_out: int = 0


def of_request(request: Request, reader: Reader, new_from: int | None = None) -> Conversation:
    """`new_from`: the first message that the request before did not hold, if there was one."""
    results = _results(request)
    turns: list[Turn] = []
    spent = 0
    shown = len(request.messages)
    for at in range(len(request.messages) - 1, -1, -1):
        message = request.messages[at]
        blocks = [
            _with_results(part, results, reader) for part in message.parts if not _placed(part, results)
        ]
        spent += sum(len(b.text) + sum(len(r.text) for r in b.results) for b in blocks)
        if spent > BUDGET and turns:
            break
        shown = at
        if blocks or not message.parts:
            turns.append(
                Turn(message.role or "unknown role", blocks, new_from is not None and at >= new_from)
            )
    turns.reverse()
    return Conversation(
        [of_part(part, reader) for part in request.system],
        [
            block("tool", tool.name, reader.mask.text(_tool_text(tool.description, tool.schema)))
            for tool in request.tools
        ],
        turns[:-OPEN_MESSAGES],
        turns[-OPEN_MESSAGES:],
        shown,
    )


def _results(request: Request) -> dict[str, list[Part]]:
    """Results by the id of their call, of calls that are in the request before them."""
    found: dict[str, list[Part]] = {}
    for message in request.messages:
        for part in message.parts:
            if part.type == "tool_call" and part.id:
                found.setdefault(part.id, [])
            elif part.type == "tool_result" and part.id in found:
                found[part.id].append(part)
    return found


def _placed(part: Part, results: dict[str, list[Part]]) -> bool:
    return part.type == "tool_result" and any(part is placed for placed in results.get(part.id or "", ()))


def _with_results(part: Part, results: dict[str, list[Part]], reader: Reader) -> Block:
    shown = of_part(part, reader)
    answers = results.get(part.id or "", []) if part.type == "tool_call" else []
    return replace(shown, results=[of_part(answer, reader) for answer in answers]) if answers else shown


def of_answer(
    text: str | None,
    reasoning: str | None,
    tools: Sequence[tuple[str, str]],
    server_tools: Sequence[tuple[str, str]],
    reader: Reader,
) -> Turn:
    """Tools are names and arguments; `server_tools` are those the provider ran itself."""
    blocks = []
    if reasoning:
        shown = reader.mask.text(reasoning)
        blocks.append(block("thinking", "", shown, folded=True, html=reader.words(shown)))
    if text:
        shown = reader.mask.text(text)
        blocks.append(block("text", "", shown, html=reader.words(shown)))
    for kind, called in (("server_tool_call", server_tools), ("tool_call", tools)):
        for name, arguments in called:
            shown = pretty(reader.mask.text(arguments))
            blocks.append(block(kind, name, shown, html=reader.json(shown)))
    return Turn("assistant", blocks)


def of_part(part: Part, reader: Reader) -> Block:
    data: Any = part.data
    if part.type in ("image", "audio", "file") and not part.text:
        shown = reader.picture(data) if part.type == "image" else None
        return block(part.type, part.name or "", "" if shown else _media(data, reader.mask), picture=shown)
    text = reader.mask.text(
        part.text or ("" if data is None else data if isinstance(data, str) else _json(data))
    )
    if part.type in ("tool_call", "tool_result", "other"):
        text = pretty(text)
        html = reader.json(text)
    else:
        html = reader.words(text)
    return block(part.type, part.name or "", text, folded=part.type == "thinking", html=html)


def block(
    kind: str,
    name: str,
    text: str,
    *,
    folded: bool = False,
    html: Markup | None = None,
    picture: str | None = None,
) -> Block:
    shown = text[:LONGEST]
    long = len(shown) > FOLD_OVER or shown.count("\n") > 30
    label = LABELS.get(kind, kind.replace("_", " "))
    preview = _first_lines(shown) if long else ""
    return Block(kind, label, name, shown, preview, len(text) - len(shown), folded, html, picture)


def pretty(text: str) -> str:
    """JSON indented; anything else as it is."""
    if not text.lstrip().startswith(("{", "[")) or len(text) > LONGEST:
        return text
    try:
        return _json(json.loads(text))
    except (ValueError, RecursionError):
        return text


def parameters(request: Request, mask: Mask = NOTHING_HIDDEN) -> list[tuple[str, str]]:
    """Names and values, as JSON without the quotes of plain strings."""
    return [
        (
            name,
            mask.text(value) if isinstance(value, str) else _short(mask.text(_json(value, indent=None))),
        )
        for name, value in request.parameters.items()
    ]


def _tool_text(description: str | None, schema: Any) -> str:
    parts = [description or "", "" if schema is None else _json(schema)]
    return "\n\n".join(part for part in parts if part)


def _media(data: Any, mask: Mask) -> str:
    """What can be said of an image or a file without showing it."""
    if isinstance(data, (str, bytes)):
        return units.size(len(data)) + (" of base64" if isinstance(data, str) else "")
    if isinstance(data, dict):
        return _json({key: _short(mask.text(str(value)), 200) for key, value in data.items()})
    return ""


def _first_lines(text: str) -> str:
    lines = text[:PREVIEW].split("\n")
    return "\n".join(lines[:8])


def _short(text: str, longest: int = 2000) -> str:
    return text if len(text) <= longest else f"{text[:longest]}…"


def _json(value: Any, indent: int | None = 2) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, default=repr)
