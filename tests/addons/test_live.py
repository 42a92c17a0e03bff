import pytest
from mitmproxy.addons.view import View
from mitmproxy.test import taddons, tflow, tutils

from addons import live
from addons.call import begin
from addons.live import Live, Trim
from intelligence.wire.registry import Target

CHAT = Target("openai", "chat", "openai-chat")


shown: list = []


class Browser:
    there = False


@pytest.fixture
async def view():
    shown = View()
    with taddons.context(shown):
        yield shown


def call(body: bytes = b"x", done: bool = True):
    flow = tflow.tflow(req=tutils.treq(content=body))
    begin(flow, CHAT)
    flow.live = not done
    return flow


async def test_nothing_is_listed_until_somebody_looks(view: View) -> None:
    addon = Live(view, lambda: Browser.there, 10, shown.append)
    flows = [call() for _ in range(3)]
    for flow in flows:
        addon.request(flow)
    assert len(view) == 0
    shown.clear()
    assert list(addon.fill()) == flows == shown


async def test_with_a_browser_calls_are_listed_at_once(view: View) -> None:
    addon = Live(view, lambda: True, 10, shown.append)
    flow = call()
    addon.request(flow)
    assert list(view) == [flow]


async def test_the_oldest_finished_leave(view: View) -> None:
    addon = Live(view, lambda: True, 2, shown.append)
    running, *finished = [call(done=False), call(), call(), call()]
    for flow in [running, *finished]:
        addon.request(flow)
    assert list(addon.fill()) == [running, finished[-1]]
    assert running.live


async def test_bytes_are_bounded_too(view: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_TOTAL_BYTES", 100)
    addon = Live(view, lambda: True, 1000, shown.append)
    for _ in range(10):
        addon.request(call(b"x" * 40))
    assert len(addon.fill()) == 2


async def test_a_streamed_answer_is_shown_when_it_ends_up_to_a_bound(
    view: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MAX_SHOWN_BYTES", 8)
    addon = Live(view, lambda: False, 10, shown.append)
    flow = call(done=False)
    addon.request(flow)
    flow.response = tutils.tresp(content=None)
    flow.response.stream = lambda data: data
    addon.responseheaders(flow)
    for _ in range(5):
        assert flow.response.stream(b"1234") == b"1234"
    assert flow.response.raw_content is None
    addon.response(flow)
    assert flow.response.raw_content == b"12341234"


async def test_what_is_no_call_is_never_listed(view: View) -> None:
    addon = Live(view, lambda: True, 10, shown.append)
    addon.request(tflow.tflow())
    assert len(addon.fill()) == 0


async def test_websocket_messages_are_trimmed(view: View) -> None:
    flow = tflow.twebsocketflow()
    message = flow.websocket.messages[-1]
    flow.websocket.messages = [message] * (live.MAX_MESSAGES + 1)
    Live(view, lambda: False, 10, shown.append).websocket_message(flow)
    assert len(flow.websocket.messages) <= live.MAX_MESSAGES // 2
    Trim().websocket_message(flow)
    assert flow.websocket.messages == [message]
