"""The kill switch, thrown from another process while streams and WebSockets are open, and released again."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest

from tests.rig import client, framings, http1, websocket
from tests.rig import upstream as rig
from tests.rig.framings import OPENAI, OPENAI_SSE, SSE, Exchange
from tests.rig.processes import Process, calls, drain, environment, proxy_process
from tests.rig.wire import Ended, Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What the kill switch may take, and what a loaded machine may add to it.
SECONDS, PATIENCE = 1.0, 9.0
CREATED = b'{"type":"response.created","response":{"id":"r","status":"in_progress"}}'
RULES = """
rules:
  - {id: no-shouting, action: block, when: {text: {matches: SHOUT, source: user}}}
"""


@dataclass
class Endless:
    """A provider that begins an answer and goes on until the connection is gone. `said` is what came on WebSockets after their
    first message, `gone` how many connections ended on this side."""

    said: list[bytes] = field(default_factory=list)
    gone: int = 0

    async def __call__(self, asked: rig.Exchange) -> None:
        try:
            if b"websocket" in asked.request.head.raw.lower():
                await asked.wire.send(websocket.accept(asked.request.head))
                await websocket.read_message(asked.wire)
                await asked.wire.send(websocket.frame(CREATED))
                while (frame := await websocket.read_message(asked.wire)).opcode != websocket.CLOSE:
                    self.said.append(frame.payload)
            else:
                parts = Exchange("", OPENAI, "", OPENAI_SSE[:2], SSE, "chunked").response_parts()[:-1]
                await asked.play(tuple(parts))
            await asked.wire.gone()
        except Ended:
            asked.wire.ended = True
        self.gone += 1


@pytest.fixture(scope="module")
def proxy(module_upstream: rig.Upstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("panic")
    (folder / "policies").mkdir()
    (folder / "policies" / "rules.yaml").write_text(RULES)
    with proxy_process(folder, module_upstream) as running:
        yield running


async def _stream(proxy: Process) -> Wire:
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(Exchange("", OPENAI, "/v1/chat/completions", ()).request())
    await wire.until(OPENAI_SSE[1])
    return wire


async def _socket(proxy: Process) -> Wire:
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(websocket.handshake(OPENAI, "/v1/responses"))
    assert (await http1.read_head(wire)).status == 101
    await wire.send(websocket.frame(b'{"type": "response.create", "model": "gpt-5"}', mask=True))
    assert (await websocket.read_message(wire)).payload == CREATED
    return wire


def _create(words: str) -> bytes:
    body = {"type": "response.create", "model": "gpt-5", "input": words}
    return websocket.frame(json.dumps(body).encode(), mask=True)


async def _ended(wire: Wire) -> None:
    try:
        while await wire.some():
            pass
    except (Ended, OSError):
        pass


async def _talks(wire: Wire) -> None:
    """A client that goes on sending for as long as it is let."""
    with contextlib.suppress(OSError):
        for n in count():
            await wire.send(_create(f"number {n}"))
            await asyncio.sleep(0.02)


async def _llmitm(folder: Path, *arguments: str) -> None:
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", "from addons.cli import main; main()", "policy", *arguments],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


async def _asked(proxy: Process, body: bytes | None = None) -> tuple[int, bytes]:
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    ask = Exchange("", OPENAI, "/v1/chat/completions", ())
    await wire.send((ask if body is None else replace(ask, request_body=body)).request())
    message = await http1.read_message(wire, answer_to=b"POST")
    await wire.close()
    return message.head.status, message.body


async def _status_becomes(proxy: Process, status: int) -> bytes:
    """The proxy looks at the switch several times a second."""
    until = time.monotonic() + SECONDS + PATIENCE
    while True:
        found, body = await _asked(proxy)
        if found == status or time.monotonic() > until:
            assert found == status
            return body
        await asyncio.sleep(0.05)


async def test_open_calls_are_closed_on_both_sides_new_ones_refused_until_resumed(
    module_upstream: rig.Upstream, proxy: Process
) -> None:
    module_upstream.handler = provider = Endless()
    async with asyncio.timeout(60):
        open_calls = [await _stream(proxy), await _stream(proxy), await _socket(proxy), await _socket(proxy)]
        talking = [asyncio.create_task(_talks(wire)) for wire in open_calls[2:]]
        while len(provider.said) < 4:  # frames pass before
            await asyncio.sleep(0.02)
        await _llmitm(proxy.folder, "panic", "--reason", "a key is out")
        async with asyncio.timeout(SECONDS + PATIENCE):
            await asyncio.gather(*map(_ended, open_calls))
            while provider.gone < len(open_calls):
                await asyncio.sleep(0.02)
        reached, said = len(module_upstream.exchanges), len(provider.said)
        body = await _status_becomes(proxy, 403)
        assert b"panic: all requests are stopped: a key is out" in body
        with pytest.raises((Ended, OSError, AssertionError)):
            await _socket(proxy)
        for task in talking:
            task.cancel()
        assert (len(module_upstream.exchanges), len(provider.said)) == (reached, said)

        await _llmitm(proxy.folder, "resume")
        answer = Exchange("", OPENAI, "", OPENAI_SSE, framings.SSE, "chunked").response
        module_upstream.handler = rig.script(answer)
        await _status_becomes(proxy, 200)

    await asyncio.to_thread(drain, proxy.folder)
    rows = calls(proxy.folder)
    began = [row for row in rows if row["status_code"] != 403]
    assert {row["state"] for row in began[:-1]} <= {"aborted", "error", "interrupted"}
    refused = [row["state"] for row in rows if row["status_code"] == 403]
    assert refused == ["blocked"] * len(refused)
    assert rows[-1]["state"] == "complete"


async def test_observe_lets_everything_pass_and_tells_what_rules_would_do(
    module_upstream: rig.Upstream, proxy: Process
) -> None:
    answer = Exchange("", OPENAI, "", OPENAI_SSE, framings.SSE, "chunked").response
    module_upstream.handler = rig.script(answer)
    shouted = b'{"model": "gpt-5", "messages": [{"role": "user", "content": "please SHOUT"}]}'
    async with asyncio.timeout(60):
        assert (await _asked(proxy, shouted))[0] == 403
        module_upstream.handler = provider = Endless()
        stream, socket = await _stream(proxy), await _socket(proxy)
        await socket.send(_create("please SHOUT"))
        assert b"no-shouting" in (await websocket.read_message(socket)).payload
        await _llmitm(proxy.folder, "panic", "--observe")
        while not provider.said:  # the open connection stays, and what rules stopped passes
            await socket.send(_create("now SHOUT"))
            await asyncio.sleep(0.05)
        assert b"now SHOUT" in provider.said[0]
        assert provider.gone == 0
        module_upstream.handler = rig.script(answer)
        assert (await _asked(proxy, shouted))[0] == 200
        await _llmitm(proxy.folder, "resume")
        module_upstream.handler = rig.script(answer)
        while (await _asked(proxy, shouted))[0] != 403:
            await asyncio.sleep(0.05)
        stream.reset()
        socket.reset()

    await asyncio.to_thread(drain, proxy.folder)
    path = proxy.data_dir / "traffic.db"
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        told = set(db.execute("select action, acted from decisions where rule = 'no-shouting'"))
    assert told == {("block", 1), ("block", 0)}
