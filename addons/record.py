"""Record: every call to the journal, each piece before it is handed on.

The request is written before it leaves, each chunk of the answer before the client gets it, and how the call ended. An error
here costs the record, never the traffic: the stream tap catches everything and returns the bytes it was given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

from mitmproxy import connection, http

from addons.call import Call, call_of
from intelligence.store.journal import EndHead, MessageHead, RequestHead, ResponseHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.wire.credentials import Redactor
from intelligence.wire.recorded import strip_body, strip_request, without_encoding

logger = logging.getLogger(__name__)

# How mitmproxy begins to say that it was the client that ended an exchange.
CLIENT_LEFT = ("Client disconnected", "stream reset by client", "stream closed by client")

Tap = Callable[[bytes], bytes | Iterable[bytes]]


class Record:
    name = "record"

    def __init__(self, journal: JournalWriter, redactor: Redactor) -> None:
        self.journal = journal
        self.redactor = redactor
        self.open: dict[str, tuple[Call, http.HTTPFlow]] = {}
        self.calls = 0

    # --- request -----------------------------------------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call is None or flow.error or not flow.live:
            return
        if flow.request.stream and call.head:  # too large to hold: recorded without its body
            self._request(flow, call, b"")

    def request(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call is None or flow.error or call.ended or call.recorded:
            return
        self._request(flow, call, (flow.request.raw_content or b"") if call.sent is None else call.sent)

    def _request(self, flow: http.HTTPFlow, call: Call, body: bytes) -> None:
        head = call.head or self._bare_head(flow, call)
        body = strip_request(self.redactor, head, call.encoding, body, call.conversation)
        call.recorded = self.journal.request(call.id, head, body)
        self.governed(call)
        if flow.id not in self.open:
            self.calls += 1
        self.open[flow.id] = (call, flow)

    def governed(self, call: Call) -> None:
        """What policy said of this call since it was last asked."""
        for head in call.governed:
            self.journal.govern(call.id, head)
        call.governed.clear()

    def _bare_head(self, flow: http.HTTPFlow, call: Call) -> RequestHead:
        """What can be said when `identify` failed."""
        request, target = flow.request, call.target
        return RequestHead(
            request.method,
            request.scheme,
            request.host,
            request.port,
            self.redactor.strip_path(request.path),
            request.http_version,
            self.redactor.strip_headers(request.headers.fields),
            provider=target.provider,
            operation=target.operation,
            format=target.format,
        )

    # --- answer ------------------------------------------------------------------------------------------------

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        call, response = call_of(flow), flow.response
        if call is None or response is None or flow.error:
            return
        if response.raw_content is not None or self._mints_secrets(call) or call.cut == "whole":
            return  # whole already, or held until it is: recorded in `response`
        self.journal.response(call.id, self._response_head(response))
        if response.status_code != 101:
            response.stream = self._tap(call, response.stream if callable(response.stream) else None)

    def _response_head(self, response: http.Response) -> ResponseHead:
        return ResponseHead(
            response.status_code,
            response.reason or "",
            response.http_version,
            self.redactor.strip_headers(response.headers.fields),
        )

    @staticmethod
    def _mints_secrets(call: Call) -> bool:
        """A Realtime session made over HTTP answers with a client secret: held whole, to be stripped before it is written."""
        return call.target.operation == "realtime" and not (call.head and call.head.websocket)

    def _tap(self, call: Call, before: Tap | None = None) -> Tap:
        """`before` is what policy makes of each piece: recorded is what it lets through."""
        chunk, call_id = self.journal.chunk, call.id

        def tap(data: bytes) -> bytes:
            if data:  # b"" says that the body ended in order; `response` follows
                try:
                    chunk(call_id, data)
                except Exception:  # an error here must not cut the stream
                    logger.exception("recording a chunk failed (call %s)", call.text_id)
            return data

        def behind(data: bytes) -> Iterable[bytes]:
            assert before
            pieces = before(data)
            return [tap(piece) for piece in ([pieces] if isinstance(pieces, bytes) else pieces)]

        return behind if before else tap

    def response(self, flow: http.HTTPFlow) -> None:
        call, response = call_of(flow), flow.response
        if call is None or response is None or call.ended:
            return
        if not response.stream and response.status_code != 101:
            self._whole(call, response)
        if not flow.websocket:
            self._end(flow, call, "blocked" if call.answered else "complete")

    def _whole(self, call: Call, response: http.Response) -> None:
        """An answer that was not streamed: made by an addon, or held."""
        head, body = self._response_head(response), response.raw_content or b""
        stripped = strip_body(self.redactor, response.headers.get("content-encoding"), body)
        if stripped is not None:
            head.body_redacted = True
            head.headers = without_encoding(head.headers)
            body = stripped
        self.journal.response(call.id, head)
        if body:
            self.journal.chunk(call.id, body)

    def error(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call is None or call.ended:
            return
        if flow.id not in self.open:
            return  # it broke off before its body was whole: nothing was forwarded
        message = flow.error.msg if flow.error else ""
        if call.answered:
            self._end(flow, call, "blocked")
            return
        self._end(
            flow,
            call,
            "client_left" if _client_left(message, flow.client_conn) else "upstream_error",
            message,
        )

    # --- WebSocket ---------------------------------------------------------------------------------------------

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        call = call_of(flow)
        if call is None or not flow.websocket or not flow.websocket.messages:
            return
        message = flow.websocket.messages[-1]
        if message is call.said:
            return
        self._message(call, message.from_client, message.content, is_text=message.is_text)

    def said(self, call: Call, data: bytes, *, is_text: bool) -> None:
        """A message to the client, recorded before it is known in what form it leaves."""
        self._message(call, False, data, is_text=is_text)

    def _message(self, call: Call, from_client: bool, data: bytes, *, is_text: bool) -> None:
        stripped = self.redactor.strip_body(data) if is_text else None
        head = MessageHead(from_client, is_text, redacted=stripped is not None)
        self.journal.message(call.id, head, data if stripped is None else stripped)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        call, socket = call_of(flow), flow.websocket
        if call is None or socket is None or call.ended:
            return
        # Agents often leave without a close frame (1005, 1006): that is how they hang up, not a failure.
        self._end(
            flow, call, "client_left" if socket.closed_by_client else "complete", close_code=socket.close_code
        )

    # --- end ---------------------------------------------------------------------------------------------------

    def done(self) -> None:
        """The proxy stops: connections are cut after this, so the open calls end here."""
        for call, flow in list(self.open.values()):
            self._end(flow, call, "proxy_stopped")
        self.journal.close()

    def _end(
        self,
        flow: http.HTTPFlow,
        call: Call,
        cause: str,
        message: str | None = None,
        close_code: int | None = None,
    ) -> None:
        call.ended = True
        self.open.pop(flow.id, None)
        self.governed(call)
        self.journal.end(call.id, end_of(flow, cause, message, close_code))


def end_of(
    flow: http.HTTPFlow, cause: str, message: str | None = None, close_code: int | None = None
) -> EndHead:
    """How a flow ended, with the times it took to get there."""
    server, request = flow.server_conn, flow.request
    fresh = (server.timestamp_start or 0) >= request.timestamp_start  # connected for this call, not reused
    return EndHead(
        cause,
        message,
        connect_ms=_ms(server.timestamp_start, server.timestamp_tcp_setup) if fresh else None,
        tls_ms=_ms(server.timestamp_tcp_setup, server.timestamp_tls_setup) if fresh else None,
        request_ms=_ms(request.timestamp_start, request.timestamp_end),
        close_code=close_code,
    )


def _client_left(message: str, client: connection.Client) -> bool:
    return message.startswith(CLIENT_LEFT) or not client.connected


def _ms(start: float | None, end: float | None) -> float | None:
    return round((end - start) * 1000, 3) if start and end else None
