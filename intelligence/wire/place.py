"""A text in a request or an answer with where it stands, and the walk that collects such places.

Pointers are RFC 6901 and name a string of the decoded JSON; `text` is that string, code point for code point, so a span in it
is a span at the pointer. The strings of a value nested deeper than any real body share its pointer, and cannot be edited.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any, Literal, NamedTuple

import msgspec

from intelligence.wire.guards import guard

Role = Literal["system", "user", "assistant", "tool"]
Source = Literal["system", "user", "assistant", "tool_result", "tool_call", "tool_definition", "thinking"]

MAX_DEPTH = 40
TOO_DEEP = "nested too deep"

# Members that say what a part is, not what is said in it; and those that hold files.
_MARKS = frozenset(
    """type id object role name model index status media_type mimeType mime_type cache_control cachePoint signature
    thoughtSignature thought_signature encrypted_content encrypted_index encrypted_stdout redactedContent tool_use_id
    tool_call_id call_id tool_name toolUseId file_id format detail phase created""".split()
)
FILES = frozenset(["data", "bytes", "file_data", "b64_json", "blob", "images"])
_LONGEST_PREFIX = 128


class Place(msgspec.Struct, frozen=True):
    """`source` is where the text came from. `guarded` says why nobody may edit it. `tool` and `call_id` are of the tool's call,
    result or definition."""

    pointer: str
    role: Role
    source: Source
    text: str
    tool: str | None = None
    call_id: str | None = None
    guarded: str | None = None


class Said(NamedTuple):
    """Who says what is being walked through."""

    role: Role
    source: Source
    tool: str | None = None
    call_id: str | None = None
    guarded: str | None = None

    def but(self, guarded: str | None) -> Said:
        if guarded is None or self.guarded is not None:
            return self
        return Said(self.role, self.source, self.tool, self.call_id, guarded)


SYSTEM = Said("system", "system")
USER = Said("user", "user")
ASSISTANT = Said("assistant", "assistant")
RESULT = Said("tool", "tool_result")


def step(key: str) -> str:
    """A key as it stands in a pointer."""
    return key.replace("~", "~0").replace("/", "~1") if "~" in key or "/" in key else key


class Walk:
    """`names` are the tools by call id, as results often name only the call."""

    def __init__(self, names: MutableMapping[str, str] | None = None) -> None:
        self.places: list[Place] = []
        self.names: MutableMapping[str, str] = {} if names is None else names

    def add(self, at: str, text: str, said: Said) -> None:
        if text:
            self.places.append(Place(at, said.role, said.source, text, said.tool, said.call_id, said.guarded))

    def data(self, at: str, value: Any, said: Said, depth: int = 0) -> None:
        """Every string of a value that may have any shape."""
        if isinstance(value, str):
            self.add(at, value, said)
        elif depth > MAX_DEPTH:
            for text in _strings(value):
                self.add(at, text, said.but(TOO_DEEP))
        elif isinstance(value, dict):
            for key, inner in value.items():
                if not isinstance(inner, (int, float)) and inner is not None:
                    self.data(f"{at}/{step(key)}", inner, said, depth + 1)
        elif isinstance(value, list):
            for n, inner in enumerate(value):
                if not isinstance(inner, (int, float)) and inner is not None:
                    self.data(f"{at}/{n}", inner, said, depth + 1)

    def rest(
        self,
        at: str,
        value: dict[str, Any],
        said: Said,
        depth: int,
        done: frozenset[str] = frozenset(),
        controls: frozenset[str] = frozenset(),
    ) -> None:
        """The strings of a part's members besides those `done`, without marks and files. `controls` are read where they are
        objects: these may hold schemas and instructions."""
        written = value.get("type") == "text"  # a document may be given as its text
        for key, inner in value.items():
            if key in done or (key in _MARKS and isinstance(inner, str)):
                continue
            if key in controls and not isinstance(inner, dict):
                continue
            if key in FILES and not written and not isinstance(inner, dict):
                continue
            if isinstance(inner, list):
                for n, item in enumerate(inner):
                    self._member(f"{at}/{step(key)}/{n}", item, said, depth + 1)
            elif inner is not None:
                self._member(f"{at}/{step(key)}", inner, said, depth + 1)

    def _member(self, at: str, value: Any, said: Said, depth: int) -> None:
        if isinstance(value, dict) and depth < MAX_DEPTH:
            self.rest(at, value, said.but(guard(value)), depth)
        elif not (isinstance(value, str) and is_file(value)):
            self.data(at, value, said, depth)


def is_file(text: str) -> bool:
    return text.startswith("data:") and ";base64," in text[:_LONGEST_PREFIX]


def _strings(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            waiting.extend(reversed(value.values()))
        elif isinstance(value, list):
            waiting.extend(reversed(value))
