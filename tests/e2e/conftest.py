"""One proxy for a module's tests, between raw sockets: `upstream` plays every host over HTTP/1.1, `h2_upstream` plays
`H2_HOST` over HTTP/2."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.rig import upstream as rig
from tests.rig.authority import Authority
from tests.rig.processes import Process, proxy_process

H2_HOST = "api.mistral.ai"


def connect_to(upstream: rig.Upstream, h2_upstream: rig.Upstream) -> list[str]:
    """The setting that brings each host to its player; the first match counts."""
    return [f"{H2_HOST}={h2_upstream.address}", f"*={upstream.address}"]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("upstream-ca"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_upstream(authority: Authority) -> AsyncIterator[rig.Upstream]:
    async with rig.running(authority) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def module_h2_upstream(authority: Authority) -> AsyncIterator[rig.Upstream]:
    async with rig.running(authority, alpn=("h2",)) as running:
        yield running


@pytest.fixture
def upstream(module_upstream: rig.Upstream) -> Iterator[rig.Upstream]:
    module_upstream.forget()
    yield module_upstream
    assert module_upstream.errors == []


@pytest.fixture
def h2_upstream(module_h2_upstream: rig.Upstream) -> Iterator[rig.Upstream]:
    module_h2_upstream.forget()
    yield module_h2_upstream
    assert module_h2_upstream.errors == []


@pytest.fixture(scope="module")
def proxy(
    module_upstream: rig.Upstream, module_h2_upstream: rig.Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("proxy")
    hosts = connect_to(module_upstream, module_h2_upstream)
    with proxy_process(folder, module_upstream, proxy__connect_to=hosts) as running:
        yield running


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The wide corpus of recorded exchanges; skips where there is none."""
    folder = Path(os.environ.get("LLMITM_CORPUS") or Path(__file__).parents[3] / "shared" / "corpus")
    if not any(folder.glob("*.jsonl")):
        pytest.skip(f"no corpus at {folder} (LLMITM_CORPUS)")
    return folder
