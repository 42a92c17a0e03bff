"""Govern: what policy says about a request, before it leaves.

Asks the rules that act on traffic; rules that only tell are asked by the worker, later, and cost nothing here. A request that is
blocked or throttled is answered here in the provider's own error shape, and no connection upstream is opened for it. A redacted
one goes on with its placeholders. What was decided goes to the journal with the request. Should this addon itself fail, the
request is blocked if any enforced rule fails closed, and passes otherwise.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mitmproxy import http

from addons import answers
from addons.call import Call, call_of
from addons.policies import Policies
from addons.resend import Original, Rejections
from intelligence.detect.lazily import Scans
from intelligence.policy import governed
from intelligence.policy.allowed import Allowed, allowed
from intelligence.policy.decide import CompiledRule, decide
from intelligence.policy.evidence import CallEvidence
from intelligence.policy.facts import Facts
from intelligence.policy.handed import InForce
from intelligence.policy.limits import Limits
from intelligence.policy.rule import Rule
from intelligence.policy.verdict import Verdict, verdict
from intelligence.rewrite.apply import apply
from intelligence.rewrite.edits import Rewritten
from intelligence.rewrite.outgoing import outgoing, readable
from intelligence.store.journal import DecisionHead, GovernHead
from intelligence.wire.identify import read_fields
from intelligence.wire.recorded import without_encoding

if TYPE_CHECKING:
    from addons.pipeline import Parts

logger = logging.getLogger("llmitm.policy")

PANIC_RULE = "panic"
# Longer than clients wait by themselves: told to try again, they would only hammer.
LONGEST_RETRY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Message:
    """What becomes of a message on a WebSocket: another `body`, of one that is `refused` (status, words) for the record alone."""

    body: bytes | None = None
    restores: dict[str, str] = field(default_factory=dict, repr=False)
    refused: tuple[int, str] | None = None


class Govern:
    name = "govern"

    def __init__(
        self,
        parts: Parts,
        policies: Policies,
        scanner: Scans,
        limits: Limits,
        rejections: Rejections,
    ) -> None:
        self.parts = parts
        self.policies = policies
        self.scanner = scanner
        self.limits = limits
        self.rejections = rejections
        self.open: Counter[str] = Counter()
        self._counted: dict[str, str] = {}
        self._set: InForce | None = None
        self._rules: tuple[CompiledRule, ...] = ()
        self.allowed: Allowed | None = None

    # --- request -----------------------------------------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call and flow.request.stream and not flow.error and flow.live:
            self._govern(flow, call, None)  # too large to be held: judged without its body
            if flow.response:
                flow.response = None
                flow.kill()

    def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call is None or flow.error or flow.response or call.ended or call.recorded:
            return
        # What opens a WebSocket says nothing yet: its messages are judged one by one.
        opens = call.head is not None and call.head.websocket
        self._govern(flow, call, b"{}" if opens else flow.request.raw_content or b"")

    def _govern(self, flow: http.HTTPFlow, call: Call, raw: bytes | None) -> None:
        panic = self.policies.panic
        if panic and panic.mode == "block":
            said = DecisionHead(PANIC_RULE, "block", "enforce", True, panic.reason)
            call.governed.append(GovernHead("", "request", [said]))
            self._answer(
                flow, call, PANIC_RULE, 403, f"all requests are stopped: {panic.reason or 'kill switch'}"
            )
            return
        rules, facts = self.in_force(), None
        if rules:
            try:
                facts = self._judge(flow, call, raw, rules, observe=panic is not None)
            except Exception as e:  # as the rules declare: an error of ours must not open what is closed
                logger.exception("policy failed (call %s)", call.text_id)
                closed = _closed(rules)
                if closed and not panic:
                    said = DecisionHead(closed.id, "block", "enforce", True, "", type(e).__name__)
                    call.governed.append(GovernHead(self.version(), "request", [said]))
                    if any(governed.hides(one.rule) for one in rules):
                        self._keep(call, b"")
                    self._answer(
                        flow, call, closed.id, 403, f"policy failed, and rule {closed.id} fails closed"
                    )
        if flow.response is None and facts:
            self._begin(flow, facts)

    def in_force(self) -> tuple[CompiledRule, ...]:
        current = self.policies.in_force
        if current is not self._set:
            self._set = current
            self._rules = current.compiled.of("request", later=False)
            self.allowed = allowed(current.allow, self.parts.key)
        return self._rules

    def version(self) -> str:
        return self.policies.in_force.compiled.version

    def _judge(
        self,
        flow: http.HTTPFlow,
        call: Call,
        raw: bytes | None,
        rules: tuple[CompiledRule, ...],
        *,
        observe: bool,
    ) -> Facts:
        body = readable(flow.request.headers.fields, raw) if raw and call.encoding else raw
        facts = self.facts(flow, call, body)
        judged, rewritten = self._decided(flow, call, rules, facts, body, observe=observe)
        if judged is None:
            return facts
        if judged.answered:
            self._stop(flow, call, judged, body)
        elif rewritten and rewritten.splices:
            call.restores = judged.restores
            if judged.if_rejected:
                rewrote = tuple(rewrite.rule for rewrite in judged.rewrites)
                call.original = Original(flow.request.headers.fields, raw or b"", rewrote)
            self._send(flow, call, rewritten.body)
        return facts

    def _decided(
        self,
        flow: http.HTTPFlow,
        call: Call,
        rules: tuple[CompiledRule, ...],
        facts: Facts,
        body: bytes | None,
        *,
        observe: bool,
    ) -> tuple[Verdict | None, Rewritten | None]:
        """What the rules say, which is told to the record, and the body it makes."""
        if resting := self.rejections.resting(call):
            rules = tuple(one for one in rules if one.rule.id not in resting)
        decisions = decide(rules, facts)
        if not decisions:
            return None, None
        frozen = governed.frozen(facts, flow.request.headers.fields)
        judged = verdict(decisions, self.parts.key, frozen=frozen, observe=observe)
        rewritten = None
        if judged.rewrites and body is not None:
            rewritten = apply(body, judged.rewrites)
            judged = governed.refused(judged, rewritten)
        call.governed.append(governed.head(self.parts.key, self.version(), "request", judged, rewritten))
        return judged, rewritten

    def message(self, flow: http.HTTPFlow, call: Call, content: bytes) -> Message | None:
        """What becomes of a message that a client sends on a WebSocket; None when nothing does."""
        rules = self.in_force()
        if not rules:
            return None
        try:
            facts = self.facts(flow, call, content)
            facts.stream = True
            if (fields := read_fields(content)) and fields.model:
                facts.model = fields.model
            observe = self.policies.panic is not None
            judged, rewritten = self._decided(flow, call, rules, facts, content, observe=observe)
        except Exception as e:  # as the rules declare
            logger.exception("policy failed on a message (call %s)", call.text_id)
            closed = _closed(rules)
            if closed is None or self.policies.panic:
                return None
            said = DecisionHead(closed.id, "block", "enforce", True, "", type(e).__name__)
            call.governed.append(GovernHead(self.version(), "request", [said]))
            return Message(b"", {}, (403, f"{closed.id}: policy failed, and the rule fails closed"))
        if judged is None:
            return None
        if judged.answered and judged.final:
            kept = governed.without_secrets(self.parts.key, content, judged)
            final = judged.final
            status = 429 if final.action == "throttle" else final.rule.status or 403
            return Message(kept, {}, (status, f"{final.rule.id}: {final.reason}"))
        if rewritten and rewritten.splices:
            return Message(rewritten.body, judged.restores)
        return None

    def facts(self, flow: http.HTTPFlow, call: Call, body: bytes | None) -> Facts:
        head, target = call.head, call.target
        evidence = CallEvidence(
            target.format,
            target.operation,
            flow.request.path,
            body,
            self.scanner,
            self.parts.config.policy.deadline_ms / 1000,
            limits=self.limits,
            allowed=self.allowed,
        )
        facts = Facts(evidence, at=time.time(), provider=target.provider, operation=target.operation)
        facts.host, facts.model, facts.stream = flow.request.host, target.model, target.stream
        facts.client_address = flow.client_conn.peername[0] if flow.client_conn.peername else None
        if head:
            facts.model, facts.stream, facts.user = head.model, head.stream, head.user
            facts.client, facts.session = head.client, head.conversation_key
            facts.credential, facts.key = head.credential_kind, head.credential_fingerprint
        if body is not None:
            governed.measure(facts, body)
        facts.concurrent = self.open[_who(facts)]
        evidence.facts = facts
        return facts

    # --- what is done --------------------------------------------------------------------------------------------

    def _stop(self, flow: http.HTTPFlow, call: Call, judged: Verdict, body: bytes | None) -> None:
        final = judged.final
        assert final
        if body is not None and (kept := governed.without_secrets(self.parts.key, body, judged)) is not None:
            self._keep(call, kept)
        if final.action == "throttle":
            self._answer(flow, call, final.rule.id, 429, final.reason, final.retry_after_s)
        else:
            self._answer(flow, call, final.rule.id, final.rule.status or 403, final.reason)

    def _keep(self, call: Call, body: bytes) -> None:
        """What is recorded of a request instead of what came."""
        call.sent, call.encoding = body, None
        if call.head:
            call.head.headers = without_encoding(call.head.headers)

    def _answer(
        self,
        flow: http.HTTPFlow,
        call: Call,
        rule: str,
        status: int,
        reason: str,
        retry_after_s: float | None = None,
    ) -> None:
        call.answered = True
        response = answers.error(call, status, f"{rule}: {reason}" if reason else rule, rule=rule)
        if status == 429:
            wait = max(1, round(retry_after_s or 1))
            response.headers["retry-after"] = str(wait)
            if wait > LONGEST_RETRY_SECONDS:
                response.headers["x-should-retry"] = "false"
        flow.response = response

    def _send(self, flow: http.HTTPFlow, call: Call, body: bytes) -> None:
        """The rewritten body, without the encoding that the original came in."""
        flow.request.headers.fields = tuple(outgoing(flow.request.headers.fields, body))
        flow.request.raw_content = body
        call.encoding = None
        if call.head:
            call.head.headers = without_encoding(call.head.headers)
        fields = read_fields(body)
        call.conversation = fields.content if fields else (0, 0)

    # --- how many are open -----------------------------------------------------------------------------------------

    def _begin(self, flow: http.HTTPFlow, facts: Facts) -> None:
        if flow.id in self._counted:
            return
        self._counted[flow.id] = who = _who(facts)
        self.open[who] += 1
        self.limits.began(flow.id, facts)

    def _end(self, flow: http.HTTPFlow) -> None:
        who = self._counted.pop(flow.id, None)
        if who is None:
            return
        self.limits.ended(flow.id)
        self.open[who] -= 1
        if self.open[who] <= 0:
            del self.open[who]

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.websocket is None:
            self._end(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._end(flow)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self._end(flow)


def _who(facts: Facts) -> str:
    return facts.user or facts.key or ""


def _closed(rules: tuple[CompiledRule, ...]) -> Rule | None:
    return next((one.rule for one in rules if one.rule.mode == "enforce" and one.rule.fail == "closed"), None)
