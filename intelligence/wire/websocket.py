"""A WebSocket conversation cut into calls: one for each response that the model is asked for, or gives unasked.

OpenAI Realtime (also xAI, Azure), OpenAI Responses over a WebSocket, Gemini Live. Messages go in as they were sent, in order;
out come `Began`, `FirstToken` and `Ended` events, which name the call by a number counted from 0. Nothing raises, and memory is
bounded: of a conversation only what the next request needs is remembered, of an answer a limited number of bytes is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from intelligence.wire.draft import Answer
from intelligence.wire.gemini_live import GeminiLive
from intelligence.wire.json_value import INVALID, as_json, decode
from intelligence.wire.openai_socket import OpenAISocket
from intelligence.wire.request import Request, read_request
from intelligence.wire.turns import Turn

MAX_MESSAGE_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Began:
    """A response was asked for. `body` is the request as JSON in the shape of the format's requests; `warm_up` when nothing is to
    be generated (Codex does so first)."""

    call: int
    body: bytes
    request: Request
    warm_up: bool = False


@dataclass(frozen=True, slots=True)
class FirstToken:
    """The first content of the response came."""

    call: int


@dataclass(frozen=True, slots=True)
class Ended:
    """`answer.terminal` is False when the conversation ended first."""

    call: int
    answer: Answer


Event = Began | FirstToken | Ended


class _Protocol(Protocol):
    def message(self, from_client: bool, message: dict[str, Any]) -> Iterator[Turn]: ...

    def open_turns(self) -> list[Turn]: ...


@dataclass(slots=True)
class _Told:
    """What of a turn has been reported."""

    call: int
    token: bool = False


class CallSplitter:
    """`format` as in the request's `Target`; `model` as the address of the socket names it."""

    def __init__(self, format: str | None, model: str | None = None) -> None:
        self._format = format or "openai-realtime"
        self._protocol: _Protocol = (
            GeminiLive(model)
            if format == "gemini-live"
            else OpenAISocket(model, realtime=format != "openai-responses")
        )
        self._calls = 0
        self._told: dict[int, _Told] = {}

    def feed(self, from_client: bool, text: bool, data: bytes) -> list[Event]:
        """The next message. Gemini sends its JSON in binary messages, so `text` does not matter to what is read."""
        if len(data) > MAX_MESSAGE_BYTES or data[:64].lstrip()[:1] != b"{":
            return []
        message = decode(data)
        if message is INVALID or not isinstance(message, dict):
            return []
        turns = self._protocol.message(from_client, message)
        return [event for turn in turns for event in self._tell(turn, len(data))]

    def finish(self) -> list[Event]:
        """The socket is closed: what was still open ends here."""
        events: list[Event] = []
        for turn in self._protocol.open_turns():
            turn.ended = True
            events += self._tell(turn, 0)
        return events

    def _tell(self, turn: Turn, size: int) -> Iterator[Event]:
        """What is new of a turn that a message had to do with."""
        told = self._told.get(id(turn))
        if told is None:
            told = self._told[id(turn)] = _Told(self._calls)
            self._calls += 1
            body = as_json(turn.request).encode("utf-8", "replace")
            request = read_request(_REQUESTS.get(self._format, self._format), None, "", body)
            request.stream = True
            turn.request = {}  # told now; many may be open
            yield Began(told.call, body, request, turn.warm_up)
        turn.size += size
        if not told.token and turn.draft.saw_token:
            told.token = True
            yield FirstToken(told.call)
        if turn.ended:
            del self._told[id(turn)]
            turn.finish()
            yield Ended(told.call, turn.draft.answer())


_REQUESTS = {"gemini-live": "gemini"}
