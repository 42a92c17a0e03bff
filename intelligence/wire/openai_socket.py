"""The events of OpenAI's sockets: Realtime, and Responses, which share most of them.

A call begins with the client's `response.create`, or, where the server answers speech by itself, with `response.created`.
Realtime may run several at once and names the response in each event; Responses runs one after another and does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from intelligence.wire.json_value import name, obj, text
from intelligence.wire.openai_responses import TERMINAL, OpenAIResponses
from intelligence.wire.turns import Memory, Standing, Turn, without_audio

_MAX_OPEN = 64
_STANDING = ("instructions", "tools", "tool_choice", "output_modalities", "modalities", "temperature")


class OpenAISocket:
    def __init__(self, model: str | None, *, realtime: bool) -> None:
        self._model = model
        self._realtime = realtime
        self._standing = Standing()
        self._said = Memory()
        self._turns: list[Turn] = []

    def open_turns(self) -> list[Turn]:
        open_, self._turns = self._turns, []
        return open_

    def message(self, from_client: bool, message: dict[str, Any]) -> Iterator[Turn]:
        kind = text(message.get("type"))
        if from_client:
            if kind == "response.create":
                yield from self._begin(self._asked(message), warm_up=message.get("generate") is False)
            elif kind == "conversation.item.create":
                self._said.add(message.get("item"))
            elif kind == "session.update":
                self._session(message.get("session"))
            return
        if kind in ("session.created", "session.updated"):
            self._session(message.get("session"))
            self._model = name(obj(message.get("session")).get("model")) or self._model
        elif kind.endswith("input_audio_transcription.completed"):
            content = {"type": "input_text", "text": message.get("transcript")}
            self._said.add({"type": "message", "role": "user", "content": [content]})
        elif kind == "response.created":
            yield from self._created(message)
        elif kind.startswith("response.") or kind == "error":
            yield from self._answered(kind, message)

    def _session(self, session: Any) -> None:
        if self._realtime:
            stated = obj(session)
            self._standing.update({key: stated[key] for key in _STANDING if key in stated})

    def _begin(self, request: dict[str, Any], *, warm_up: bool = False) -> Iterator[Turn]:
        while len(self._turns) >= _MAX_OPEN:
            lost = self._turns.pop(0)
            lost.ended = True
            yield lost
        turn = Turn(request, OpenAIResponses, self._model, warm_up=warm_up)
        self._turns.append(turn)
        yield turn

    def _asked(self, message: dict[str, Any]) -> dict[str, Any]:
        """The request in the shape of Responses: its own fields, in Realtime over those of the session."""
        if not self._realtime:
            inner = obj(message.get("response"))
            return {
                key: value for key, value in (inner or message).items() if key not in ("type", "event_id")
            }
        asked = obj(message.get("response"))
        request: dict[str, Any] = {"model": self._model} if self._model else {}
        request |= {key: value for key, value in self._standing.repeat().items() if value is not None}
        said = self._said.take()
        request |= asked
        if "input" not in asked:
            request["input"] = said
        return dict(without_audio(request))

    def _created(self, message: dict[str, Any]) -> Iterator[Turn]:
        response_id = name(obj(message.get("response")).get("id"))
        turn = next((turn for turn in self._turns if turn.response_id is None), None)
        if turn is None:
            yield from self._begin(self._asked({}))
            turn = self._turns[-1]
        turn.response_id = response_id or ""
        turn.event("response.created", message)
        yield turn

    def _answered(self, kind: str, message: dict[str, Any]) -> Iterator[Turn]:
        turn = self._turn_of(message)
        if turn is None or (kind == "error" and self._realtime and turn.response_id is not None):
            return  # an error in Realtime refuses a request; what runs goes on
        turn.event(kind, message)
        if kind in TERMINAL or kind == "error":
            turn.ended = True
            self._turns.remove(turn)
        yield turn

    def _turn_of(self, message: dict[str, Any]) -> Turn | None:
        response_id = name(message.get("response_id")) or name(obj(message.get("response")).get("id"))
        if response_id:
            same = next((turn for turn in self._turns if turn.response_id == response_id), None)
            if same:
                return same
        if message.get("type") == "error" and self._realtime:
            return next((turn for turn in self._turns if turn.response_id is None), None)
        return self._turns[0] if self._turns else None
