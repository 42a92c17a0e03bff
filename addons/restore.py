"""Restore: placeholders in an answer become the values again, for the client alone.

Stands behind the record, which keeps the placeholders. An error here costs the values, never the answer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from mitmproxy import http

from addons.call import Call, call_of
from intelligence.policy.holding import Holding
from intelligence.policy.restoring import Restoring
from intelligence.rewrite.outgoing import outgoing, readable
from intelligence.wire.frames import KINDS, kind_within

logger = logging.getLogger("llmitm.policy")


class Restore:
    name = "restore"

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        call, response = call_of(flow), flow.response
        if call is None or not call.restores or response is None or call.cut not in KINDS:
            return
        if callable(response.stream):
            response.stream = _restored(call, response.stream)

    def response(self, flow: http.HTTPFlow) -> None:
        call, response = call_of(flow), flow.response
        if call is None or not call.restores or response is None or call.cut != "whole" or call.answered:
            return
        fields = response.headers.fields
        body = readable(fields, response.raw_content or b"")
        if not body:
            return
        restoring, target = Restoring(call.restores), call.target
        restored = restoring.body(body, target.format, target.operation, flow.request.path)
        if restored == body and (kind := kind_within(body)):
            holding = Holding(KINDS[kind](), restoring)
            restored = holding.feed(body) + holding.finish()
        if restored != body:
            response.headers.fields = tuple(outgoing(fields, restored))
            response.raw_content = restored


def _restored(
    call: Call, before: Callable[[bytes], bytes | Iterable[bytes]]
) -> Callable[[bytes], list[bytes]]:
    holding: Holding | None = Holding(KINDS[call.cut or ""](), Restoring(call.restores))

    def restore(data: bytes) -> list[bytes]:
        nonlocal holding
        pieces = before(data)
        pieces = [pieces] if isinstance(pieces, bytes) else list(pieces)
        if holding is None:
            return pieces
        out = []
        while pieces:
            piece = pieces.pop(0)
            try:
                out.append(holding.feed(piece))
            except Exception:  # the boundary of a stream: the client gets what came
                logger.exception("restoring an answer failed (call %s)", call.text_id)
                out += [holding.abandon(), *pieces]
                holding = None
                return list(filter(None, out))
        if not data or call.over:
            out.append(holding.finish())
        return list(filter(None, out))

    return restore
