"""Sockets: policy on WebSocket messages (OpenAI Realtime, Responses over a WebSocket).

Each message of the client is a request of its own: redacted in place, or dropped and answered by an error event in the provider's
shape. What the provider says passes the same screens as a streamed answer, a message at a time, and what stops it ends one
answer, not the conversation. A message that is no JSON is dealt with as each rule's `fail` says, if the rule needs to know what
is in it. While the kill switch is thrown no message passes, and the connection is closed.

The record has what rules let through, with its placeholders: what this has recorded itself is marked, as a message may leave
in another number of messages. A socket that no acting rule concerns is not looked into.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn

from mitmproxy import ctx, exceptions, http
from mitmproxy.websocket import WebSocketMessage

from addons import answers
from addons.call import Call, call_of
from addons.govern import Govern
from addons.hold import Hold
from addons.patches import Several
from addons.policies import Policies, hang_up
from addons.record import Record
from addons.stream import refusal
from intelligence.policy.decide import Decision
from intelligence.policy.holding import Holding, Stop
from intelligence.policy.judging_answers import Judging
from intelligence.policy.restoring import Restoring
from intelligence.wire.frames import LineFrames
from intelligence.wire.json_value import decode, obj, text
from intelligence.wire.openai_responses import TERMINAL

logger = logging.getLogger("llmitm.policy")

# Values that may come back in one conversation.
MAX_VALUES = 10_000
_SOUND = ("input_audio_buffer.", "output_audio_buffer.")


@dataclass(slots=True)
class Conversation:
    """One socket. `silenced`: an answer was stopped, and what still comes of it is dropped."""

    call: Call
    version: str | None = None
    screen: Judging | None = None
    holding: Holding | None = None
    restoring: Holding | None = None
    values: dict[str, str] = field(default_factory=dict)
    silenced: bool = False


class Sockets:
    name = "sockets"

    def __init__(self, policies: Policies, govern: Govern, hold: Hold, record: Record) -> None:
        self.policies = policies
        self.govern = govern
        self.hold = hold
        self.record = record
        self._open: dict[str, Conversation] = {}

    def websocket_start(self, flow: http.HTTPFlow) -> None:
        if call := call_of(flow):
            self._open[flow.id] = Conversation(call)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        if conversation := self._open.pop(flow.id, None):
            self._tell(conversation)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        conversation, socket = self._open.get(flow.id), flow.websocket
        if conversation is None or socket is None or not socket.messages:
            return
        message = socket.messages[-1]
        if message.injected:
            return
        panic = self.policies.panic
        if panic and panic.mode == "block":
            hang_up({flow.client_conn.id})
            _drop(flow, message)
        if not self._concerned(flow, conversation, message.from_client):
            return
        if not message.content:
            return
        value = decode(message.content)
        if message.from_client:
            self._asked(flow, conversation, message, obj(value))
        elif isinstance(value, dict | list):
            self._answered(flow, conversation, message, obj(value))
        else:
            self._unread(flow, conversation, message)

    def _concerned(self, flow: http.HTTPFlow, conversation: Conversation, from_client: bool) -> bool:
        if from_client:
            return bool(self.govern.in_force())
        self._renew(flow, conversation)
        return conversation.silenced or bool(conversation.holding or conversation.restoring)

    # --- the client ------------------------------------------------------------------------------------------------

    def _asked(
        self, flow: http.HTTPFlow, conversation: Conversation, message: WebSocketMessage, said: dict[str, Any]
    ) -> None:
        if text(said.get("type")).startswith(_SOUND):
            return
        call = conversation.call
        outcome = self.govern.message(flow, call, message.content)
        self.record.governed(call)
        if outcome is None:
            return
        if outcome.body is not None:
            message.content = outcome.body
        conversation.values |= outcome.restores
        while len(conversation.values) > MAX_VALUES:
            del conversation.values[next(iter(conversation.values))]
        if outcome.restores:
            conversation.restoring = Holding(LineFrames(), Restoring(conversation.values))
        if outcome.refused:
            message.drop()
            status, words = outcome.refused
            told = answers.message(call, status, words, said)
            ctx.master.commands.call("inject.websocket", flow, True, told, True)

    # --- the provider ----------------------------------------------------------------------------------------------

    def _answered(
        self, flow: http.HTTPFlow, conversation: Conversation, message: WebSocketMessage, said: dict[str, Any]
    ) -> None:
        kind = text(said.get("type"))
        if conversation.silenced:
            if kind != "response.created":
                conversation.silenced = kind not in TERMINAL and kind != "error"
                _drop(flow, message)
            conversation.silenced = False
        if conversation.holding is None and conversation.restoring is None:
            return
        given = message.content
        passed = self._screened(conversation, _line(given), said)
        call = conversation.call
        for one in passed:
            self.record.said(call, one.rstrip(b"\n"), is_text=message.is_text)
        call.said = message
        out = [piece for one in passed for piece in _restored(conversation, one)]
        if out == [_line(given)]:
            return
        if out:
            message.content = Several([one.rstrip(b"\n") for one in out])
        else:
            message.drop()

    def _unread(self, flow: http.HTTPFlow, conversation: Conversation, message: WebSocketMessage) -> None:
        """What it says is not known. It passes as it came, before what is held, or ends the answer."""
        if conversation.silenced:
            _drop(flow, message)
        screen = conversation.screen
        if screen is None:
            return
        _unseen(screen, "a message cannot be read")
        if screen.final:
            message.content = self._stopped(conversation, screen.final, {}).rstrip(b"\n")

    def _renew(self, flow: http.HTTPFlow, conversation: Conversation) -> None:
        """Other rules may have come in force."""
        version = self.govern.version() if not self.policies.panic else "panic"
        if version == conversation.version:
            return
        self._tell(conversation)
        conversation.version = version
        conversation.screen = self.hold.screen(flow, conversation.call)
        conversation.holding = Holding(LineFrames(), conversation.screen) if conversation.screen else None

    def _screened(self, conversation: Conversation, line: bytes, said: dict[str, Any]) -> list[bytes]:
        holding, screen = conversation.holding, conversation.screen
        if holding is None or screen is None:
            return [line]
        passed = b""
        try:
            passed = holding.feed(line)
        except Exception as e:  # as the rules declare
            logger.exception("policy failed on a message (call %s)", conversation.call.text_id)
            _unseen(screen, type(e).__name__)
            if screen.final is None:
                passed = holding.abandon()
            conversation.holding = Holding(LineFrames(), screen)
        lines = passed.splitlines(keepends=True)
        return [*lines, self._stopped(conversation, screen.final, said)] if screen.final else lines

    def _stopped(self, conversation: Conversation, final: Decision, said: dict[str, Any]) -> bytes:
        """The line that ends the answer; `said` is what it was stopped for."""
        call, screen = conversation.call, conversation.screen
        assert screen
        screen.final = None
        conversation.holding = Holding(LineFrames(), screen)
        conversation.silenced = text(said.get("type")) not in TERMINAL
        self._tell(conversation)
        self.record.governed(call)
        return _line(answers.message(call, *refusal(final), said))

    @staticmethod
    def _tell(conversation: Conversation) -> None:
        screen = conversation.screen
        if screen and screen.told.head.decisions:
            conversation.call.governed.append(screen.told.head)
            screen.told.renew()


def _unseen(screen: Judging, why: str) -> None:
    """`screen.final` is there if a rule fails closed."""
    with suppress(Stop):
        screen.unseen(why)


def _line(content: bytes) -> bytes:
    return content.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"


def _restored(conversation: Conversation, line: bytes) -> list[bytes]:
    restoring = conversation.restoring
    return restoring.feed(line).splitlines(keepends=True) if restoring else [line]


def _drop(flow: http.HTTPFlow, message: WebSocketMessage) -> NoReturn:
    """Nobody hears of it, neither the record."""
    assert flow.websocket
    message.drop()
    flow.websocket.messages.clear()
    raise exceptions.AddonHalt
