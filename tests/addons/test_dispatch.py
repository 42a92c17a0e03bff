import logging

import pytest
from mitmproxy import exceptions, options
from mitmproxy.master import Master
from mitmproxy.proxy.layers.http import HttpRequestHook
from mitmproxy.test import tflow

from addons import patches
from addons.dispatch import HookTable


class Noted:
    def __init__(self, name: str, seen: list[str], error: Exception | None = None) -> None:
        self.name, self.seen, self.error = name, seen, error

    def request(self, flow) -> None:
        self.seen.append(self.name)
        if self.error:
            raise self.error


class Later(Noted):
    async def request(self, flow) -> None:
        super().request(flow)


class Updated:
    name = "updated"

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    def update(self, flows) -> None:
        self.seen.append(f"update {len(flows)}")


@pytest.fixture
async def table() -> HookTable:
    patches.apply()
    master = Master(options.Options())
    assert isinstance(master.addons, HookTable)
    return master.addons


async def test_order_coroutines_and_update(table: HookTable) -> None:
    seen: list[str] = []
    table.add(Noted("a", seen), Later("b", seen), Updated(seen))
    await table.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert seen == ["a", "b", "update 1"]


async def test_halt_stops_the_chain(table: HookTable) -> None:
    seen: list[str] = []
    table.add(Noted("a", seen, exceptions.AddonHalt()), Noted("b", seen))
    await table.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert seen == ["a"]


async def test_a_raising_hook_is_logged_with_the_call_and_the_rest_goes_on(table: HookTable, caplog) -> None:
    seen: list[str] = []
    table.add(Noted("a", seen, ValueError("boom")), Noted("b", seen))
    flow = tflow.tflow()
    with caplog.at_level(logging.ERROR):
        await table.handle_lifecycle(HttpRequestHook(flow))
    assert seen == ["a", "b"]
    assert f"a failed in request (call {flow.id})" in caplog.text


async def test_addons_that_come_and_go_are_seen(table: HookTable) -> None:
    seen: list[str] = []
    first, second = Noted("a", seen), Noted("b", seen)
    table.add(first)
    await table.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    table.add(second)
    await table.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    table.remove(first)
    await table.handle_lifecycle(HttpRequestHook(tflow.tflow()))
    assert seen == ["a", "a", "b", "b"]
