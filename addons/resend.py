"""Resend: a request that a provider refuses because it was rewritten is sent once as it came.

Only where every rule that rewrote it says `if_rejected: original`, and the answer is a 400, 404 or 422. That answer is held, and
the client gets the one to the original, whole. The rules are told of as an event; one refused three times rests for this
client (credential and program) until another set of rules is in force.
"""

from __future__ import annotations

import logging
import ssl
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import certifi
from mitmproxy import http

from addons.call import Call, call_of
from addons.policies import Policies
from addons.upstream import Upstream

if TYPE_CHECKING:
    from addons.hold import Hold
    from addons.pipeline import Parts

logger = logging.getLogger("llmitm.policy")

REJECTED = frozenset([400, 404, 422])
RESTS_AFTER = 3
MAX_ANSWER_BYTES = 64 * 1024 * 1024
CONNECT_SECONDS = 30
_HOP = frozenset(
    """connection keep-alive proxy-connection proxy-authorization proxy-authenticate te trailer transfer-encoding
    upgrade content-length""".split()
)

Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True)
class Original:
    """A request as it came, while its rewritten self is on its way. `rules` rewrote it."""

    fields: Fields
    body: bytes
    rules: tuple[str, ...]


class Rejections:
    """How often which rule's rewriting was refused to whom, since this set of rules is in force."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        self._version = ""
        self._counts: Counter[tuple[str, str]] = Counter()

    def _current(self) -> Counter[tuple[str, str]]:
        if (version := self._policies.in_force.compiled.version) != self._version:
            self._version = version
            self._counts.clear()
        return self._counts

    def resting(self, call: Call) -> frozenset[str]:
        """The rules that rest for who makes this call."""
        counts = self._current()
        if not counts:
            return frozenset()
        who = client_of(call)
        return frozenset(
            rule for (rule, whose), count in counts.items() if whose == who and count >= RESTS_AFTER
        )

    def add(self, rule: str, call: Call) -> bool:
        """Whether the rule rests from now on."""
        counts, key = self._current(), (rule, client_of(call))
        counts[key] += 1
        return counts[key] == RESTS_AFTER


def client_of(call: Call) -> str:
    head = call.head
    return f"{head.credential_fingerprint}/{head.client}" if head else ""


class Resend:
    name = "resend"

    def __init__(self, parts: Parts, upstream: Upstream, rejections: Rejections, hold: Hold) -> None:
        self.parts = parts
        self.upstream = upstream
        self.rejections = rejections
        self.hold = hold

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if (call := call_of(flow)) and self._concerns(flow, call):
            call.cut = "whole"

    async def response(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call is None or not self._concerns(flow, call) or flow.error:
            return
        original, call.original = call.original, None
        assert original and flow.response
        rejected = flow.response.status_code
        try:
            flow.response = await self._send(flow, original)
        except Exception:  # the hook boundary: the client has an answer, if only this one
            logger.exception("the original could not be sent (call %s)", call.text_id)
            return
        call.restores = {}
        for rule in original.rules:
            rests = self.rejections.add(rule, call)
            message = f"the provider refused what rule {rule} made of a request ({rejected})"
            if rests:
                message += "; the rule rests for this client"
            logger.warning("%s (call %s)", message, call.text_id)
            data = {"rule": rule, "call": call.text_id, "status": rejected, "rests": rests}
            self.parts.journal.event("rewrite_rejected", message, data)
        self.hold.whole_again(flow, call)

    @staticmethod
    def _concerns(flow: http.HTTPFlow, call: Call) -> bool:
        return call.original is not None and bool(flow.response) and flow.response.status_code in REJECTED  # type: ignore[union-attr]

    async def _send(self, flow: http.HTTPFlow, original: Original) -> http.Response:
        import httpx  # a rare need, and it takes long to load

        config, request = self.parts.config.proxy, flow.request
        url, extensions = httpx.URL(request.url), {"sni_hostname": request.host}
        if not config.upstream_proxy:
            target = await self.upstream.target(request.host, request.port)
            if isinstance(target, str):
                raise ConnectionError(target)
            if target:
                url = url.copy_with(host=target[0], port=target[1])
        fields = [pair for pair in original.fields if pair[0].decode("latin-1").lower() not in _HOP]
        if not any(name.lower() == b"host" for name, _ in fields):
            fields.insert(0, (b"host", (request.host_header or request.host).encode()))
        sent = httpx.Request(
            request.method, url, headers=fields, content=original.body, extensions=extensions
        )
        trust = ssl.create_default_context(
            cafile=str(config.upstream_ca) if config.upstream_ca else certifi.where()
        )
        timeout = httpx.Timeout(config.idle_timeout_seconds, connect=CONNECT_SECONDS)
        async with httpx.AsyncClient(
            verify=trust, trust_env=False, proxy=config.upstream_proxy, timeout=timeout
        ) as client:
            answer = await client.send(sent, stream=True)
            body = bytearray()
            async for piece in answer.aiter_raw():
                body += piece
                if len(body) > MAX_ANSWER_BYTES:
                    raise ValueError("the answer is too large to be held")
        kept = [pair for pair in answer.headers.raw if pair[0].decode("latin-1").lower() not in _HOP]
        kept.append((b"content-length", str(len(body)).encode()))
        made = http.Response.make(answer.status_code, bytes(body))
        made.headers = http.Headers(kept)
        made.reason = answer.reason_phrase
        return made
