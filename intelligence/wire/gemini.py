"""Gemini, of the Gemini API, Vertex AI and Code Assist (which wraps each answer in `response`): generating, counting, embedding.

A stream is a row of whole answers: parts add up, counts are cumulative, the last finish reason wins. With enums encoded as
numbers (`enum-encoding=int`) the finish reason stays the number: Gemini API and Vertex AI number them differently.
"""

from __future__ import annotations

from typing import Any

from intelligence.wire import usage as tokens_of
from intelligence.wire.draft import Draft
from intelligence.wire.json_value import count, name, obj, objects


class Gemini:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft

    def whole(self, value: Any) -> None:
        if isinstance(value, list):  # a stream without SSE, held whole
            for chunk in value:
                self.event("", chunk)
        else:
            self.event("", value)
        self.draft.terminal = True

    def event(self, kind: str, value: Any) -> None:
        chunk = obj(value)
        draft = self.draft
        if chunk.get("error"):
            draft.fail(chunk)
            draft.terminal = True
            return
        if isinstance(chunk.get("response"), dict):
            chunk = chunk["response"]
        draft.model = name(chunk.get("modelVersion")) or draft.model
        draft.counted(chunk.get("usageMetadata"), tokens_of.gemini)
        if (counted := count(chunk.get("totalTokens"))) is not None:
            draft.tokens.input = counted
        for candidate in objects(chunk.get("candidates"))[:1]:
            for part in objects(obj(candidate.get("content")).get("parts")):
                self._part(part)
            if reason := _reason(candidate.get("finishReason")):
                draft.finish_reason = reason
                draft.terminal = True
        blocked = _reason(obj(chunk.get("promptFeedback")).get("blockReason"))
        if blocked:
            draft.finish_reason = draft.finish_reason or blocked
            draft.terminal = True

    def _part(self, part: dict[str, Any]) -> None:
        draft = self.draft
        if "text" in part:
            if part.get("thought") is True:
                draft.think(part["text"])
            else:
                draft.say(part["text"])
        call = part.get("functionCall")
        if isinstance(call, dict):
            draft.call(call.get("id"), call.get("name"), call.get("args") or {})
        code = part.get("executableCode")
        if isinstance(code, dict):
            draft.call(code.get("id"), "code_execution", code.get("code") or "", server=True)


def _reason(value: Any) -> str | None:
    if type(value) is int:
        return str(value) if value > 0 else None
    return None if value in ("FINISH_REASON_UNSPECIFIED", "BLOCK_REASON_UNSPECIFIED") else name(value)
