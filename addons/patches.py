"""Where mitmproxy itself is altered, each for a reason no addon can meet. Checked against 12.2.3; `apply()` is idempotent.

- Hook dispatch by table (`addons.dispatch`).
- A tunnel is decided when it opens, not at the client's first byte: protocols in which the server speaks first (SSH, SMTP, MySQL)
  would wait for ever on a lazy connection.
- More than five upstream connections per client connection and address, so that one HTTP/2 connection carries its streams in
  parallel also to a provider that speaks HTTP/1.
- No type checks of each request and response by reflection, and no deep copies of option values that cannot change: together
  a tenth of the CPU per request.
- A WebSocket message has a largest size: mitmproxy assembles each one whole before it hands it on.
- A WebSocket message may leave as several, in its place in the order (`Several`); injected ones come when they come.
- Trailers and interim answers of HTTP/1 (`addons.http1`).
- What has arrived is read at once, not 64 KB at a time: each piece of a long prompt would go through all layers.
- No failed reads of TLS (`addons.tls`), and no waiting for writers that hold nothing: a twentieth of the CPU per chunk.
- An answer that policy stops ends in order for the client, and its connection or stream upstream is closed.
- An upstream failure on an LLM call is answered in the provider's own error shape, not with an HTML page.
"""

from __future__ import annotations

import asyncio
import collections
import logging
from collections.abc import Iterator, Sequence
from typing import Any, Self

import wsproto.events
from mitmproxy import addonmanager, flow, http, optmanager
from mitmproxy.proxy import context, layer, mode_servers
from mitmproxy.proxy.layers import http as http_layers
from mitmproxy.proxy.layers import websocket
from mitmproxy.proxy.layers.http import (
    ErrorCode,
    HttpErrorHook,
    HttpStream,
    RequestProtocolError,
    ResponseData,
    ResponseEndOfMessage,
    ResponseHeaders,
    ResponseProtocolError,
    SendHttp,
)

from addons import answers, http1, tls
from addons.call import call_of
from addons.dispatch import HookTable
from addons.scope import MAX_CALL_BYTES

logger = logging.getLogger("llmitm.proxy")

MAX_UPSTREAM_CONNECTIONS = 256
READ_AT_ONCE = 256 * 1024
MAX_MESSAGE_BYTES = 32 * 1024 * 1024


class DecidingLayer(layer.NextLayer):
    def __init__(self, ctx: context.Context, ask_on_start: bool = True) -> None:
        super().__init__(ctx, ask_on_start=True)


class Handler(mode_servers.ProxyConnectionHandler):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.max_conns = collections.defaultdict(lambda: asyncio.Semaphore(MAX_UPSTREAM_CONNECTIONS))

    async def handle_connection(self, connection: Any) -> None:
        io = self.transports[connection]
        if isinstance(io.reader, asyncio.StreamReader):
            io.reader = _Reader(io.reader)  # type: ignore[assignment]
        await super().handle_connection(connection)

    async def drain_writers(self) -> None:
        if not all(_is_drained(one.writer) for one in self.transports.values()):
            await super().drain_writers()


class _Reader:
    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._read = reader.read

    async def read(self, _most: int) -> bytes:
        return await self._read(READ_AT_ONCE)


def _is_drained(writer: Any) -> bool:
    if not isinstance(writer, asyncio.StreamWriter):
        return writer is None
    return not (writer.is_closing() or writer.transport.get_write_buffer_size())


class BoundedSocket(websocket.WebsocketConnection):
    """Ends the conversation, as if its sender had hung up, when one message grows beyond any that providers take."""

    frame_buf: list[bytes] = []  # noqa: RUF012  # wsproto calls `receive_data` before mitmproxy sets it

    def receive_data(self, data: bytes | None) -> None:
        if data is not None and sum(map(len, self.frame_buf)) > MAX_MESSAGE_BYTES:
            logger.warning(
                "a WebSocket message of over %d MB: the connection is closed", MAX_MESSAGE_BYTES >> 20
            )
            data = None
        super().receive_data(data)


class Several(bytes):
    """The content of a message that leaves as these."""

    def __new__(cls, messages: Sequence[bytes]) -> Self:
        made = super().__new__(cls, b"\n".join(messages))
        made.messages = tuple(messages)
        return made

    messages: tuple[bytes, ...]


class Fragments(websocket.Fragmentizer):
    def __call__(self, content: bytes) -> Iterator[wsproto.events.Message]:
        if not isinstance(content, Several):
            yield from super().__call__(content)
            return
        self.fragment_lengths = []
        for one in content.messages:
            yield from super().__call__(one)


class Stream(HttpStream):
    def check_body_size(self, request: bool) -> layer.CommandGenerator[bool]:
        """Asked at every piece: mitmproxy's own check reads its options' text each time."""
        if request and len(self.request_body_buf) > MAX_CALL_BYTES:
            return (yield from super().check_body_size(request))
        return False

    def state_stream_response_body(self, event: Any) -> layer.CommandGenerator[None]:
        yield from super().state_stream_response_body(event)
        if isinstance(event, ResponseData) and (call := call_of(self.flow)) and call.over:
            cancel = RequestProtocolError(self.stream_id, "stopped by policy", ErrorCode.CANCEL)
            yield SendHttp(cancel, self.context.server)
            yield from super().state_stream_response_body(ResponseEndOfMessage(self.stream_id))

    def handle_protocol_error(self, event: Any) -> layer.CommandGenerator[None]:
        if (
            isinstance(event, ResponseProtocolError)
            and event.code not in (ErrorCode.KILL, ErrorCode.PASSTHROUGH_CLOSE)
            and self.client_state == self.state_done
            and self.server_state == self.state_wait_for_response_headers
            and (call := call_of(self.flow))
            and not self.flow.websocket
        ):
            self.flow.error = flow.Error(event.message)
            response = answers.error(
                call, 502, f"llmitm could not reach {self.flow.request.host}: {event.message}"
            )
            yield HttpErrorHook(self.flow)
            yield SendHttp(ResponseHeaders(self.stream_id, response, False), self.context.client)
            yield SendHttp(ResponseData(self.stream_id, response.raw_content or b""), self.context.client)
            yield SendHttp(ResponseEndOfMessage(self.stream_id), self.context.client)
            self.server_state = self.state_errored
            self.flow.live = False
            yield http_layers.DropStream(self.stream_id)
        else:
            yield from super().handle_protocol_error(event)


_IMMUTABLE = (str, int, bool, type(None))
_current = optmanager._Option.current


def _option_value(option: optmanager._Option) -> Any:
    value = option._default if option.value is optmanager.unset else option.value
    return value if isinstance(value, _IMMUTABLE) else _current(option)


def apply() -> None:
    http.MessageData.__post_init__ = lambda self: None  # type: ignore[method-assign]
    optmanager._Option.current = _option_value  # type: ignore[method-assign,assignment]
    addonmanager.AddonManager = HookTable  # type: ignore[misc]
    layer.NextLayer = DecidingLayer  # type: ignore[misc,assignment]
    mode_servers.ProxyConnectionHandler = Handler  # type: ignore[misc]
    http_layers.HttpStream = Stream  # type: ignore[misc]
    websocket.WebsocketConnection = BoundedSocket  # type: ignore[misc]
    websocket.Fragmentizer = Fragments  # type: ignore[misc]
    http1.apply()
    tls.apply()
