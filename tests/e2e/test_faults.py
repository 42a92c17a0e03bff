"""With parts of the proxy raising on purpose, one at a time, traffic goes on byte for byte, and the log says what failed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from addons import pipeline
from tests.e2e.conftest import connect_to
from tests.rig import upstream as rig
from tests.rig.compare import Connections
from tests.rig.faulty import launcher
from tests.rig.framings import EXCHANGES
from tests.rig.processes import Process, proxy_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

FLOW_HOOKS = ("requestheaders", "request", "responseheaders", "response", "error")


@dataclass(frozen=True)
class Broken:
    name: str
    targets: tuple[str, ...]


def _broken() -> Iterator[Broken]:
    """The stream tap, from its first call and from its third; then each addon, all its hooks on flows at once."""
    chunk = "intelligence.store.journal:JournalWriter.chunk"
    yield Broken("tap", (chunk,))
    yield Broken("tap, third chunk", (chunk + "@3",))
    for module, found in _addon_classes():
        hooks = [h for h in FLOW_HOOKS if callable(vars(found).get(h))]
        if hooks:
            yield Broken(found.__name__, tuple(f"{module}:{found.__name__}.{hook}" for hook in hooks))


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
        assert "raises on purpose" in proxy.log()
