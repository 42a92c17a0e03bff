"""A stream that no acting rule concerns is not held back by rules that concern others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import connect_to
from tests.e2e.lockstep import over_http1
from tests.rig import upstream as rig
from tests.rig.framings import STREAMS, Exchange
from tests.rig.processes import Process, proxy_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = """
rules:
  - id: only-others
    action: block
    fail: closed
    when: {direction: response, model: "other-*", text: {matches: "."}}
  - id: dangerous
    action: block
    fail: closed
    when: {provider: nobody, detection: {kind: command}}
"""


@pytest.fixture(scope="module")
def proxy(
    module_upstream: rig.Upstream, module_h2_upstream: rig.Upstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("proxy")
    (folder / "policies").mkdir()
    (folder / "policies" / "rules.yaml").write_text(RULES)
    hosts = connect_to(module_upstream, module_h2_upstream)
    with proxy_process(folder, module_upstream, proxy__connect_to=hosts) as running:
        yield running


@pytest.mark.parametrize("exchange", STREAMS, ids=lambda e: e.name)
async def test_not_concerned(proxy: Process, upstream: rig.Upstream, exchange: Exchange) -> None:
    await over_http1(proxy, upstream, exchange)
