"""Hold: what policy says about an answer, while it comes.

An answer that no acting rule concerns passes untouched and costs nothing. Of one that is streamed only those events wait that a
rule has to see (`intelligence.policy.holding`); one that is a whole is held until it is whole. What is blocked becomes the
provider's own error: a response of its own, or the last event of the stream, and then the connection upstream is closed. What
cannot be read (an encoding or framing that is not known) is dealt with as each rule's `fail` says, and so is an error in here.
Stands before the record, which keeps what this lets through.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mitmproxy import http

from addons import answers
from addons.call import Call, call_of
from addons.govern import Govern
from addons.policies import Policies
from addons.stream import Instead, Stream, refusal
from intelligence.policy import governed
from intelligence.policy.answering import Concerned, Concerning, evidence_of
from intelligence.policy.decide import Decision, decide
from intelligence.policy.facts import Facts
from intelligence.policy.handed import InForce
from intelligence.policy.holding import Holding
from intelligence.policy.judging_answers import Judging, Told, failed
from intelligence.policy.verdict import Verdict, verdict
from intelligence.rewrite.apply import apply
from intelligence.rewrite.outgoing import outgoing, readable
from intelligence.wire.encoding import Decoder
from intelligence.wire.frames import KINDS, kind_of, kind_within
from intelligence.wire.place import Place

if TYPE_CHECKING:
    from addons.pipeline import Parts

logger = logging.getLogger("llmitm.policy")

# Larger answers are held by nobody.
MAX_WHOLE_BYTES = 64 * 1024 * 1024


@dataclass(slots=True)
class Governed:
    """An answer that rules concern: these rules, what they know of the call, and what was said so far."""

    concerned: Concerned
    facts: Facts
    frozen: str | None
    told: Told


class Hold:
    name = "hold"

    def __init__(self, parts: Parts, policies: Policies, govern: Govern) -> None:
        self.parts = parts
        self.policies = policies
        self.govern = govern
        self._open: dict[str, tuple[Call, Governed]] = {}
        self._set: InForce | None = None
        self._concerning = Concerning(())

    # --- the head of an answer -----------------------------------------------------------------------------------

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        call, response = call_of(flow), flow.response
        if call and response and not (flow.error or call.answered or response.raw_content is not None):
            self._head(flow, call, response)

    def _head(self, flow: http.HTTPFlow, call: Call, response: http.Response) -> None:
        rules = self._rules()
        if not (rules.acting or call.restores) or not 200 <= response.status_code < 300:
            return
        if call.target.operation == "realtime":
            return
        try:
            self._begin(flow, call, rules)
        except Exception as e:  # as the rules declare
            logger.exception("policy failed on an answer (call %s)", call.text_id)
            self._unseen(flow, call, Concerned(tuple(rules.rules)), type(e).__name__)

    def _rules(self) -> Concerning:
        current = self.policies.in_force
        if current is not self._set:
            self._set = current
            self._concerning = Concerning(current.compiled.of("response", later=False))
        return self._concerning

    def _begin(self, flow: http.HTTPFlow, call: Call, rules: Concerning) -> None:
        response = flow.response
        assert response
        concerned = Concerned(())
        if rules.acting and not self.policies.panic:
            facts = self._facts(flow, call)
            concerned = rules.of(facts)
        if not (concerned.acting or call.restores):
            return
        streams = call.head.stream if call.head else call.target.stream
        kind = kind_of(response.headers.get("content-type", ""), flow.request.path, streams)
        size = response.headers.get("content-length", "")
        if readable(response.headers.fields, b"") is None or (
            size.isdecimal() and int(size) > MAX_WHOLE_BYTES
        ):
            kind = None
        screen = None
        if concerned.acting:
            told = Told(self.parts.key, self.govern.version())
            held = Governed(concerned, facts, governed.frozen(facts, ()), told)
            if kind is None:
                self._unseen(flow, call, concerned, "the answer is in no framing that can be held", told)
                return
            self._open[flow.id] = (call, held)
            if concerned.at_once and (final := self._judge(flow, call, held, []).final) and final.acts:
                self._refuse(flow, call, final)
                return
            screen = self._screen(flow, call, held)
        if kind is None:
            return
        call.cut = kind if response.raw_content is None else "whole"
        if call.cut != "whole":
            self._stream(call, response, Holding(KINDS[kind](), screen) if screen else None, screen)

    def _screen(self, flow: http.HTTPFlow, call: Call, held: Governed) -> Judging:
        return Judging(
            lambda places: self._judge(flow, call, held, places, tell=False),
            held.concerned.enforced,
            held.concerned.bound,
            held.told,
            words=held.concerned.words,
        )

    def screen(self, flow: http.HTTPFlow, call: Call) -> Judging | None:
        """For what is said on a WebSocket; None when no acting rule concerns it."""
        rules = self._rules()
        if not rules.acting or self.policies.panic:
            return None
        facts = self._facts(flow, call)
        concerned = rules.of(facts)
        if not concerned.acting:
            return None
        told = Told(self.parts.key, self.govern.version())
        return self._screen(flow, call, Governed(concerned, facts, governed.frozen(facts, ()), told))

    def _facts(self, flow: http.HTTPFlow, call: Call) -> Facts:
        self.govern.in_force()
        raw = flow.request.raw_content
        body = readable(flow.request.headers.fields, raw) if raw else None
        facts = self.govern.facts(flow, call, body)
        facts.direction = "response"
        return facts

    def _judge(
        self, flow: http.HTTPFlow, call: Call, held: Governed, places: list[Place], *, tell: bool = True
    ) -> Verdict:
        evidence = evidence_of(held.facts, None)
        evidence.said(places)
        judged = verdict(decide(held.concerned.rules, held.facts), self.parts.key, frozen=held.frozen)
        if tell and judged.decisions:
            held.told.add(judged)
        return judged

    # --- streams ---------------------------------------------------------------------------------------------------

    def _stream(
        self, call: Call, response: http.Response, holding: Holding | None, screen: Judging | None
    ) -> None:
        encoding = response.headers.pop("content-encoding", None)
        if response.headers.pop("content-length", None) is not None and response.http_version == "HTTP/1.1":
            response.headers["transfer-encoding"] = "chunked"
        response.stream = Stream(call, Decoder(encoding) if encoding else None, holding, screen)

    # --- whole answers ---------------------------------------------------------------------------------------------

    def response(self, flow: http.HTTPFlow) -> None:
        call, response = call_of(flow), flow.response
        if call is None or response is None or flow.id not in self._open:
            return
        held = self._open[flow.id][1]
        if call.cut == "whole" and not call.answered:
            try:
                self._whole(flow, call, response, held)
            except Exception as e:  # as the rules declare
                logger.exception("policy failed on an answer (call %s)", call.text_id)
                self._unseen(flow, call, held.concerned, type(e).__name__, held.told)
        self._close(flow)

    def whole_again(self, flow: http.HTTPFlow, call: Call) -> None:
        """Another answer, whole, stands in the place of the provider's."""
        assert flow.response
        call.cut = None
        self._close(flow)
        self._head(flow, call, flow.response)

    def error(self, flow: http.HTTPFlow) -> None:
        self._close(flow)

    def done(self) -> None:
        for call, held in self._open.values():
            _tell(call, held)
        self._open.clear()

    def _close(self, flow: http.HTTPFlow) -> None:
        if opened := self._open.pop(flow.id, None):
            _tell(*opened)

    def _whole(self, flow: http.HTTPFlow, call: Call, response: http.Response, held: Governed) -> None:
        fields = response.headers.fields
        body = readable(fields, response.raw_content or b"")
        evidence = evidence_of(held.facts, body)
        if body and not evidence.readable() and (kind := kind_within(body)):
            final, body = self._events(flow, call, held, kind, body)
            if final:
                self._refuse(flow, call, final)
            elif body != response.raw_content:
                _put(response, body)
            return
        judged = verdict(decide(held.concerned.rules, held.facts), self.parts.key, frozen=held.frozen)
        if not judged.decisions:
            return
        rewritten = apply(body, judged.rewrites) if body and judged.rewrites else None
        if rewritten:
            judged = governed.refused(judged, rewritten)
        head = governed.head(self.parts.key, self.govern.version(), "response", judged, rewritten)
        head.undo = []
        call.governed.append(head)
        if judged.answered and judged.final:
            self._refuse(flow, call, judged.final)
        elif rewritten and rewritten.splices:
            _put(response, rewritten.body)

    def _events(
        self, flow: http.HTTPFlow, call: Call, held: Governed, kind: str, body: bytes
    ) -> tuple[Decision | None, bytes]:
        """A stream that was announced as a whole."""
        screen = Judging(
            lambda places: self._judge(flow, call, held, places, tell=False),
            held.concerned.enforced,
            len(body),
            held.told,
        )
        holding = Holding(KINDS[kind](), screen)
        out = holding.feed(body) + holding.finish()
        return (screen.final if holding.stopped else None), out

    # --- what is done ----------------------------------------------------------------------------------------------

    def _unseen(
        self, flow: http.HTTPFlow, call: Call, concerned: Concerned, why: str, told: Told | None = None
    ) -> None:
        told = told or Told(self.parts.key, self.govern.version())
        decisions = failed(concerned.enforced, why)
        final = next((one for one in decisions if one.action == "block"), None)
        told.add(Verdict(decisions, final))
        if flow.id not in self._open:
            call.governed.append(told.head)
        if final:
            self._refuse(flow, call, final)

    def _refuse(self, flow: http.HTTPFlow, call: Call, final: Decision) -> None:
        status, message = refusal(final)
        made = answers.error(call, status, message, rule=final.rule.id)
        if final.action == "throttle":
            made.headers["retry-after"] = str(max(1, round(final.retry_after_s or 1)))
        call.answered, call.cut = True, None
        response = flow.response
        assert response
        if response.raw_content is not None:
            flow.response = made
            return
        response.status_code, response.reason, response.headers = made.status_code, made.reason, made.headers
        response.stream = Instead(call, made.raw_content or b"")


def _put(response: http.Response, body: bytes) -> None:
    response.headers.fields = tuple(outgoing(response.headers.fields, body))
    response.raw_content = body


def _tell(call: Call, held: Governed) -> None:
    head = held.told.head
    if head.decisions and head not in call.governed:
        call.governed.append(head)
