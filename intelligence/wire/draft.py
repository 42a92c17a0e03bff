"""An answer in the making: what a format's parser writes into while the events of a stream come.

Token counts are kept as OpenTelemetry means them: `input` includes cached tokens, `output` includes reasoning. None is a
count the provider did not state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from intelligence.wire.json_value import as_json, items, name, obj, sound, text

# Of errors within errors; gateways wrap those of providers once or twice.
_MAX_DEPTH = 8
# No answer comes near these; what is beyond is left out, or cut off.
MAX_TOOL_CALLS = 10_000
_MAX_USAGE = 256
_MAX_USAGE_CHARS = 65_536
_MAX_NAME = 1024
_MAX_MESSAGE = 65_536


@dataclass(slots=True)
class ToolCall:
    """`arguments` as the model wrote them: JSON, or the plain input of a custom tool."""

    id: str | None
    name: str
    arguments: str


@dataclass(slots=True)
class Answer:
    """What an answer says. Counts follow OpenTelemetry: input includes cached tokens, output includes reasoning; None is not
    stated. `usage_raw` is the provider's own. `service_tier` is the one it was served in, where that stands outside the
    usage. `terminal`: the end the protocol has was seen; None when the format has none that can be told (audio,
    protobuf)."""

    model: str | None = None
    finish_reason: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    usage_raw: dict[str, Any] | None = None
    service_tier: str | None = None
    text: str = ""
    reasoning: str = ""
    tool_calls: list[ToolCall] = field(default_factory=list)
    server_tool_calls: list[ToolCall] = field(default_factory=list)
    error_type: str | None = None
    error_message: str | None = None
    terminal: bool | None = False


@dataclass(slots=True)
class Tokens:
    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


@dataclass(slots=True)
class ToolDraft:
    id: str | None = None
    name: str = ""
    pieces: list[str] = field(default_factory=list)

    def call(self) -> ToolCall:
        return ToolCall(self.id, sound(self.name), sound("".join(self.pieces)))


@dataclass(slots=True)
class Draft:
    model: str | None = None
    finish_reason: str | None = None
    tokens: Tokens = field(default_factory=Tokens)
    usage_raw: dict[str, Any] | None = None
    service_tier: str | None = None
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    tools: dict[Any, ToolDraft] = field(default_factory=dict)
    server_tools: dict[Any, ToolDraft] = field(default_factory=dict)
    error_type: str | None = None
    error_message: str | None = None
    terminal: bool = False
    saw_token: bool = False

    def say(self, value: Any) -> None:
        """Text of the answer."""
        if isinstance(value, str) and value:
            self.text.append(value)
            self.saw_token = True

    def think(self, value: Any) -> None:
        """Text of the model's reasoning."""
        if isinstance(value, str) and value:
            self.reasoning.append(value)
            self.saw_token = True

    def call(self, id_: Any, name_: Any, arguments: Any, *, server: bool = False) -> ToolDraft:
        """A new tool call; `arguments` a string, or a value to be written as JSON. None adds nothing yet."""
        tools = self.server_tools if server else self.tools
        tool = self.put((len(tools), "new"), server=server)
        tool.id, tool.name = name(id_), text(name_)
        if arguments is not None:
            tool.pieces.append(as_json(arguments))
        return tool

    def put(self, key: Any, *, server: bool = False) -> ToolDraft:
        """An empty tool call under this key; it leads nowhere when there are too many."""
        tools, tool = self.server_tools if server else self.tools, ToolDraft()
        if len(tools) < MAX_TOOL_CALLS:
            tools[key] = tool
        self.saw_token = True
        return tool

    def counted(self, usage: Any, read: Callable[[dict[str, Any]], Tokens]) -> None:
        """The provider's counts, when these are some; they replace those of before."""
        if isinstance(usage, dict) and len(usage) <= _MAX_USAGE:
            self.usage_raw, self.tokens = usage, read(usage)

    def fail(self, error: Any) -> None:
        """What a body or event says went wrong, in any provider's shape."""
        self.error_type, self.error_message = error_of(error)

    def fail_as(self, type_: str | None, message: str) -> None:
        self.error_type, self.error_message = type_, message

    def answer(self) -> Answer:
        """What has come so far."""
        tokens = self.tokens
        return Answer(
            model=_cut(self.model, _MAX_NAME),
            finish_reason=_cut(self.finish_reason, _MAX_NAME),
            input_tokens=tokens.input,
            output_tokens=tokens.output,
            cache_read_tokens=tokens.cache_read,
            cache_write_tokens=tokens.cache_write,
            reasoning_tokens=tokens.reasoning,
            usage_raw=None if len(as_json(self.usage_raw)) > _MAX_USAGE_CHARS else self.usage_raw,
            service_tier=_cut(self.service_tier, _MAX_NAME),
            text=sound("".join(self.text)),
            reasoning=sound("".join(self.reasoning)),
            tool_calls=[tool.call() for tool in self.tools.values()],
            server_tool_calls=[tool.call() for tool in self.server_tools.values()],
            error_type=_cut(self.error_type, _MAX_NAME),
            error_message=_cut(self.error_message, _MAX_MESSAGE),
            terminal=self.terminal,
        )


def _cut(value: str | None, length: int) -> str | None:
    return value and sound(value[:length])


class Parser(Protocol):
    """One wire format. Both methods take any JSON value and never raise."""

    def event(self, kind: str, value: Any) -> None:
        """One event of a stream; `kind` is the name the framing gives it, or ""."""

    def whole(self, value: Any) -> None:
        """A whole body that is no stream."""


def error_of(error: Any, depth: int = 0) -> tuple[str | None, str | None]:
    """Type and message of an error: OpenAI `{message, type, code}`, Google `{code, message, status}`, Ollama's bare string,
    FastAPI's `detail`, AWS's `message`."""
    if depth > _MAX_DEPTH:
        return None, None
    if isinstance(error, str):
        return None, sound(error)
    if isinstance(error, list):
        return error_of(error[0], depth + 1) if error else (None, None)
    found = obj(error)
    inner = found.get("error")
    if isinstance(inner, (dict, str)) and inner:
        type_, message = error_of(inner, depth + 1)
        return type_ or name(found.get("type")), message
    code = found.get("code")
    type_ = name(found.get("type")) or name(found.get("status")) or name(found.get("__type")) or name(code)
    if type_ is None and type(code) is int:
        type_ = str(code)
    stated = found.get("message") or found.get("Message") or found.get("detail") or found.get("error_message")
    if stated is None and (errors := items(found.get("errors"))):
        return error_of(errors[0], depth + 1)
    message = None if stated is None else as_json(stated)
    return type_ and sound(type_), message and sound(message)
