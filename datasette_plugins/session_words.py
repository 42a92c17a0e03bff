"""What was said in some turns of a session, as blocks for its page: what each request added, and what was answered.

The result of a tool stands with its call, in the turn that called it, with the time that went by between them; the turn that
brought it only counts it. A page shows at most `BUDGET` characters, and of each text a part (`LONGEST`); the whole is on the
page of the call.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from datasette_plugins import conversation, units
from datasette_plugins.conversation import Block, Reader
from datasette_plugins.markdown import Budget
from datasette_plugins.mask import NOTHING_HIDDEN, Mask
from datasette_plugins.session_record import Turn
from intelligence.store.added import Added, added
from intelligence.wire.json_value import decode
from intelligence.wire.parts import Part

LONGEST = {"text": 6_000, "thinking": 3_000, "tool_call": 3_000, "tool_result": 2_000}
BUDGET = 240_000
# What is still shown of a text when the budget is spent.
SHORTEST = 160
# Turns that go on from the same one, in which the results of its calls are looked for.
MOST_CHILDREN = 8
SHORT_ARGUMENTS = 200
MOST_LINES = 5
MARKDOWN = Budget(characters=60_000, seconds=0.06)

ANSWER = """
    select text, reasoning, tool_calls, server_tool_calls, error_type, error_message, status_code from responses
    where request = :seq"""


@dataclass(frozen=True, slots=True)
class Answer:
    text: str
    reasoning: str
    tool_calls: list[dict[str, Any]]
    server_tool_calls: list[dict[str, Any]]
    error_type: str | None
    error_message: str | None
    status_code: int | None


@dataclass(frozen=True, slots=True)
class Result:
    """What a tool gave: `after_ms` from the end of the answer that called it to the request that brought it."""

    part: Part
    number: int
    after_ms: float | None


@dataclass(frozen=True, slots=True)
class Words:
    """Of one turn. `results` counts those it brought that stand with their calls; `more`: the request added more than is
    shown."""

    asked: list[Block] = field(default_factory=list)
    results: int = 0
    more: bool = False
    answer: list[Block] = field(default_factory=list)
    error: tuple[str | None, str | None] | None = None


def answer(db: sqlite3.Connection, turn: Turn) -> Answer | None:
    """`None` where nothing has been stored of it yet."""
    row = db.execute(ANSWER, {"seq": turn.seq}).fetchone()
    if row is None:
        return None
    return Answer(
        row["text"] or "",
        row["reasoning"] or "",
        _calls(row["tool_calls"]),
        _calls(row["server_tool_calls"]),
        row["error_type"],
        row["error_message"],
        row["status_code"],
    )


def _calls(raw: str | None) -> list[dict[str, Any]]:
    return [call for call in json.loads(raw or "[]") if isinstance(call, dict)]


def results(
    turn: Turn, calls: Sequence[dict[str, Any]], children: Iterable[tuple[Turn, Added]]
) -> list[Result | None]:
    """For each call of a turn the result that a later turn brought, if one did. `children`: the turns that go on from it. A call
    without an id (Gemini, Ollama) gets the first result under its name."""
    found: list[Result | None] = [None] * len(calls)
    for child, brought in children:
        after = None if turn.ended_at is None else max(child.started_at - turn.ended_at, 0)
        for message in brought.messages:
            for part in message.parts:
                at = _call_of(part, calls, found) if part.type == "tool_result" else None
                if at is not None:
                    found[at] = Result(part, child.number, after)
    return found


def _call_of(part: Part, calls: Sequence[dict[str, Any]], found: Sequence[Result | None]) -> int | None:
    for at, call in enumerate(calls):
        if found[at] is not None:
            continue
        if part.id and call.get("id"):
            if part.id == call["id"]:
                return at
        elif part.name is None or part.name == call.get("name"):
            return at
    return None


def children_of(turns: Sequence[Turn]) -> dict[int, list[Turn]]:
    """By the seq of a turn, those that go on from it."""
    found: dict[int, list[Turn]] = {}
    for turn in turns:
        if turn.parent is not None:
            found.setdefault(turn.parent, []).append(turn)
    return found


@dataclass(frozen=True, slots=True)
class Said:
    """What the database holds of one turn; `results` are those of the calls of its answer, in their order."""

    turn: Turn
    added: Added
    answer: Answer | None
    results: list[Result | None]


def read(db: sqlite3.Connection, turns: Sequence[Turn], shown: Sequence[Turn]) -> list[Said]:
    """`shown`: the turns of the page, among all `turns` of the session."""
    children = children_of(turns)
    brought: dict[int, Added] = {}

    def added_by(turn: Turn) -> Added:
        if turn.seq not in brought:
            brought[turn.seq] = added(db, turn.seq)
        return brought[turn.seq]

    said = []
    for turn in shown:
        found = answer(db, turn)
        calls = found.tool_calls if found else []
        nexts = children.get(turn.seq, [])[:MOST_CHILDREN] if calls else []
        said.append(
            Said(
                turn,
                added_by(turn),
                found,
                results(turn, calls, [(child, added_by(child)) for child in nexts]),
            )
        )
    return said


def blocks(said: Sequence[Said], mask: Mask = NOTHING_HIDDEN) -> list[Words]:
    """Of each turn what is to be shown. Takes some time: not for the event loop."""
    reader = Reader(budget=replace(MARKDOWN), pictures=0, mask=mask)
    with_calls = {id(result.part) for one in said for result in one.results if result}
    page = _Page(reader)
    return [page.turn(one, with_calls) for one in said]


class _Page:
    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._left = BUDGET

    def turn(self, said: Said, with_calls: set[int]) -> Words:
        asked: list[Block] = []
        placed = 0
        for message in said.added.messages:
            for part in message.parts:
                if id(part) in with_calls:
                    placed += 1
                else:
                    asked.append(self._part(part, message.role))
        found = said.answer
        error = (
            (found.error_type, found.error_message and self._reader.mask.text(found.error_message))
            if found and (found.error_type or found.error_message)
            else None
        )
        return Words(asked, placed, said.added.more, self._answer(said) if found else [], error)

    def _answer(self, said: Said) -> list[Block]:
        found = said.answer
        assert found is not None
        made: list[Block] = []
        if found.reasoning:
            made.append(self._part(Part("thinking", found.reasoning)))
        if found.text:
            made.append(self._part(Part("text", found.text)))
        for call in found.server_tool_calls:
            ran = self._part(_called(call))
            made.append(replace(ran, kind="server_tool_call", label="server tool call"))
        for call, result in zip(found.tool_calls, said.results, strict=True):
            ran = self._part(_called(call))
            made.append(replace(ran, results=[self._result(result)]) if result else ran)
        return made

    def _result(self, result: Result) -> Block:
        shown = self._part(replace(result.part, name=None))
        took = "" if result.after_ms is None else f" after {units.duration(result.after_ms)}"
        return replace(shown, label=f"{'failed' if result.part.failed else 'result'}{took}", folded=True)

    def _part(self, part: Part, role: str = "") -> Block:
        most = LONGEST.get(part.type, 2_000)
        most = min(most, max(self._left, SHORTEST))
        text = self._reader.mask.text(part.text)  # before any of it is cut off
        missing = max(len(text) - most, 0)
        self._left -= min(len(text), most)
        made = conversation.of_part(replace(part, text=text[:most]), self._reader)
        if part.type == "text" and role not in ("", "user"):
            made = replace(made, label=role)
        return replace(made, missing=made.missing + missing, folded=made.folded or part.type == "tool_result")


def _called(call: dict[str, Any]) -> Part:
    return Part(
        "tool_call", _plain(str(call.get("arguments") or "")), name=str(call.get("name") or "") or None
    )


def _plain(arguments: str) -> str:
    """A line for each, where they are few and short; else as they came."""
    if len(arguments) > 2 * SHORT_ARGUMENTS:
        return arguments
    value = decode(arguments.encode("utf-8", "replace"))
    if not isinstance(value, dict) or not 0 < len(value) <= MOST_LINES:
        return arguments
    lines = [
        f"{name}: {one if isinstance(one, str) else json.dumps(one)}"
        for name, one in value.items()
        if isinstance(one, (str, int, float, bool))
    ]
    plain = len(lines) == len(value) and all(
        len(line) <= SHORT_ARGUMENTS and "\n" not in line for line in lines
    )
    return "\n".join(lines) if plain else arguments
