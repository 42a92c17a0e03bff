"""What the tools of a session did: how often each was called, what came of it, and what the calls were about.

Files, commands, searches and addresses are told from the arguments of calls by the names that the common agents give them, and
from the headings of patches; a tool that calls them otherwise is counted, no more. Time is what went by between the answer that
called and the request that brought the result: the tool's own, and the client's.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from datasette_plugins import session_words
from datasette_plugins.mask import NOTHING_HIDDEN, Mask
from datasette_plugins.session_record import Turn
from datasette_plugins.session_words import Result
from intelligence.wire.json_value import INVALID, decode, items, obj

# Turns whose calls are read; of a longer session the last ones.
MOST_TURNS = 400
MOST_THINGS = 150
MOST_TOOLS = 100
LINKED = 6
LONGEST_ARGUMENTS = 200_000
LONGEST = 400
_PER_CALL = 50

KINDS = {
    "file": ("file_path", "filepath", "path", "paths", "file", "files", "filename", "absolute_path", "relative_path",
             "target_file", "notebook_path", "file_paths", "relative_workspace_path"),
    "command": ("command", "cmd", "script", "commands"),
    "search": ("pattern", "query", "regex", "search", "glob_pattern", "search_term"),
    "address": ("url", "urls", "uri"),
}  # fmt: skip
_BY_NAME = {name: kind for kind, names in KINDS.items() for name in names}
_PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete|Move to|Move) ?(?:File)?: (.{1,400})$", re.MULTILINE)
_FAILED = re.compile(
    r"\s*(?:<tool_use_error>|error\b|exit code:? [1-9]|traceback \(most recent call last\)|command failed"
    r"|\{\s*\"(?:error\"|is_error\"\s*:\s*true))",
    re.IGNORECASE,
)
_EXIT_CODE = re.compile(
    r"(?:process exited with code|\"exit_code\"\s*:|exit code:)\s*([1-9]\d*)", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Use:
    """One call of a tool."""

    name: str
    turn: int
    things: list[tuple[str, str]]  # kind and value
    result: Result | None


@dataclass(slots=True)
class Tool:
    """`calls`, `answered`, `failed` are counts; `times_ms` are of those whose time is known."""

    name: str
    calls: int = 0
    answered: int = 0
    failed: int = 0
    result_bytes: int = 0
    times_ms: list[float] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)

    @property
    def median_ms(self) -> float | None:
        return median(self.times_ms) if self.times_ms else None

    @property
    def total_ms(self) -> float | None:
        return sum(self.times_ms) if self.times_ms else None


@dataclass(slots=True)
class Thing:
    """A file, command, search or address, with the tools that named it and the turns in which they did."""

    kind: str
    value: str
    count: int = 0
    tools: Counter[str] = field(default_factory=Counter)
    turns: list[int] = field(default_factory=list)


def read(db: sqlite3.Connection, turns: Sequence[Turn], mask: Mask = NOTHING_HIDDEN) -> list[Use]:
    """The calls of tools in the last `MOST_TURNS` of these turns, in their order. Raises `sqlite3.Error`."""
    uses = []
    for said in session_words.read(db, turns, turns[-MOST_TURNS:]):
        for call, result in zip(said.answer.tool_calls if said.answer else [], said.results, strict=True):
            name = str(call.get("name") or "unknown tool")[:LONGEST]
            things = list(things_in(mask.text(str(call.get("arguments") or ""))))
            uses.append(Use(name, said.turn.number, things, result))
    return uses


def things_in(arguments: str) -> Iterator[tuple[str, str]]:
    """Kinds and values that the arguments of a call name, each once."""
    if len(arguments) > LONGEST_ARGUMENTS:
        return
    value = decode(arguments.encode("utf-8", "replace"))
    named: dict[tuple[str, str], None] = {}
    for kind, found in _named(obj(value), 0):
        if found.strip() and len(named) < _PER_CALL:
            named[
                kind, " ".join(found.split())[:LONGEST] if kind == "command" else found.strip()[:LONGEST]
            ] = None
    for text in _texts(value, arguments):
        for path in _PATCHED.findall(text)[:_PER_CALL]:
            named["file", path.strip()] = None
    yield from named


def _named(arguments: dict[str, Any], depth: int) -> Iterator[tuple[str, str]]:
    for name, value in list(arguments.items())[:_PER_CALL]:
        kind = _BY_NAME.get(name.lower())
        if kind and isinstance(value, str):
            yield kind, value
        elif kind == "command" and value and all(isinstance(word, str) for word in items(value)):
            yield kind, _shell(items(value))
        elif isinstance(value, list) and depth == 0:
            for one in value[:_PER_CALL]:
                if isinstance(one, dict):
                    yield from _named(one, 1)
                elif kind and isinstance(one, str):
                    yield kind, one


def _shell(words: list[str]) -> str:
    """`bash -lc <script>` is the script."""
    return words[2] if len(words) == 3 and words[1] in ("-c", "-lc") else " ".join(words)


def _texts(value: Any, arguments: str) -> Iterator[str]:
    if value is INVALID:
        yield arguments
    elif isinstance(value, str):
        yield value
    else:
        yield from (one for one in obj(value).values() if isinstance(one, str) and one.startswith("*** "))


def failed(result: Result) -> bool:
    """Said by the result itself, or in the words with which agents begin one that failed."""
    if result.part.failed:
        return True
    start = result.part.text[:2_000]
    return bool(_FAILED.match(start) or _EXIT_CODE.search(start[:400]))


def tools(uses: Iterable[Use]) -> list[Tool]:
    """By name, the most called first."""
    found: dict[str, Tool] = {}
    for use in uses:
        tool = found.setdefault(use.name, Tool(use.name))
        tool.calls += 1
        _linked(tool.turns, use.turn)
        if use.result is None:
            continue
        tool.answered += 1
        tool.failed += failed(use.result)
        tool.result_bytes += len(use.result.part.text.encode("utf-8", "replace"))
        if use.result.after_ms is not None:
            tool.times_ms.append(use.result.after_ms)
    return sorted(found.values(), key=lambda tool: (-tool.calls, tool.name))


def things(uses: Iterable[Use]) -> dict[str, list[Thing]]:
    """By kind, those named most often first."""
    found: dict[tuple[str, str], Thing] = {}
    for use in uses:
        for kind, value in use.things:
            thing = found.setdefault((kind, value), Thing(kind, value))
            thing.count += 1
            thing.tools[use.name] += 1
            _linked(thing.turns, use.turn)
    by_kind: dict[str, list[Thing]] = {kind: [] for kind in KINDS}
    for thing in sorted(found.values(), key=lambda thing: (-thing.count, thing.value)):
        by_kind[thing.kind].append(thing)
    return by_kind


def _linked(turns: list[int], turn: int) -> None:
    if not turns or turns[-1] != turn:
        turns.append(turn)
