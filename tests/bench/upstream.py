"""The benchmark's provider: `python -m tests.bench.upstream LEAF.pem` prints its port and serves until it is
ended.

TLS, HTTP/1.1, keep-alive, nothing parsed that need not be. `X-Bench: json` gets a chat completion, `X-Bench:
sse N MS` N events MS milliseconds apart, each carrying the monotonic time (ns) at which it was written.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from typing import Any

import uvloop

from tests.bench.bodies import EVENT, LAST_EVENTS, completion

_COMPLETION = completion()
JSON_ANSWER = (
    b"HTTP/1.1 200 OK\r\ndate: Mon, 02 Jun 2025 10:00:00 GMT\r\ncontent-type: application/json\r\n"
    b"x-request-id: req_bench\r\nopenai-processing-ms: 5\r\ncontent-length: %d\r\n\r\n%b"
) % (len(_COMPLETION), _COMPLETION)
SSE_HEAD = (
    b"HTTP/1.1 200 OK\r\ndate: Mon, 02 Jun 2025 10:00:00 GMT\r\nx-request-id: req_bench\r\n"
    b"content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
)


class Provider(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._wanted = 0
        self._head = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._wanted:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            self._head = bytes(self._buffer[: end + 4]).lower()
            self._wanted = end + 4 + int(self._field(b"content-length"))
        if len(self._buffer) >= self._wanted:
            del self._buffer[: self._wanted]
            self._wanted = 0
            self._answer()

    def _field(self, name: bytes) -> bytes:
        begin = self._head.index(b"\r\n%b:" % name) + len(name) + 3
        return self._head[begin : self._head.index(b"\r\n", begin)].strip()

    def _answer(self) -> None:
        kind, *numbers = self._field(b"x-bench").split()
        if kind == b"json":
            self._transport.write(JSON_ANSWER)
            return
        count, every_ms = map(int, numbers)
        self._transport.write(SSE_HEAD)
        self._event(count, every_ms / 1000, self._loop.time())

    def _event(self, left: int, every: float, due: float) -> None:
        if self._transport.is_closing():
            return
        if left == 0:
            self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(LAST_EVENTS), LAST_EVENTS))
            return
        event = EVENT % time.monotonic_ns()
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        due += every
        self._loop.call_at(due, self._event, left - 1, every, due)


async def _serve(leaf: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf)
    context.set_alpn_protocols(["http/1.1"])
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0, ssl=context)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1]))
