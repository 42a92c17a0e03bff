"""With parts of the proxy raising on purpose, one at a time, traffic goes on byte for byte, and the log says what failed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import mitmproxy.hooks
import pytest

from addons import pipeline
from intelligence.store.journal import Kind
from intelligence.store.journal_reader import SegmentReader, segments
from tests.e2e.conftest import connect_to
from tests.rig import client, http1, websocket
from tests.rig import upstream as rig
from tests.rig.compare import Connections, check
from tests.rig.faulty import launcher
from tests.rig.framings import EXCHANGES, OPENAI
from tests.rig.processes import Process, proxy_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Raising in these is another matter: a proxy that cannot start, or (server_connect) finds only the real providers.
SPARED = {"load", "configure", "running", "done", "server_connect", "next_layer"}
CALL_HOOKS = {"request", "responseheaders", "response"}
HOOKS = sorted(mitmproxy.hooks.all_hooks.keys() - SPARED)


@dataclass(frozen=True)
class Broken:
    """What raises. `on_calls`: the log has to name the call."""

    name: str
    targets: tuple[str, ...]
    on_calls: bool = True


def _broken() -> Iterator[Broken]:
    """The stream tap, from its first call and from its third; then each addon, all its hooks at once."""
    chunk = "intelligence.store.journal_writer:JournalWriter.chunk"
    yield Broken("tap", (chunk,))
    yield Broken("tap, third chunk", (chunk + "@3",))
    for module, found in _addon_classes():
        hooks = [h for h in HOOKS if callable(vars(found).get(h))]
        if not all(hook.startswith("websocket") for hook in hooks):
            targets = tuple(f"{module}:{found.__name__}.{hook}" for hook in hooks)
            yield Broken(found.__name__, targets, on_calls=not CALL_HOOKS.isdisjoint(hooks))


def _addon_classes() -> Iterator[tuple[str, type]]:
    """Those named in the pipeline's source."""
    for _, found in inspect.getmembers(pipeline, inspect.isclass):
        if found.__module__.startswith("addons.") and found.__module__ != pipeline.__name__:
            yield found.__module__, found


@contextmanager
def _faulty_proxy(
    folder: Path, broken: Broken, hosts: list[str], upstream: rig.Upstream
) -> Iterator[Process]:
    with proxy_process(
        folder, upstream, launcher=launcher(*broken.targets), proxy__connect_to=hosts
    ) as running:
        yield running


@pytest.mark.parametrize("broken", list(_broken()), ids=lambda b: b.name)
async def test_with_a_part_that_raises(
    broken: Broken,
    upstream: rig.Upstream,
    h2_upstream: rig.Upstream,
    tmp_path: Path,
) -> None:
    with _faulty_proxy(tmp_path, broken, connect_to(upstream, h2_upstream), upstream) as proxy:
        connections = Connections(proxy)
        for exchange in EXCHANGES:
            await connections.check(upstream, exchange)
        await connections.close()
        log = proxy.log()
    assert "raises on purpose" in log
    logged = set(re.findall(r"\(call ([0-9a-f-]{36})\)", log))
    if broken.on_calls:
        assert logged
    if recorded := _recorded(tmp_path / "data" / "journal"):
        assert logged <= recorded


async def test_with_policy_on_sockets_raising(
    upstream: rig.Upstream, h2_upstream: rig.Upstream, tmp_path: Path
) -> None:
    """No exchange of `EXCHANGES` is a WebSocket: these hooks see none of them."""
    hooks = ("websocket_start", "websocket_message", "websocket_end")
    broken = Broken("Sockets", tuple(f"addons.sockets:Sockets.{hook}" for hook in hooks))
    said = [
        b'{"type": "response.create", "model": "gpt-5"}',
        b'{"type":"response.completed","response":{"id":"r"}}',
    ]

    async def echo(asked: rig.Exchange) -> None:
        await asked.wire.send(websocket.accept(asked.request.head))
        assert (await websocket.read_message(asked.wire)).payload == said[0]
        await asked.wire.send(websocket.frame(said[1]))
        await asked.wire.gone()

    upstream.handler = echo
    with _faulty_proxy(tmp_path, broken, connect_to(upstream, h2_upstream), upstream) as proxy:
        wire = await client.connect(proxy.address, OPENAI, ca_file=proxy.ca_file)
        await wire.send(websocket.handshake(OPENAI, "/v1/responses"))
        assert (await http1.read_head(wire)).status == 101
        await wire.send(websocket.frame(said[0], mask=True))
        assert (await websocket.read_message(wire)).payload == said[1]
        await wire.close()
        log = proxy.log()
    assert "raises on purpose" in log


async def test_undecided_is_not_opened(
    upstream: rig.Upstream, h2_upstream: rig.Upstream, tmp_path: Path
) -> None:
    """When the choice of what to open raises, nothing is: the client gets the provider's own certificate, and its bytes."""
    broken = Broken("scope", ("addons.scope:Scope.next_layer",))
    with _faulty_proxy(tmp_path, broken, connect_to(upstream, h2_upstream), upstream) as proxy:
        wire = await client.connect(proxy.address, OPENAI, ca_file=upstream.ca_file)
        await check(wire, upstream, EXCHANGES[0])
        await wire.close()


def _recorded(journal: Path) -> set[str]:
    """The ids of the calls in the journal."""
    found = set()
    for path in segments(journal):
        with closing(SegmentReader(path)) as reader:
            found |= {frame.call_id for frame in reader.frames() if frame.kind is Kind.REQUEST}
    return found
