"""The benchmark's client: `python -m tests.bench.load` takes one JSON command a line, answers one JSON line.

The first command says where to: `{"proxy": "host:port" | null, "upstream": "host:port", "connect_to": ...,
"ca": file}`. Each later one is a burst on kept connections:

    {"prompts": N, "concurrency": C, "size": BYTES}                      whole JSON answers
    ... with "new_histories": true                                       and no prompt like one before
    {"streams": N, "chunks": N, "every_ms": MS, "stagger_ms": MS}        event streams, one begun after another
    ... with "prompts_per_second": R, "size": BYTES                      and long prompts arriving beside them
    {"streams_per_second": R, "seconds": S, "chunks": N, "every_ms": MS} event streams begun at a fixed rate

Answers hold what a client can see: `seconds`, `latency_ms` (of prompts), `first_byte_ms` and `chunk_ms` (one
way, from the provider's write to our read), lists sorted.
"""

from __future__ import annotations

import asyncio
import functools
import json
import os
import re
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

import uvloop

from tests.bench import bodies

SENT_AT = re.compile(rb'"t":(\d+)')


class Connection(asyncio.Protocol):
    """One kept connection, one request at a time; a `CONNECT` first, when there is a proxy."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._whole: asyncio.Future[None] = self._loop.create_future()
        self._on_data: Callable[[bytes], None] | None = None
        self._tunnelling = False
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._whole.done():
            self._whole.set_exception(ConnectionError(f"connection lost: {exc}"))

    def data_received(self, data: bytes) -> None:
        if self._on_data:
            self._on_data(data)
            if data.endswith(b"0\r\n\r\n"):
                self._finish()
            return
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        if self._tunnelling:
            self._finish()
            return
        found = re.search(rb"content-length: *(\d+)", self._buffer[:end], re.IGNORECASE)
        if found and len(self._buffer) >= end + 4 + int(found[1]):
            self._finish()

    def _finish(self) -> None:
        if b" 200 " not in self._buffer[:16] and not self._on_data:
            self._whole.set_exception(ConnectionError(bytes(self._buffer[:300])))
        elif not self._whole.done():
            self._whole.set_result(None)

    async def exchange(self, *data: bytes, on_data: Callable[[bytes], None] | None = None) -> None:
        self._buffer.clear()
        self._whole = self._loop.create_future()
        self._on_data = on_data
        self.transport.writelines(data)
        await self._whole

    async def tunnel(self, target: str, context: ssl.SSLContext) -> None:
        self._tunnelling = True
        await self.exchange(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
        self._tunnelling = False
        self.transport = await self._loop.start_tls(
            self.transport, self, context, server_hostname=bodies.HOST
        )


class Load:
    """Connections to one candidate, made when first needed."""

    def __init__(self, where: dict[str, Any]) -> None:
        self._where = where
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.load_verify_locations(where["ca"])
        self._context.set_alpn_protocols(["http/1.1"])
        self._idle: list[Connection] = []
        self._count = self._histories = 0

    async def _connection(self) -> Connection:
        if self._idle:
            return self._idle.pop()
        loop = asyncio.get_running_loop()
        proxy, upstream = self._where["proxy"], self._where["upstream"]
        host, port = (proxy or upstream).split(":")
        if proxy is None:
            _, connection = await loop.create_connection(
                Connection, host, int(port), ssl=self._context, server_hostname=bodies.HOST
            )
            return connection
        _, connection = await loop.create_connection(Connection, host, int(port))
        await connection.tunnel(self._where["connect_to"], self._context)
        return connection

    def _nonce(self) -> bytes:
        self._count += 1
        return b"%016x" % (os.getpid() << 32 | self._count)

    def _unlike_any(self, size: int, count: int) -> list[tuple[bytes, bytes]]:
        """Made before the first is sent: that takes longer than the answer."""
        first, self._histories = self._histories + 1, self._histories + count
        return [bodies.request(bodies.prompt(size, history=first + n), "json") for n in range(count)]

    async def _prompt(self, request: tuple[bytes, bytes], latencies: list[float]) -> None:
        before, after = request
        connection = await self._connection()
        begin = time.perf_counter()
        await connection.exchange(before, self._nonce(), after)
        latencies.append((time.perf_counter() - begin) * 1000)
        self._idle.append(connection)

    async def _stream(
        self, command: dict[str, Any], number: int, first: list[float], chunk_ms: list[float]
    ) -> None:
        chunks, every_ms = command["chunks"], command["every_ms"]
        before, after = _request(2_000, f"sse {chunks} {every_ms}")
        connection = await self._connection()
        await asyncio.sleep(number * command.get("stagger_ms", 0) / 1000)
        seen = False
        begin = time.perf_counter()

        def on_data(data: bytes) -> None:
            nonlocal seen
            now = time.monotonic_ns()
            sent = SENT_AT.findall(data)
            if sent and not seen:
                seen = True
                first.append((time.perf_counter() - begin) * 1000)
            chunk_ms.extend((now - int(t)) / 1e6 for t in sent)

        await connection.exchange(before, self._nonce(), after, on_data=on_data)
        self._idle.append(connection)

    async def burst(self, command: dict[str, Any]) -> dict[str, Any]:
        latencies: list[float] = []
        first: list[float] = []
        chunk_ms: list[float] = []
        new = self._unlike_any(command["size"], command["prompts"]) if command.get("new_histories") else []
        cpu, begin = time.process_time(), time.perf_counter()
        if "streams_per_second" in command:
            await self._begun(command, first, chunk_ms)
        elif "streams" in command:
            streams = asyncio.gather(
                *(self._stream(command, n, first, chunk_ms) for n in range(command["streams"]))
            )
            if rate := command.get("prompts_per_second"):
                await self._arrivals(rate, command["size"], latencies, streams)
            await streams
        else:
            left = command["prompts"]

            async def one_after_another() -> None:
                nonlocal left
                while left > 0:
                    left -= 1
                    request = new.pop() if new else _request(command["size"], "json")
                    await self._prompt(request, latencies)

            await asyncio.gather(*(one_after_another() for _ in range(command["concurrency"])))
        return {
            "seconds": time.perf_counter() - begin,
            "cpu_seconds": time.process_time() - cpu,
            "latency_ms": sorted(latencies),
            "first_byte_ms": sorted(first),
            "chunk_ms": sorted(chunk_ms),
        }

    async def _begun(self, command: dict[str, Any], first: list[float], chunk_ms: list[float]) -> None:
        due = time.perf_counter()
        end = due + command["seconds"]
        running: list[asyncio.Task[None]] = []
        while due < end:
            running.append(asyncio.ensure_future(self._stream(command, 0, first, chunk_ms)))
            due += 1 / command["streams_per_second"]
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await asyncio.gather(*running)

    async def _arrivals(
        self, rate: float, size: int, latencies: list[float], until: asyncio.Future[Any]
    ) -> None:
        """Prompts come at a fixed rate, whether or not the earlier ones are answered."""
        due = time.perf_counter()
        running: list[asyncio.Task[None]] = []
        while not until.done():
            running.append(asyncio.ensure_future(self._prompt(_request(size, "json"), latencies)))
            due += 1 / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await asyncio.gather(*running)


@functools.cache
def _request(size: int, kind: str) -> tuple[bytes, bytes]:
    return bodies.request(bodies.prompt(size, stream=kind != "json"), kind)


async def _main() -> None:
    loop = asyncio.get_running_loop()
    load: Load | None = None
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        if load is None:
            load, answer = Load(command), {}
        else:
            answer = await load.burst(command)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    uvloop.run(_main())
