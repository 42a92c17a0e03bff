"""Identify: who calls, with what, in which conversation; from the request's own bytes and headers alone."""

from __future__ import annotations

from mitmproxy import http

from addons.call import Call, call_of
from intelligence.store.journal import RequestHead
from intelligence.wire.credentials import Redactor
from intelligence.wire.recorded import encoding_of, named, read_body, request_head


class Identify:
    name = "identify"

    def __init__(self, key: bytes, redactor: Redactor) -> None:
        self.key = key
        self.redactor = redactor

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Headers are all there is of a WebSocket until it opens; a body adds to this in `request`."""
        if call := call_of(flow):
            self._head(flow, call)

    def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call is None or flow.error:
            return
        head = call.head or self._head(flow, call)
        if body := flow.request.raw_content:
            call.conversation = read_body(self.key, head, call.target, call.encoding, body)

    def _head(self, flow: http.HTTPFlow, call: Call) -> RequestHead:
        request = flow.request
        by_name = named(request.headers.fields)
        call.encoding = encoding_of(by_name)
        peer = flow.client_conn.peername
        call.head = request_head(
            self.redactor,
            call.target,
            by_name,
            method=request.method,
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            path=request.path,
            http_version=request.http_version,
            fields=request.headers.fields,
            user=self._user(flow),
            client_address=peer[0] if peer else None,
        )
        return call.head

    @staticmethod
    def _user(flow: http.HTTPFlow) -> str | None:
        auth = flow.metadata.get("proxyauth")
        if not auth:
            return None
        flow.metadata["proxyauth"] = (auth[0], "")  # flows are saved and shown; the password is not
        return auth[0]
