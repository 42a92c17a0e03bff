"""What was asked, the same for every provider.

Each protocol module reads its own wire format into an `Ask`; `script.py` decides the answer from it. It holds only what
the answer depends on: the last user text, the results of tools called since, the tools on offer, and the pieces of the
prompt in order (for counting tokens and finding cached prefixes).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Coding agents put their own notes into the user's message; what the user asked for is the rest.
_NOTES = re.compile(r"<(system-reminder|session_context|environment_context)>.*?</\1>", re.S)


@dataclass(frozen=True)
class Tool:
    """A tool on offer. `custom` ones take free text instead of JSON; `namespace` is the group it was offered in."""

    name: str
    schema: Mapping[str, Any] = field(default_factory=dict)
    custom: bool = False
    namespace: str | None = None


@dataclass(frozen=True)
class ToolResult:
    name: str
    text: str


@dataclass(frozen=True)
class Ask:
    """One request.

    `forced_tool`: None leaves the choice to us, "" demands any tool, a name demands that one.
    `output_schema`: None for plain text, else the JSON schema (maybe empty) that the text must fit.
    `cached_segments`: how many leading segments the client marked for caching; None where the provider caches by itself.
    """

    model: str
    stream: bool
    prompt: str
    segments: tuple[str, ...]
    tool_results: tuple[ToolResult, ...] = ()
    tools: tuple[Tool, ...] = ()
    forced_tool: str | None = None
    output_schema: Mapping[str, Any] | None = None
    max_tokens: int | None = None
    thinking: bool = False
    include_usage: bool = True
    cached_segments: int | None = None


def canonical(value: object) -> str:
    """JSON with sorted keys: equal values give equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def text_of(content: object) -> str:
    """The text of a message's content: a string, a part, or a list of parts in any provider's shape."""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        text = content.get("text")
        return text if isinstance(text, str) else text_of(content.get("content", content.get("parts", "")))
    if isinstance(content, Iterable):
        return "\n".join(filter(None, map(text_of, content)))
    return ""


def user_text(content: object) -> str:
    """`text_of` without the notes that coding agents add."""
    return _NOTES.sub("", text_of(content)).strip()
