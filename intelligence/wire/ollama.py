"""Ollama's own API: chat, generate, embed. A stream is a row of lines in the shape of the whole answer; the last has `done`."""

from __future__ import annotations

from typing import Any

from intelligence.wire import usage as tokens_of
from intelligence.wire.draft import Draft
from intelligence.wire.json_value import name, obj, objects

_COUNTS = ("prompt_eval_count", "eval_count")


class Ollama:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def whole(self, value: Any) -> None:
        self.event("", value)
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        line = obj(value)
        draft = self.draft
        if line.get("error"):
            draft.fail(line)
            draft.terminal = True
        draft.model = draft.model or name(line.get("model"))
        message = obj(line.get("message"))
        draft.think(message.get("thinking") or line.get("thinking"))
        draft.say(message.get("content") or line.get("response"))
        for tool in objects(message.get("tool_calls")):
            function = obj(tool.get("function"))
            draft.call(tool.get("id"), function.get("name"), function.get("arguments") or {})
        usage = {key: line[key] for key in _COUNTS if line.get(key) is not None}
        if usage:
            draft.usage_raw = usage
            draft.tokens = tokens_of.ollama(usage)
        if line.get("done") is True:
            draft.finish_reason = name(line.get("done_reason")) or draft.finish_reason
            draft.terminal = True
