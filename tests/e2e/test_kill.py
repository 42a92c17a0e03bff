"""`kill -9` at any moment: what was delivered is on record, once."""

from __future__ import annotations

import asyncio
import json
import random
from contextlib import closing
from pathlib import Path

import pytest

from intelligence.store import queries
from tests.rig import client, http1
from tests.rig.processes import calls, drain, proxy_process, worker_process
from tests.rig.upstream import Exchange, Upstream
from tests.rig.wire import Ended

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "api.openai.com"
MOMENTS = 20


def request_body(mark: str, *, stream: bool) -> bytes:
    return json.dumps(
        {"model": "m", "stream": stream, "messages": [{"role": "user", "content": mark}]}
    ).encode()


def event(text: str) -> bytes:
    return (
        b"data: "
        + json.dumps({"model": "m", "choices": [{"index": 0, "delta": {"content": text}}]}).encode()
        + b"\n\n"
    )


async def answer(exchange: Exchange) -> None:
    """Streams when asked to, a few words at a time."""
    if not exchange.request.complete:
        return
    asked = json.loads(exchange.request.body)
    if not asked["stream"]:
        body = json.dumps(
            {"model": "m", "choices": [{"message": {"content": "ok"}, "finish_reason": "stop"}]}
        ).encode()
        await exchange.wire.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
            + body
        )
        return
    await exchange.wire.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    for n in range(40):
        piece = event(f"w{n} ")
        await exchange.wire.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        await asyncio.sleep(0.004)
    await exchange.wire.send(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")


class Load:
    """Clients that call until the proxy is gone, and what each of them received."""

    def __init__(self) -> None:
        self.whole: dict[str, bytes] = {}
        self.partial: dict[str, bytes] = {}

    async def run(self, proxy, name: str, rng: random.Random) -> None:
        number = 0
        while True:
            number += 1
            mark = f"{name}-{number}"
            wire = None
            try:
                wire = await client.connect(proxy.address, HOST, ca_file=proxy.ca_file)
                body = request_body(mark, stream=rng.random() < 0.6)
                await wire.send(
                    b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n" % len(body) + body
                )
                message = await http1.read_message(wire, answer_to=b"POST")
                if not message.complete:
                    self.partial[mark] = bytes(wire.received)
                    return
                self.whole[mark] = message.body
                await wire.close()
            except (OSError, Ended):
                self.partial[mark] = bytes(wire.received) if wire else b""
                return


async def under_load(proxy, seed: int, seconds: float) -> Load:
    load, rng = Load(), random.Random(seed)
    tasks = [
        asyncio.create_task(load.run(proxy, f"s{seed}c{i}", random.Random(rng.random()))) for i in range(6)
    ]
    await asyncio.sleep(seconds)
    proxy.kill()
    await asyncio.wait(tasks, timeout=10)
    return load


async def test_a_killed_proxy_loses_nothing_that_was_delivered(upstream: Upstream, tmp_path: Path) -> None:
    rng = random.Random(20)
    whole: dict[str, bytes] = {}
    partial: dict[str, bytes] = {}
    for moment in range(MOMENTS):
        upstream.handler = answer
        with proxy_process(tmp_path, upstream) as proxy:
            load = await under_load(proxy, moment, 0.1 + rng.random() * 0.5)
        whole |= load.whole
        partial |= load.partial
    asked = [exchange.request for exchange in upstream.exchanges]
    seen = [json.loads(one.body)["messages"][0]["content"] for one in asked if one.complete]
    drain(tmp_path)
    stored = by_mark(tmp_path)
    assert len(whole) > 20 and any(partial.values()), "the load was a load"
    assert set(seen) <= set(stored), "every request the provider saw"
    assert len(asked) <= len(stored), "also those of which it saw only a part"
    for mark, body in whole.items():
        row, raw = stored[mark]
        assert (row["state"], raw) == ("complete", body)
    for mark, received in partial.items():
        _, _, chunks = received.partition(b"\r\n\r\n")
        if chunks:
            row, raw = stored[mark]
            assert row["state"] in ("interrupted", "complete")
            assert dechunked(chunks) == raw[: len(dechunked(chunks))], (
                "every byte of a cut stream the client got"
            )


def by_mark(folder: Path) -> dict[str, tuple[dict, bytes]]:
    """Every recorded call by the text of its prompt: its row and the answer's bytes."""
    stored: dict[str, tuple[dict, bytes]] = {}
    with closing(queries.connect(folder / "data" / "traffic.db")) as db:
        for row in calls(folder):
            seq = queries.call(db, row["id"])["seq"]
            request = queries.body(db, seq, "request", [], 1 << 20)
            mark = json.loads(request)["messages"][0]["content"]
            assert mark not in stored, f"{mark} is there twice"
            stored[mark] = (row, queries.body(db, seq, "response", [], 1 << 24))
    return stored


def dechunked(data: bytes) -> bytes:
    """The content of as many chunks as are there, the last one as far as it goes."""
    out = b""
    while b"\r\n" in data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        out += data[:length]
        data = data[length + 2 :]
    return out


async def test_a_killed_worker_neither_loses_nor_doubles(upstream: Upstream, tmp_path: Path) -> None:
    rng = random.Random(21)
    upstream.handler = answer
    load = Load()
    with proxy_process(tmp_path, upstream) as proxy:
        tasks = [asyncio.create_task(load.run(proxy, f"c{i}", random.Random(i))) for i in range(4)]
        for _ in range(MOMENTS):
            with worker_process(tmp_path) as worker:
                await asyncio.sleep(rng.random() * 0.3)
                worker.kill()
        proxy.kill()
        await asyncio.wait(tasks, timeout=10)
    drain(tmp_path)
    rows = calls(tmp_path)
    asked = {
        json.loads(e.request.body)["messages"][0]["content"] for e in upstream.exchanges if e.request.complete
    }
    assert len({row["id"] for row in rows}) == len(rows)
    assert len(asked) <= len(rows) <= len(asked) + len(tasks), (
        "each once; some may not have left before the kill"
    )
    assert sum(row["state"] == "complete" for row in rows) >= len(load.whole)
    assert all(
        row["text"] == "".join(f"w{n} " for n in range(40))
        for row in rows
        if row["stream"] and row["state"] == "complete"
    )
