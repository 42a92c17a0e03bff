"""OpenAI Responses, whole, streamed over HTTP or WebSocket, and the answers of the Realtime API, which share its events.

A stream repeats every text up to five times. Here the items of the output are put together from the first telling (the
deltas), an item that is `done` replaces what was put together of it, and the response that ends the stream replaces all,
unless it carries no output (as with ChatGPT's backend).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from intelligence.wire import usage as tokens_of
from intelligence.wire.draft import MAX_TOOL_CALLS, Draft
from intelligence.wire.json_value import as_json, name, obj, objects, text

# Calls the client must run, with the member that holds their input; every other `*_call` is run by the provider.
_CLIENT_CALLS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "local_shell_call": "action",
    "shell_call": "action",
    "computer_call": "action",
    "apply_patch_call": "operation",
}
_SERVER_INPUTS = ("arguments", "action", "queries", "code", "input")

TERMINAL = frozenset(
    ["response.completed", "response.incomplete", "response.failed", "response.done", "response.cancelled"]
)
_TEXT = frozenset(
    [
        "response.output_text.delta",
        "response.text.delta",
        "response.refusal.delta",
        "response.output_audio_transcript.delta",
        "response.audio_transcript.delta",
    ]
)
_REASONING = frozenset(["response.reasoning_summary_text.delta", "response.reasoning_text.delta"])
_ARGUMENTS = frozenset(
    [
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
    ]
)


_UNDER_WAY = ("in_progress", "queued")


@dataclass(slots=True)
class _Item:
    """An item of the output under way. What of its latest whole telling is of use, and the pieces that came of it."""

    kind: str = ""
    id: Any = None
    name: str | None = None
    given: str = ""
    said: list[str] = field(default_factory=list)
    thought: list[str] = field(default_factory=list)
    done: bool = False
    text: list[str] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)

    def tell(self, item: dict[str, Any], *, done: bool) -> None:
        self.kind, self.done = text(item.get("type")), done
        self.id, self.name = name(item.get("id")), name(item.get("name"))
        self.given, self.said, self.thought = "", [], []
        if self.kind in _CLIENT_CALLS or not self.kind:
            self.id = name(item.get("call_id")) or self.id
            self.given = as_json(item.get(_CLIENT_CALLS.get(self.kind, "arguments")) or "")
        elif self.kind.endswith("_call"):
            self.given = as_json(next((item[key] for key in _SERVER_INPUTS if item.get(key)), ""))
        if not done:
            return
        content = objects(item.get("content"))
        if self.kind == "reasoning":
            self.thought = _words(part.get("text") for part in objects(item.get("summary")) + content)
        else:
            self.said = _words(
                part.get("text") or part.get("refusal") or part.get("transcript") for part in content
            )


def _words(stated: Iterable[Any]) -> list[str]:
    return [word for word in stated if isinstance(word, str) and word]


class OpenAIResponses:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._items: dict[Any, _Item] = {}

    def whole(self, value: Any) -> None:
        body = obj(value)
        self._response(body)
        self.draft.terminal = True
        self.finish()

    def event(self, kind: str, value: Any) -> None:
        event = obj(value)
        kind = text(event.get("type")) or kind
        if kind.endswith(".delta"):
            self._delta(kind, event)
        elif kind in ("response.output_item.added", "response.output_item.done"):
            entry = self._entry(event)
            entry.tell(obj(event.get("item")), done=kind.endswith("done"))
            if entry.done or entry.kind not in ("", "message", "reasoning"):
                self.draft.saw_token = True
        elif kind == "error" or (not kind and event.get("error")):
            self.draft.fail(event.get("error") or {k: v for k, v in event.items() if k != "type"})
            self.draft.terminal = True
        elif kind.startswith("response."):
            if isinstance(event.get("response"), dict):
                self._response(event["response"])
            self.draft.terminal = self.draft.terminal or kind in TERMINAL

    def _delta(self, kind: str, event: dict[str, Any]) -> None:
        piece = event.get("delta")
        if not isinstance(piece, str) or not piece:
            return
        if kind in _TEXT:
            self._entry(event).text.append(piece)
        elif kind in _REASONING:
            self._entry(event).reasoning.append(piece)
        elif kind in _ARGUMENTS:
            self._entry(event).arguments.append(piece)
        elif "audio" not in kind:
            return
        self.draft.saw_token = True

    def _entry(self, event: dict[str, Any]) -> _Item:
        index = event.get("output_index")
        if not isinstance(index, (int, str)):
            item = obj(event.get("item"))
            index = name(event.get("item_id")) or name(item.get("id")) or 0
        if index not in self._items and len(self._items) >= MAX_TOOL_CALLS:
            return _Item()
        return self._items.setdefault(index, _Item())

    def _response(self, body: dict[str, Any]) -> None:
        draft = self.draft
        draft.model = draft.model or name(body.get("model"))
        draft.service_tier = name(body.get("service_tier")) or draft.service_tier
        status = name(body.get("status"))
        details = body.get("incomplete_details") or (status == "incomplete" and body.get("status_details"))
        reason = name(obj(details).get("reason"))
        draft.finish_reason = reason or (None if status in _UNDER_WAY else status) or draft.finish_reason
        draft.counted(body.get("usage"), tokens_of.openai)
        error = body.get("error") or obj(body.get("status_details")).get("error")
        if error:
            draft.fail(error)
        output = objects(body.get("output"))
        if output:
            self._items = {}
            for index, item in enumerate(output[:MAX_TOOL_CALLS]):
                self._items[index] = entry = _Item()
                entry.tell(item, done=True)

    def finish(self) -> None:
        """Write down the output, in its order. Called once, at the end."""
        for entry in self._items.values():
            self._write(entry)
        self._items = {}

    def _write(self, entry: _Item) -> None:
        draft, kind = self.draft, entry.kind
        if kind in _CLIENT_CALLS or (not kind and entry.arguments):
            arguments = "".join(entry.arguments) if entry.arguments and not entry.done else entry.given
            draft.call(entry.id, entry.name or kind, arguments)
        elif kind.endswith("_call"):
            # Only of an MCP tool the name says more than the kind.
            named = entry.name if kind == "mcp_call" else None
            draft.call(entry.id, named or kind, entry.given, server=True)
        else:
            for piece in entry.thought if entry.done else entry.reasoning:
                draft.think(piece)
            for piece in entry.said if entry.done else entry.text:
                draft.say(piece)
