"""What mitmproxy calls with each piece of an answer that policy looks at, and with b"" at its end.

Gives what is to leave. Nothing that fails in here cuts an answer, unless an enforced rule that concerns it fails closed.
"""

from __future__ import annotations

import logging

from addons import answers
from addons.call import Call
from intelligence.policy.decide import Decision
from intelligence.policy.holding import Holding, Stop
from intelligence.policy.judging_answers import Judging
from intelligence.wire.encoding import Decoder

logger = logging.getLogger("llmitm.policy")


class Instead:
    """A stream that is one body of ours, whatever the provider sends."""

    def __init__(self, call: Call, body: bytes) -> None:
        self._call = call
        self._body = body

    def __call__(self, data: bytes) -> list[bytes]:
        body, self._body, self._call.over = self._body, b"", True
        return [body] if body else []


class Stream:
    """What mitmproxy gives each piece of an answer to; b"" at its end."""

    def __init__(
        self, call: Call, decoder: Decoder | None, holding: Holding | None, screen: Judging | None
    ) -> None:
        self._call = call
        self._decoder = decoder
        self._holding = holding
        self._screen = screen

    def __call__(self, data: bytes) -> list[bytes]:
        if self._call.over:
            return []
        plain = self._decoder.feed(data) if self._decoder and data else data
        holding, screen = self._holding, self._screen
        if holding is None or screen is None:
            return [plain] if plain else []
        try:
            if data and self._decoder and not self._decoder.ok:
                screen.unseen("the answer is damaged")
            out = holding.feed(plain) if data else holding.finish()
        except Exception as e:  # as the rules declare: an error of ours must not cut what may pass
            if not isinstance(e, Stop):
                logger.exception("policy failed on an answer (call %s)", self._call.text_id)
            out = self._failed(holding, screen, type(e).__name__)
        if (holding.stopped or screen.final) and screen.final:
            self._call.over = self._call.answered = True
            status, message = refusal(screen.final)
            out += answers.last_event(
                self._call, self._call.cut or "", status, message, begun=holding.begun or bool(out)
            )
        return [out] if out else []

    def _failed(self, holding: Holding, screen: Judging, why: str) -> bytes:
        try:
            if screen.final is None:
                screen.unseen(why)
        except Stop:
            return b""
        self._holding = None
        return holding.abandon() if screen.final is None else b""


def refusal(final: Decision) -> tuple[int, str]:
    """Status and message of a decision that ends an answer."""
    status = 429 if final.action == "throttle" else final.rule.status or 403
    return status, f"{final.rule.id}: {final.reason}" if final.reason else final.rule.id
