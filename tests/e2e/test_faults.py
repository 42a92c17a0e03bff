"""A hook that raises, in every addon, one at a time: traffic goes on byte-identical, and the log names the call."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig import client, faulty, http1
from tests.rig.processes import calls, drain, proxy_process
from tests.rig.upstream import Upstream, script

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b'{"model": "m", "stream": true, "messages": [{"role": "user", "content": "hi"}]}'
REQUEST = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\ncontent-type: application/json\r\n"
    b"content-length: %d\r\n\r\n" % len(BODY) + BODY
)
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\ncontent-length: 60\r\n\r\n"
    b'data: {"choices": [{"delta": {"content": "hey"}}]}\n\ndata: [D'
)

# Every hook of every addon of ours that a call passes through.
HOOKS = [
    "addons.upstream:Upstream.server_connected",
    "addons.passthrough:PassThrough.tls_established_client",
    "addons.passthrough:PassThrough.client_disconnected",
    "addons.scope:Scope.requestheaders",
    "addons.scope:Scope.request",
    "addons.scope:Scope.responseheaders",
    "addons.scope:Scope.response",
    "addons.scope:Scope.update",
    "addons.identify:Identify.requestheaders",
    "addons.identify:Identify.request",
    "addons.record:Record.requestheaders",
    "addons.record:Record.request",
    "addons.record:Record.responseheaders",
    "addons.record:Record.response",
    "addons.live:Live.request",
    "addons.live:Live.responseheaders",
    "addons.live:Live.response",
]
RECORDS_ANYWAY = [
    hook for hook in HOOKS if "Scope.requestheaders" not in hook and "Record.request" not in hook
]


async def exchange(proxy) -> bytes:
    wire = await client.connect(proxy.address, "api.openai.com", ca_file=proxy.ca_file)
    await wire.send(REQUEST)
    await http1.read_message(wire, answer_to=b"POST")
    received = bytes(wire.received)
    await wire.close()
    return received


@pytest.mark.parametrize("hook", HOOKS)
async def test_traffic_goes_on(hook: str, upstream: Upstream, tmp_path: Path) -> None:
    answer = ANSWER[: ANSWER.index(b"\r\n\r\n") + 4] + ANSWER[ANSWER.index(b"\r\n\r\n") + 4 :][:60]
    upstream.handler = script(answer)
    with proxy_process(
        tmp_path, upstream, launcher=faulty.launcher(hook), proxy__web="Live" in hook
    ) as proxy:
        for _ in range(2):
            assert await exchange(proxy) == answer
        assert [e.raw for e in upstream.exchanges] == [REQUEST, REQUEST]
        log = proxy.log()
    addon = hook.partition(":")[2].partition(".")[0].lower()
    assert f"{addon} failed in {hook.rpartition('.')[2]}" in log
    drain(tmp_path)
    rows = calls(tmp_path)
    if hook in RECORDS_ANYWAY:
        assert [row["provider"] for row in rows] == ["openai", "openai"]
    if "Record." in hook or "Identify." in hook:
        assert "(call 0" in log, "the log names the call"
