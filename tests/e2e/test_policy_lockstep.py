"""A stream that no acting rule concerns is not held back by rules that concern others; and what has to be looked at for
placeholders leaves event by event."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import connect_to
from tests.e2e.test_lockstep import STEP_SECONDS, Gates, _next_of
from tests.rig import client, http1
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
    head, *parts = exchange.response_parts()
    gates = Gates(parts)

    async def handler(asked: rig.Exchange) -> None:
        await asked.wire.send(head)
        await gates.play(asked.wire.send)
        if exchange.framing == "eof":
            await asked.wire.close()

    upstream.handler = handler
    wire = await client.connect(proxy.address, exchange.host, ca_file=proxy.ca_file)
    await wire.send(exchange.request())
    async with asyncio.timeout(STEP_SECONDS):
        answer = http1.Message(await http1.read_head(wire))
    pieces = http1.body_pieces(wire, answer, answer_to=exchange.method)
    assert await gates.follow(_next_of(pieces), exchange.events) == exchange.body
    await wire.close()
