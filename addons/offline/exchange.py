"""One exchange with a client, over ASGI: what arrived, and the ways to answer it.

`SeenRequest` is the record a test looks at. `Exchange` answers over HTTP, `Conversation` over a WebSocket. Both can drop the
connection under the client, for which the server puts `drop` into the scope's state.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import brotli
import zstandard

from .faults import Signal

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Headers = list[tuple[str, str]]

MAX_MESSAGE_BYTES = 4 << 20


@dataclass(eq=False)
class SeenRequest:
    """What reached the provider. `path` has its query; `body` is as it came, still content-encoded.

    `status` is what was answered (None: nothing yet), `events` how many pieces of a stream (or WebSocket messages) were sent,
    `aborted` whether the client left before its answer was whole, `ended` whether all is over. Of a WebSocket's `messages`,
    the newest are kept.
    """

    method: str
    host: str
    path: str
    http_version: str
    headers: Headers
    websocket: bool = False
    body: bytes = b""
    messages: deque[str | bytes] = field(default_factory=deque)
    status: int | None = None
    events: int = 0
    aborted: bool = False
    ended: bool = False
    message_bytes: int = 0

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)

    def keep(self, message: str | bytes) -> None:
        self.messages.append(message)
        self.message_bytes += len(message)
        while self.message_bytes > MAX_MESSAGE_BYTES and len(self.messages) > 1:
            self.message_bytes -= len(self.messages.popleft())


def seen_request(scope: Scope) -> SeenRequest:
    headers = [(name.decode("latin1"), value.decode("latin1")) for name, value in scope["headers"]]
    query = scope["query_string"].decode("latin1")
    request = SeenRequest(
        method=scope.get("method", "GET"),
        host="",
        path=scope["raw_path"].decode("latin1") + (f"?{query}" if query else ""),
        http_version=scope["http_version"],
        headers=headers,
        websocket=scope["type"] == "websocket",
    )
    request.host = request.header("host") or request.header(":authority") or ""
    return request


def decoded(body: bytes, encoding: str | None) -> bytes:
    """A request's body without its content-encoding. Raises ValueError."""
    try:
        match encoding:
            case "gzip":
                return zlib.decompress(body, wbits=31)
            case "br":
                return bytes(brotli.decompress(body))
            case "zstd":
                return zstandard.ZstdDecompressor().decompressobj().decompress(body)
            case _:
                return body
    except (zlib.error, brotli.error, zstandard.ZstdError) as error:
        raise ValueError(f"the body is no {encoding}: {error}") from error


class Dropped(Exception):
    """The connection was dropped on purpose; nothing more can be sent."""


async def _drop(scope: Scope) -> None:
    await asyncio.sleep(
        0.05
    )  # HTTP/2 frames are written by the connection's own task: let it empty its buffers
    scope["state"]["drop"]()
    raise Dropped


class Exchange:
    def __init__(self, scope: Scope, send: Send, seen: SeenRequest) -> None:
        self.scope, self.send, self.seen = scope, send, seen
        # Set before the last byte is handed over: a client that leaves after it has aborted nothing.
        self.finished = False

    async def respond(
        self,
        status: int,
        body: bytes,
        content_type: str = "application/json",
        headers: Headers | None = None,
        encoding: str | None = None,
    ) -> None:
        """A whole answer at once."""
        if encoding:
            encode, finish = _encoder(encoding)
            body = encode(body) + finish()
        await self._start(
            status, content_type, [("content-length", str(len(body))), *(headers or [])], encoding
        )
        self.finished = True
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    async def play(
        self,
        parts: Iterable[bytes | Signal],
        content_type: str,
        *,
        drip_ms: float = 0,
        headers: Headers | None = None,
        encoding: str | None = None,
    ) -> None:
        """A streamed 200. Each part leaves at once, compressed or not, `drip_ms` after the one before."""
        encode, finish = _encoder(encoding)
        await self._start(200, content_type, headers or [], encoding)
        for part in parts:
            if isinstance(part, Signal):
                self.finished = True
                await _drop(self.scope)
            else:
                await self.send({"type": "http.response.body", "body": encode(part), "more_body": True})
                self.seen.events += 1
                await asyncio.sleep(drip_ms / 1000)  # also lets a client's leaving be noticed
        self.finished = True
        await self.send({"type": "http.response.body", "body": finish(), "more_body": False})

    async def _start(self, status: int, content_type: str, headers: Headers, encoding: str | None) -> None:
        self.seen.status = status
        all_headers = [("content-type", content_type), *headers]
        if encoding:
            all_headers.append(("content-encoding", encoding))
        raw = [(name.encode(), value.encode()) for name, value in all_headers]
        await self.send({"type": "http.response.start", "status": status, "headers": raw})


class Conversation:
    """An accepted WebSocket."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, seen: SeenRequest) -> None:
        self.scope, self._receive, self._send, self.seen = scope, receive, send, seen

    async def receive(self) -> dict[str, Any] | None:
        """The next message; `{}` if it is no JSON object; None once the client has left."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return None
        data = message.get("text") or message.get("bytes") or ""
        self.seen.keep(data)
        try:
            parsed = json.loads(data)
        except ValueError:
            return {}
        return parsed if isinstance(parsed, dict) else {}

    async def send(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})
        self.seen.events += 1

    async def play(self, parts: Iterable[bytes | Signal], *, drip_ms: float = 0) -> None:
        """One text message for each part."""
        for part in parts:
            if isinstance(part, Signal):
                await _drop(self.scope)
            else:
                await self.send(part.decode(errors="replace"))
                await asyncio.sleep(drip_ms / 1000)

    async def close(self) -> None:
        await self._send({"type": "websocket.close", "code": 1000})


def _encoder(encoding: str | None) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    """(encode, finish): `encode` flushes, so that each part can be read as it arrives."""
    match encoding:
        case "gzip":
            gzip = zlib.compressobj(wbits=31)
            return lambda part: gzip.compress(part) + gzip.flush(zlib.Z_SYNC_FLUSH), gzip.flush
        case "br":
            br = brotli.Compressor()
            return lambda part: br.process(part) + br.flush(), br.finish
        case "zstd":
            zstd = zstandard.ZstdCompressor().compressobj()
            flush_block = zstandard.COMPRESSOBJ_FLUSH_BLOCK
            return lambda part: zstd.compress(part) + zstd.flush(flush_block), zstd.flush
        case _:
            return lambda part: part, lambda: b""
