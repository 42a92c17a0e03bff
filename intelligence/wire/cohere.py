"""Cohere: chat v1 and v2, generate, embed. v2 streams server-sent events, v1 lines of JSON."""

from __future__ import annotations

from typing import Any

from intelligence.wire import usage as tokens_of
from intelligence.wire.draft import Draft, ToolDraft
from intelligence.wire.json_value import as_json, name, obj, objects, text


class Cohere:
    """Version 1 is told from version 2 by the shape."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self._tool: ToolDraft | None = None

    def whole(self, value: Any) -> None:
        body = obj(value)
        self._answer(body)
        if (body.get("message") and not isinstance(body["message"], dict)) or body.get("error"):
            self.draft.fail(body)
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        event = obj(value)
        if "event_type" in event or "is_finished" in event:
            self._event_v1(event)
        else:
            self._event_v2(text(event.get("type")) or kind, event)

    def _answer(self, body: dict[str, Any]) -> None:
        draft = self.draft
        draft.finish_reason = name(body.get("finish_reason")) or draft.finish_reason
        self._usage(body.get("usage"), obj(body.get("meta")))
        message = body.get("message")
        if isinstance(message, dict):
            draft.think(message.get("tool_plan"))
            self._content(message.get("content"))
            for tool in objects(message.get("tool_calls")):
                function = obj(tool.get("function"))
                draft.call(tool.get("id"), function.get("name"), function.get("arguments") or "{}")
            return
        draft.say(body.get("text"))
        for generation in objects(body.get("generations"))[:1]:
            draft.say(generation.get("text"))
            draft.finish_reason = name(generation.get("finish_reason")) or draft.finish_reason
        self._tools_v1(body.get("tool_calls"))

    def _tools_v1(self, calls: Any) -> None:
        for tool in objects(calls):
            self.draft.call(tool.get("generation_id"), tool.get("name"), tool.get("parameters") or {})

    def _content(self, content: Any) -> None:
        if isinstance(content, str):
            self.draft.say(content)
        for part in objects(content):
            self._part(part)

    def _part(self, part: dict[str, Any]) -> None:
        self.draft.think(part.get("thinking"))
        self.draft.say(part.get("text"))

    def _usage(self, usage: Any, meta: dict[str, Any]) -> None:
        if not isinstance(usage, dict):
            usage = {
                key: meta[key]
                for key in ("billed_units", "tokens", "cached_tokens")
                if meta.get(key) is not None
            }
        if usage:
            self.draft.usage_raw = usage
            self.draft.tokens = tokens_of.cohere(usage)

    def _event_v2(self, kind: str, event: dict[str, Any]) -> None:
        draft = self.draft
        delta = obj(event.get("delta"))
        message = obj(delta.get("message"))
        if kind in ("content-start", "content-delta"):
            self._part(obj(message.get("content")))
        elif kind == "tool-plan-delta":
            draft.think(message.get("tool_plan"))
        elif kind == "tool-call-start":
            tool = obj(message.get("tool_calls"))
            function = obj(tool.get("function"))
            self._tool = draft.call(tool.get("id"), function.get("name"), function.get("arguments"))
        elif kind == "tool-call-delta" and self._tool:
            arguments = obj(obj(message.get("tool_calls")).get("function")).get("arguments")
            if arguments is not None:
                self._tool.pieces.append(as_json(arguments))
        elif kind == "message-end":
            self._answer(delta)
            if delta.get("error"):
                draft.fail(delta)
            draft.terminal = True
        elif event.get("error") or kind == "error":
            draft.fail(event)
            draft.terminal = True

    def _event_v1(self, event: dict[str, Any]) -> None:
        draft = self.draft
        kind = event.get("event_type")
        if kind == "text-generation" or (kind is None and not event.get("is_finished")):
            draft.say(event.get("text"))
        elif kind == "tool-calls-generation":
            self._tools_v1(event.get("tool_calls"))
        elif kind == "stream-end" or event.get("is_finished") is True:
            # The whole answer again: of what came already only the end is news.
            response = obj(event.get("response"))
            self._usage(None, obj(response.get("meta")))
            draft.finish_reason = name(event.get("finish_reason")) or name(response.get("finish_reason"))
            if not draft.text:
                self._answer({"text": response.get("text"), "generations": response.get("generations")})
            if not draft.tools:
                self._tools_v1(response.get("tool_calls"))
            if event.get("error"):
                draft.fail(event)
            draft.terminal = True
