"""Forgetting and pruning while a suite runs under load: what was forgotten is in no byte under `data/`."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import zstandard

from intelligence.config import Store
from intelligence.store.bodies import decompress
from intelligence.store.check import check
from intelligence.store.perform import perform
from intelligence.store.tree_rows import unpack_part
from tests.rig.authority import client_context
from tests.rig.processes import Process, calls, proxy_process, worker_process
from tests.rig.upstream import Exchange, Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

CANARY = "xqjzcanarykvw"
OF_BOB = "bobsays"


async def answer(exchange: Exchange) -> None:
    said = json.loads(exchange.request.body)["messages"][-1]["content"]
    message = {"role": "assistant", "content": f"you said {said}"}
    body = json.dumps({"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}).encode()
    await exchange.wire.send(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    )


def users(folder: Path) -> Path:
    sha = base64.b64encode(hashlib.sha1(b"pw").digest()).decode()
    path = folder / "users.htpasswd"
    path.write_text("".join(f"{name}:{{SHA}}{sha}\n" for name in ("ann", "bob")))
    return path


class Client:
    def __init__(self, proxy: Process, user: str) -> None:
        self.http = httpx.AsyncClient(
            proxy=f"http://{user}:pw@{proxy.address}",
            verify=client_context(proxy.ca_file, ("http/1.1",)),
            timeout=20,
            trust_env=False,
        )

    async def say(self, text: str) -> None:
        body = {"model": "m", "messages": [{"role": "user", "content": text}]}
        answered = await self.http.post("https://api.openai.com/v1/chat/completions", json=body)
        assert answered.json()["choices"][0]["message"]["content"] == f"you said {text}"


def holding(data_dir: Path, canary: str) -> set[str]:
    """The files that hold it, as they are or unpacked."""
    found = set()
    for path in data_dir.rglob("*"):
        if not path.is_file():
            continue
        data = path.read_bytes()
        if path.suffix == ".zst":
            data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
        if canary.encode() in data.lower():
            found.add(path.name)
    with closing(sqlite3.connect(f"file:{data_dir}/traffic.db?mode=ro", uri=True)) as db:
        plain = [decompress(data) for (data,) in db.execute("select data from bodies")]
        plain += [unpack_part(*row) for row in db.execute("select data, text from messages")]
    if any(canary.encode() in data.lower() for data in plain):
        found.add("what is unpacked")
    return found


async def test_forgotten_under_load(upstream: Upstream, tmp_path: Path) -> None:
    upstream.handler = answer
    store = Store(dir=tmp_path / "data")
    with (
        proxy_process(tmp_path, upstream, proxy__users=users(tmp_path)) as proxy,
        worker_process(tmp_path),
    ):
        going, said = True, 0

        async def load() -> None:
            nonlocal said
            bob = Client(proxy, "bob")
            while going:
                await bob.say(f"{OF_BOB} {said}")
                said += 1

        tasks = [asyncio.create_task(load()) for _ in range(2)]
        ann = Client(proxy, "ann")
        for n in range(20):
            await ann.say(f"{CANARY} number {n} {CANARY * 20}")
        await until(lambda: count(tmp_path, "ann") == 20)
        await asyncio.to_thread(perform, store, "backup", {"file": None})
        held = holding(store.dir, CANARY)
        assert any(name.endswith(".seg") for name in held)
        assert any(name.endswith(".zst") for name in held)
        assert any(name.startswith("traffic.db") for name in held)
        for n in range(5):
            await ann.say(f"{CANARY} once more {n}")
        report = await asyncio.to_thread(
            perform, store, "forget", {"what": "user", "name": "ann", "backups": True}
        )
        assert (report["calls"], report["going_on"], len(report["backups_removed"])) == (25, 0, 1)
        assert holding(store.dir, CANARY) == set()
        before = said
        await until(lambda: said > before + 5)
        report = await asyncio.to_thread(
            perform,
            store,
            "prune",
            {"raw_before_ms": 2**60, "content_before_ms": 2**60, "max_bytes": None},
        )
        assert report["content"] > 0
        going = False
        await asyncio.gather(*tasks)
        await until(lambda: count(tmp_path, "bob") == said)
        assert holding(store.dir, CANARY) == set()
    rows = calls(tmp_path)
    assert len(rows) == said and {row["user"] for row in rows} == {"bob"}
    assert {row["state"] for row in rows} == {"complete"}
    assert [f"{found.name}: {found.problem}" for found in check(store.dir) if found.problem] == []


def count(folder: Path, user: str) -> int:
    return len(calls(folder, "user = ? and state = 'complete'", user))


async def until(condition) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.02)
