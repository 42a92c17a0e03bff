"""Gemini Live: one call for each turn of the model.

A turn begins with what the client says last before it (`clientContent`, `toolResponse`), or, when it speaks freely
(`realtimeInput`), with the first content of the model; it ends with `turnComplete`, or when the client sends the result of a
tool. The counts of a turn may come in a message of their own behind its end: so a turn without any stays open until the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from intelligence.wire.gemini import Gemini
from intelligence.wire.json_value import items, name, obj, objects
from intelligence.wire.turns import Memory, Standing, Turn


class GeminiLive:
    def __init__(self, model: str | None) -> None:
        self._model = model
        self._setup = Standing()
        self._said = Memory()
        self._turn: Turn | None = None
        self._complete = False

    def open_turns(self) -> list[Turn]:
        open_, self._turn = self._turn, None
        return [open_] if open_ else []

    def message(self, from_client: bool, message: dict[str, Any]) -> Iterator[Turn]:
        if from_client:
            yield from self._from_client(message)
        else:
            yield from self._from_server(message)

    def _from_client(self, message: dict[str, Any]) -> Iterator[Turn]:
        setup = message.get("setup")
        if isinstance(setup, dict):
            self._setup = Standing()
            self._setup.update(setup)
            stated = name(setup.get("model"))
            self._model = stated.rpartition("/")[2] if stated else self._model
        content = _either(message, "clientContent", "client_content")
        for turn in items(content.get("turns")):
            self._said.add(turn)
        spoken = _either(message, "realtimeInput", "realtime_input").get("text")
        if isinstance(spoken, str):
            self._said.add({"role": "user", "parts": [{"text": spoken}]})
        results = _either(message, "toolResponse", "tool_response")
        if results:
            responses = results.get("functionResponses", results.get("function_responses"))
            self._said.add({"role": "user", "parts": [{"functionResponse": r} for r in objects(responses)]})
        if results or content.get("turnComplete", content.get("turn_complete", bool(content))):
            if self._turn and self._turn.draft.tools:
                self._turn.draft.terminal = True
            yield from self._end()
            if results or content:
                yield from self._begin()

    def _from_server(self, message: dict[str, Any]) -> Iterator[Turn]:
        content, calls = _either(message, "serverContent", "server_content"), obj(message.get("toolCall"))
        usage = message.get("usageMetadata")
        if self._complete and (content or calls):
            yield from self._end()
        if not content and not calls and not isinstance(usage, dict):
            return
        if self._turn is None:
            spoken = obj(content.get("inputTranscription")).get("text")
            if isinstance(spoken, str):
                self._said.add({"role": "user", "parts": [{"text": spoken}]})
            if not content.get("modelTurn") and not calls and not content.get("outputTranscription"):
                return
            yield from self._begin()
        turn = self._turn
        assert turn is not None
        turn.event("", self._as_answer(content, calls, usage))
        yield turn
        if content.get("interrupted") is True:
            turn.draft.finish_reason = "INTERRUPTED"
        if content.get("turnComplete") is True:
            turn.draft.finish_reason = turn.draft.finish_reason or "STOP"
            turn.draft.terminal = self._complete = True
        if self._complete and turn.draft.usage_raw is not None:
            yield from self._end()

    @staticmethod
    def _as_answer(content: dict[str, Any], calls: dict[str, Any], usage: Any) -> dict[str, Any]:
        """The message in the shape of an answer over HTTP. What the model speaks is read from its transcription."""
        parts = objects(obj(content.get("modelTurn")).get("parts"))
        spoken = obj(content.get("outputTranscription")).get("text")
        if isinstance(spoken, str):
            parts = [*parts, {"text": spoken}]
        parts += [{"functionCall": call} for call in objects(calls.get("functionCalls"))]
        reason = content.get("turnCompleteReason")
        return {"candidates": [{"content": {"parts": parts}, "finishReason": reason}], "usageMetadata": usage}

    def _begin(self) -> Iterator[Turn]:
        request = {key: value for key, value in self._setup.repeat().items() if key != "model"}
        if self._model:
            request["model"] = self._model
        request["contents"] = self._said.take()
        self._turn, self._complete = Turn(request, Gemini, self._model), False
        yield self._turn

    def _end(self) -> Iterator[Turn]:
        turn, self._turn, self._complete = self._turn, None, False
        if turn:
            turn.ended = True
            yield turn


def _either(message: dict[str, Any], camel: str, snake: str) -> dict[str, Any]:
    return obj(message.get(camel, message.get(snake)))
