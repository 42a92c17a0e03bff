"""However a call ends, its row says so, with what had arrived: DESIGN's `state` for each way, through journal and worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.rig import client, framings, http1, websocket
from tests.rig import upstream as rig
from tests.rig.framings import OPENAI, OPENAI_SSE, SSE, Exchange
from tests.rig.processes import Process, calls, drain, proxy_process
from tests.rig.wire import Wire

pytestmark = pytest.mark.asyncio(loop_scope="module")

HALF, WHOLE = "Hello", "Hello, wörld \U0001f30d\\n\ndone"


def _answer(events: tuple[bytes, ...], headers: framings.Fields = SSE) -> tuple[bytes, ...]:
    """Head and chunks, without the last one."""
    return tuple(Exchange("", OPENAI, "", events, headers, "chunked").response_parts()[:-1])


async def _leave_after(wire: Wire, mark: bytes) -> None:
    await wire.until(mark)
    await wire.close()


async def _read_all(wire: Wire, _: bytes) -> None:
    await http1.read_message(wire, answer_to=b"POST")
    await wire.close()


HALF_EVENTS = OPENAI_SSE[:2]
GZIP = framings.flushed("gzip", OPENAI_SSE)
DAMAGED = (*GZIP[:2], b"\xff\xff not deflate \xff", *GZIP[3:])

# Steps of the provider, what the client does, and the state and text the row must have.
ENDINGS: dict[str, tuple[tuple[rig.Step, ...], Callable[[Wire, bytes], Awaitable[None]], str, str | None]] = {
    "whole": ((*_answer(OPENAI_SSE), b"0\r\n\r\n"), _read_all, "complete", WHOLE),
    "client left": (_answer(HALF_EVENTS), _leave_after, "aborted", HALF),
    "client left after the last event": (_answer(OPENAI_SSE), _leave_after, "complete", WHOLE),
    "provider cut": ((*_answer(HALF_EVENTS), 0.05, rig.End.CUT), _read_all, "error", HALF),
    "provider reset": ((*_answer(HALF_EVENTS), 0.05, rig.End.RESET), _read_all, "error", HALF),
    "provider closed before its last event": (
        (Exchange("", OPENAI, "", HALF_EVENTS, SSE, "eof").response, rig.End.CLOSE),
        _read_all,
        "error",
        HALF,
    ),
    "nothing but the end": ((rig.End.CUT,), _read_all, "error", None),
    "damaged encoding": (
        (*_answer(DAMAGED, framings.encoded("gzip", SSE)), b"0\r\n\r\n"),
        _read_all,
        "error",
        HALF,
    ),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rows(module_upstream: rig.Upstream, proxy: Process) -> dict[str, dict[str, Any]]:
    """Every ending played, one after another; then the rows of `calls`, by the case in their path."""
    for case, (steps, finish, _, text) in ENDINGS.items():
        module_upstream.handler = _player(steps)
        mark = OPENAI_SSE[-1] if text == WHOLE else HALF_EVENTS[-1]
        async with asyncio.timeout(10):
            await finish(await _ask(proxy, case), mark)
    await _leave_websocket(module_upstream, proxy)
    await asyncio.to_thread(drain, proxy.folder)
    return {row["path"].rpartition("=")[2]: row for row in calls(proxy.folder)}


def _player(steps: tuple[rig.Step, ...]) -> rig.Handler:
    async def play(asked: rig.Exchange) -> None:
        await asked.play(steps)
        if isinstance(steps[-1], bytes):
            await asked.wire.gone()

    return play


async def _ask(proxy: Process, case: str) -> Wire:
    path = f"/v1/chat/completions?case={case.replace(' ', '-')}"
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(Exchange("", OPENAI, path, ()).request())
    return wire


async def _leave_websocket(upstream: rig.Upstream, proxy: Process) -> None:
    """In the middle of a response, without a close frame."""

    async def handler(asked: rig.Exchange) -> None:
        await asked.wire.send(websocket.accept(asked.request.head))
        await websocket.read_message(asked.wire)
        for event in (
            b'{"type":"response.created","response":{"id":"r","status":"in_progress"}}',
            b'{"type":"response.output_text.delta","item_id":"i","delta":"Hello"}',
        ):
            await asked.wire.send(websocket.frame(event))
        await asked.wire.gone()

    upstream.handler = handler
    wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
    await wire.send(websocket.handshake(OPENAI, "/v1/responses?case=websocket"))
    await http1.read_head(wire)
    await wire.send(websocket.frame(b'{"type":"response.create","model":"m-1","input":"hi"}', mask=True))
    await websocket.read_message(wire)
    await websocket.read_message(wire)
    await wire.close()


@pytest.mark.parametrize("case", ENDINGS)
async def test_ending(rows: dict[str, dict[str, Any]], case: str) -> None:
    _, _, state, text = ENDINGS[case]
    row = rows[case.replace(" ", "-")]
    assert (row["state"], row["text"]) == (state, text)


async def test_websocket_client_left(rows: dict[str, dict[str, Any]]) -> None:
    assert (rows["websocket"]["state"], rows["websocket"]["text"]) == ("aborted", "Hello")


async def test_proxy_stopped(upstream: rig.Upstream, tmp_path: Path) -> None:
    """A stop in order and a kill: both leave what the client got, as `interrupted`."""
    upstream.handler = rig.script(*_answer(HALF_EVENTS), asyncio.Event())
    for number, end in enumerate((Process.stop, Process.kill)):
        folder = tmp_path / str(number)
        with proxy_process(folder, upstream) as proxy:
            wire = await _ask(proxy, "stopped")
            await wire.until(HALF_EVENTS[-1])
            await asyncio.to_thread(end, proxy)
            await wire.close()
        await asyncio.to_thread(drain, folder)
        [row] = calls(folder)
        assert (row["state"], row["text"]) == ("interrupted", HALF)
