"""Scope: only LLM traffic is opened, and on it only LLM calls are looked at.

Connections: a tunnel (CONNECT, SOCKS) to a host outside the registry is passed on as raw bytes, never decrypted, whatever it
speaks. Requests: what is no LLM call, on an opened host or on plain HTTP, is streamed through both ways and hidden from every
later addon. A JSON POST on an unknown path is read first, as its body may show it to be an LLM call.
"""

from __future__ import annotations

import ipaddress

from mitmproxy import exceptions, http
from mitmproxy.net.tls import starts_like_tls_record
from mitmproxy.proxy import layer, layers
from mitmproxy.proxy.layers import modes
from mitmproxy.proxy.layers.tls import parse_client_hello
from mitmproxy.tls import ClientHello

from addons.call import begin, call_of
from addons.passthrough import PassThrough
from intelligence.wire.encoding import decode_body
from intelligence.wire.identify import read_fields
from intelligence.wire.registry import Registry

# A JSON POST on an unknown path is held back to be read up to this size; larger ones are no chat.
MAX_GUESSED_BYTES = 32 * 1024 * 1024
# A call with a body larger than this is streamed through and recorded without it (no provider takes one).
MAX_CALL_BYTES = 256 * 1024 * 1024
# Ports on which a tunnel to a bare address may turn out, by its SNI, to be TLS to an LLM host.
TLS_PORTS = frozenset([443, 8443, 4443])
_HIDDEN = "llmitm_hidden"
_GUESS = "llmitm_guess"


class Scope:
    name = "scope"

    def __init__(self, registry: Registry, pass_through: PassThrough) -> None:
        self.registry = registry
        self.pass_through = pass_through

    # --- connections -------------------------------------------------------------------------------------------

    def next_layer(self, nextlayer: layer.NextLayer) -> None:
        """Tunnel, or leave the choice to mitmproxy; `AddonHalt` waits for the client to say more."""
        context = nextlayer.context
        if nextlayer.layer or not context.server.address or isinstance(context.layers[0], modes.ReverseProxy):
            return
        if context.client.tls_established or any(
            isinstance(x, layers.ClientTLSLayer) for x in context.layers
        ):
            if not context.client.alpn and not nextlayer.data_client():
                raise exceptions.AddonHalt  # opened already: wait for the request
            return
        if self._tunnels(
            context, context.server.address, nextlayer.data_client(), bool(nextlayer.data_server())
        ):
            nextlayer.layer = layers.TCPLayer(context, ignore=True)

    def _tunnels(self, context: layer.Context, address: tuple, data: bytes, server_spoke: bool) -> bool:
        host, port = address[0].lower(), address[1]
        known = self.registry.provider_for(host, port) is not None
        if not known and (server_spoke or not _is_ip(host) or port not in TLS_PORTS):
            return True
        if not data:
            raise exceptions.AddonHalt
        if not starts_like_tls_record(data):
            return not known
        try:
            hello = parse_client_hello(data)
        except ValueError:
            return True
        if hello is None:
            raise exceptions.AddonHalt
        return self._tunnels_tls(context, host, port, hello)

    def _tunnels_tls(self, context: layer.Context, host: str, port: int, hello: ClientHello) -> bool:
        name = (hello.sni or host).lower().rstrip(".")
        if self.registry.provider_for(name, port) is None:
            return True
        return self.pass_through.applies(context.client, name, hello)

    # --- requests ----------------------------------------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        if flow.response or flow.error or not flow.live:
            return
        request = flow.request
        host, path = request.host.lower(), request.path
        websocket = request.method == "GET" and request.headers.get("upgrade", "").lower() == "websocket"
        if self.registry.provider_for(host, request.port):
            target = self.registry.classify(host, request.port, request.method, path, websocket=websocket)
        else:
            target = self.registry.classify_any(request.method, path, websocket=websocket)
        if target:
            begin(flow, target)
            request.stream = _length(request) > MAX_CALL_BYTES
        elif self._may_be_call(request):
            flow.__dict__[_GUESS] = True
            raise exceptions.AddonHalt
        else:
            request.stream = True
            self._hide(flow)

    @staticmethod
    def _may_be_call(request: http.Request) -> bool:
        if request.method != "POST" or "json" not in request.headers.get("content-type", "").lower():
            return False
        return 0 < _length(request) <= MAX_GUESSED_BYTES

    @staticmethod
    def _hide(flow: http.HTTPFlow) -> None:
        flow.__dict__[_HIDDEN] = True
        raise exceptions.AddonHalt

    def request(self, flow: http.HTTPFlow) -> None:
        if _HIDDEN in flow.__dict__:
            raise exceptions.AddonHalt
        if flow.__dict__.pop(_GUESS, False):
            body = flow.request.raw_content or b""
            fields = read_fields(
                decode_body(flow.request.headers.get("content-encoding"), body, MAX_GUESSED_BYTES)
            )
            if fields is None or fields.model is None or not fields.keys:
                self._hide(flow)
            else:
                begin(
                    flow,
                    self.registry.guess(
                        flow.request.host.lower(), flow.request.port, flow.request.path, fields.keys
                    ),
                )

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if call_of(flow) is None and (_HIDDEN in flow.__dict__):
            if flow.response and flow.response.status_code != 101:
                flow.response.stream = True
            raise exceptions.AddonHalt

    def response(self, flow: http.HTTPFlow) -> None:
        self._skip(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._skip(flow)

    def websocket_start(self, flow: http.HTTPFlow) -> None:
        self._skip(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        if _HIDDEN in flow.__dict__:
            assert flow.websocket
            flow.websocket.messages.clear()  # mitmproxy keeps them all until the connection ends
            raise exceptions.AddonHalt

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self._skip(flow)

    def update(self, flows: list[http.HTTPFlow]) -> None:
        for flow in flows:
            self._skip(flow)

    @staticmethod
    def _skip(flow: http.HTTPFlow) -> None:
        if _HIDDEN in flow.__dict__:
            raise exceptions.AddonHalt


def _length(request: http.Request) -> int:
    """Content-Length in bytes; 0 when there is none."""
    value = request.headers.get("content-length", "")
    return int(value) if value.isdecimal() else 0


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
