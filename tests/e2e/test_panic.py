"""The kill switch, thrown from another process while streams and WebSockets are open, and released again."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.rig import client, framings, http1, websocket
from tests.rig import upstream as rig
from tests.rig.framings import OPENAI, OPENAI_SSE, SSE, Exchange
from tests.rig.processes import Process, calls, drain, environment
from tests.rig.wire import Ended, Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What the kill switch may take, and what a loaded machine may add to it.
SECONDS, PATIENCE = 1.0, 9.0
CREATED = b'{"type":"response.created","response":{"id":"r","status":"in_progress"}}'


async def _endless(asked: rig.Exchange) -> None:
    """Begins an answer, and waits until the connection is gone."""
    if b"websocket" in asked.request.head.raw.lower():
        await asked.wire.send(websocket.accept(asked.request.head))
        await websocket.read_message(asked.wire)
        await asked.wire.send(websocket.frame(CREATED))
    else:
        parts = Exchange("", OPENAI, "", OPENAI_SSE[:2], SSE, "chunked").response_parts()[:-1]
        await asked.play(tuple(parts))
    await asked.wire.gone()


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


async def _ended(wire: Wire) -> None:
    try:
        while await wire.some():
            pass
    except (Ended, OSError):
        pass


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


async def _asked(proxy: Process) -> tuple[int, bytes]:
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(Exchange("", OPENAI, "/v1/chat/completions", ()).request())
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


async def test_open_calls_are_closed_new_ones_refused_until_resumed(
    module_upstream: rig.Upstream, proxy: Process
) -> None:
    module_upstream.handler = _endless
    async with asyncio.timeout(60):
        open_calls = [await _stream(proxy), await _stream(proxy), await _socket(proxy), await _socket(proxy)]
        await _llmitm(proxy.folder, "panic", "--reason", "a key is out")
        async with asyncio.timeout(SECONDS + PATIENCE):
            await asyncio.gather(*map(_ended, open_calls))
        reached = len(module_upstream.exchanges)
        body = await _status_becomes(proxy, 403)
        assert b"panic: all requests are stopped: a key is out" in body
        with pytest.raises((Ended, OSError, AssertionError)):
            await _socket(proxy)
        assert len(module_upstream.exchanges) == reached

        await _llmitm(proxy.folder, "resume")
        answer = Exchange("", OPENAI, "", OPENAI_SSE, framings.SSE, "chunked").response
        module_upstream.handler = rig.script(answer)
        await _status_becomes(proxy, 200)

    await asyncio.to_thread(drain, proxy.folder)
    rows = calls(proxy.folder)
    assert {row["state"] for row in rows[:4]} <= {"aborted", "error", "interrupted"}
    assert [row["state"] for row in rows if row["status_code"] == 403] == ["blocked"] * sum(
        row["status_code"] == 403 for row in rows
    )
    assert rows[-1]["state"] == "complete"


async def test_observe_lets_everything_pass(module_upstream: rig.Upstream, proxy: Process) -> None:
    answer = Exchange("", OPENAI, "", OPENAI_SSE, framings.SSE, "chunked").response
    module_upstream.handler = rig.script(answer)
    await _llmitm(proxy.folder, "panic", "--observe")
    await asyncio.sleep(0.5)
    assert (await _asked(proxy))[0] == 200
    await _llmitm(proxy.folder, "resume")
