"""Anthropic Messages, whole and streamed, and the older text completions.

Counts in a stream are cumulative: a value of `message_delta.usage` that is not null replaces the one of `message_start`.
Tools the provider runs itself (`server_tool_use`, `mcp_tool_use`) are kept apart from those the client must run.
"""

from __future__ import annotations

from typing import Any

from intelligence.wire import usage as tokens_of
from intelligence.wire.draft import MAX_TOOL_CALLS, Draft, ToolDraft
from intelligence.wire.json_value import as_json, count, name, obj, objects, text

_SERVER_TOOLS = ("server_tool_use", "mcp_tool_use")


class AnthropicMessages:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        # Tool calls under way: the call, and the input it was announced with.
        self._tools: dict[Any, tuple[ToolDraft, Any]] = {}

    def whole(self, value: Any) -> None:
        body = obj(value)
        draft = self.draft
        if body.get("type") == "error" or body.get("error"):
            draft.fail(body)
        self._message(body)
        for index, block in enumerate(objects(body.get("content"))):
            self._block(index, block)
            self._block_ended(index)
        draft.say(body.get("completion"))
        if (counted := count(body.get("input_tokens"))) is not None:
            draft.tokens.input = counted
        draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        event = obj(value)
        kind = text(event.get("type")) or kind
        index = _index(event.get("index"))
        if kind == "content_block_delta":
            self._delta(index, obj(event.get("delta")))
        elif kind == "content_block_start":
            self._block(index, obj(event.get("content_block")))
        elif kind == "content_block_stop":
            self._block_ended(index)
        elif kind == "message_start":
            message = obj(event.get("message"))
            self._message(message)
            for at, block in enumerate(objects(message.get("content"))):
                self._block(at, block)
        elif kind == "message_delta":
            self._message(obj(event.get("delta")))
            self._usage(event.get("usage"))
        elif kind == "message_stop":
            self.finish()
            self.draft.terminal = True
        elif kind == "error":
            self.draft.fail(event)
            self.draft.terminal = True
        elif kind == "completion":
            self._message(event)
            self.draft.say(event.get("completion"))
            self.draft.terminal = self.draft.finish_reason is not None
        metrics = event.get("amazon-bedrock-invocationMetrics")
        if isinstance(metrics, dict):
            self.draft.usage_raw = (self.draft.usage_raw or {}) | {
                "amazon-bedrock-invocationMetrics": metrics
            }

    def finish(self) -> None:
        for index in list(self._tools):
            self._block_ended(index)

    def _message(self, message: dict[str, Any]) -> None:
        draft = self.draft
        draft.model = draft.model or name(message.get("model"))
        draft.finish_reason = name(message.get("stop_reason")) or draft.finish_reason
        self._usage(message.get("usage"))

    def _usage(self, usage: Any) -> None:
        if not isinstance(usage, dict):
            return
        stated = {key: value for key, value in usage.items() if value is not None}
        merged = (self.draft.usage_raw or {}) | stated
        for key in usage.keys() - merged.keys():
            merged[key] = None
        self.draft.counted(merged, tokens_of.anthropic)

    def _block(self, index: Any, block: dict[str, Any]) -> None:
        kind = block.get("type")
        if kind == "text":
            self.draft.say(block.get("text"))
        elif kind == "thinking":
            self.draft.think(block.get("thinking"))
        elif kind == "tool_use" or kind in _SERVER_TOOLS:
            tool = self.draft.call(block.get("id"), block.get("name"), None, server=kind in _SERVER_TOOLS)
            if len(self._tools) < MAX_TOOL_CALLS:
                self._tools[index] = (tool, block.get("input"))

    def _delta(self, index: Any, delta: dict[str, Any]) -> None:
        kind = delta.get("type")
        if kind == "text_delta":
            self.draft.say(delta.get("text"))
        elif kind == "thinking_delta":
            self.draft.think(delta.get("thinking"))
        elif kind == "input_json_delta" and index in self._tools:
            self._tools[index][0].pieces.append(text(delta.get("partial_json")))

    def _block_ended(self, index: Any) -> None:
        """The input comes in pieces, or stands in the announcement."""
        tool, announced = self._tools.pop(index, (None, None))
        if tool is not None and not any(tool.pieces):
            tool.pieces.append(as_json({} if announced is None else announced))


def _index(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else None
