"""HTTP/1 as mitmproxy's layers leave it out: trailers, and interim answers (1xx).

mitmproxy 12.2.3 raises on a chunked body with trailers, which cuts the connection, and takes `103 Early Hints` for the answer.
Here trailers reach the other side, in HTTP/2 too (which has them in any case); interim answers but 101 are dropped, as the
final one follows.
"""

from __future__ import annotations

from typing import Any

import h11
from mitmproxy import http
from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers.http import _http1
from mitmproxy.proxy.layers.http._base import HttpEvent, ReceiveHttp
from mitmproxy.proxy.layers.http._events import (
    RequestEndOfMessage,
    RequestTrailers,
    ResponseData,
    ResponseEndOfMessage,
    ResponseTrailers,
)

LAST_CHUNK = b"0\r\n\r\n"


class Chunks(_http1.ChunkedReader):
    """Keeps the trailers, which mitmproxy's layer refuses to see."""

    trailers: http.Headers | None = None

    def __call__(self, buf: Any) -> Any:
        event = super().__call__(buf)
        if isinstance(event, h11.EndOfMessage) and event.headers:
            self.trailers = http.Headers(event.headers.raw_items())
            return h11.EndOfMessage()
        return event


class _WithTrailers(_http1.Http1Connection):
    ReceiveTrailers: type[RequestTrailers] | type[ResponseTrailers]
    _to_send: http.Headers | None = None

    def read_body(self, event: events.Event) -> layer.CommandGenerator[None]:
        for command in super().read_body(event):
            if isinstance(command, ReceiveHttp) and isinstance(command.event, self.ReceiveEndOfMessage):
                trailers = getattr(self.body_reader, "trailers", None)
                if trailers:
                    yield ReceiveHttp(self.ReceiveTrailers(command.event.stream_id, trailers))
            yield command

    def send(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        if isinstance(event, RequestTrailers | ResponseTrailers):
            self._to_send = event.trailers
        elif isinstance(event, RequestEndOfMessage | ResponseEndOfMessage) and self._to_send:
            trailers, self._to_send = self._to_send, None
            for command in super().send(event):
                if isinstance(command, commands.SendData) and command.data == LAST_CHUNK:
                    command.data = b"0\r\n" + bytes(trailers) + b"\r\n"
                yield command
        else:
            yield from super().send(event)


class Server(_WithTrailers, _http1.Http1Server):
    """The side of the client."""

    ReceiveTrailers = RequestTrailers
    _framed: tuple[http.Response | None, bool] = (None, False)

    def send(self, event: HttpEvent) -> layer.CommandGenerator[None]:
        """Whether an answer is chunked is asked once, not for each piece."""
        if type(event) is not ResponseData or self.response is None:
            yield from super().send(event)
            return
        if self._framed[0] is not self.response:
            encoding = self.response.headers.get("transfer-encoding", "")
            self._framed = (self.response, "chunked" in encoding.lower())
        if data := event.data:
            yield commands.SendData(
                self.conn, b"%x\r\n%b\r\n" % (len(data), data) if self._framed[1] else data
            )


class Client(_WithTrailers, _http1.Http1Client):
    """The side of the provider."""

    ReceiveTrailers = ResponseTrailers

    def read_headers(self, event: events.ConnectionEvent) -> layer.CommandGenerator[None]:
        while isinstance(event, events.DataReceived) and _interim(bytes(self.buf)[:13]):
            if self.buf.maybe_extract_lines() is None:
                return
        yield from super().read_headers(event)


def _interim(start: bytes) -> bool:
    """`HTTP/1.1 1xx`, but not 101, after which the connection is another protocol's."""
    return start[:8] in (b"HTTP/1.1", b"HTTP/1.0") and start[8:10] == b" 1" and start[10:12] != b"01"


def apply() -> None:
    from mitmproxy.proxy.layers import http as http_layers

    _http1.ChunkedReader = Chunks  # type: ignore[misc]
    http_layers.Http1Server = Server  # type: ignore[misc]
    http_layers.Http1Client = Client  # type: ignore[misc]
