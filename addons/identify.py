"""Identify: who calls, with what, in which conversation; from the request's own bytes and headers alone."""

from __future__ import annotations

from mitmproxy import http

from addons.call import Call, call_of
from intelligence.store.journal import RequestHead
from intelligence.wire.credentials import Redactor
from intelligence.wire.encoding import decode_body
from intelligence.wire.identify import Fields, client_of, conversation_key, read_fields

# A compressed request is inflated to at most this size to be identified.
MAX_BODY_BYTES = 64 * 1024 * 1024


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
        body = flow.request.raw_content
        if not body:
            return
        fields = read_fields(decode_body(call.encoding, body, MAX_BODY_BYTES) if call.encoding else body)
        if fields is not None:
            call.conversation = fields.content
            head.model = call.target.model or fields.model
            head.stream = call.target.stream if call.target.stream is not None else _streams(call, fields)
            head.conversation_key = conversation_key(
                self.key, head.credential_fingerprint, head.client, fields
            )

    def _head(self, flow: http.HTTPFlow, call: Call) -> RequestHead:
        request, target = flow.request, call.target
        named = {name.lower(): value for name, value in request.headers.fields}
        credential = self.redactor.credential(named, request.path)
        client, version = client_of(named.get(b"user-agent", b"").decode("latin-1"))
        call.encoding = named.get(b"content-encoding", b"").decode("latin-1") or None
        peer = flow.client_conn.peername
        call.head = RequestHead(
            method=request.method,
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            path=self.redactor.strip_path(request.path),
            http_version=request.http_version,
            headers=self.redactor.strip_headers(request.headers.fields),
            provider=target.provider,
            operation=target.operation,
            format=target.format,
            model=target.model,
            stream=target.stream,
            user=self._user(flow),
            client=client,
            client_version=version,
            client_address=peer[0] if peer else None,
            credential_kind=credential.kind if credential else None,
            credential_fingerprint=credential.fingerprint if credential else None,
            websocket=named.get(b"upgrade", b"").lower() == b"websocket",
        )
        return call.head

    @staticmethod
    def _user(flow: http.HTTPFlow) -> str | None:
        auth = flow.metadata.get("proxyauth")
        if not auth:
            return None
        flow.metadata["proxyauth"] = (auth[0], "")  # flows are saved and shown; the password is not
        return auth[0]


def _streams(call: Call, fields: Fields) -> bool:
    """Ollama streams unless told not to; everyone else only when asked."""
    if fields.stream is not None:
        return fields.stream
    return call.target.format == "ollama" and call.target.operation in ("chat", "text_completion")
