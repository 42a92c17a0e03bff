"""A call whose body is too large to hold, or has no stated length and grows too large, is streamed through and recorded
without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig import client, http1
from tests.rig.processes import calls, drain, proxy_process
from tests.rig.upstream import Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

MB = 1 << 20
# The real program with a limit of 1 MB instead of 256.
SMALL = f"""
import runpy, sys
import addons.scope
addons.scope.MAX_CALL_BYTES = {MB}
import addons.patches, addons.settings
runpy.run_module("addons", run_name="__main__", alter_sys=True)
"""
HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\ncontent-type: application/json\r\n"


@pytest.mark.parametrize("size", [MB // 2, 3 * MB])
@pytest.mark.parametrize("kind", ["content-length", "chunked"])
async def test_whole_on_the_wire_and_on_record(
    kind: str, size: int, upstream: Upstream, tmp_path: Path
) -> None:
    body = b'{"model": "m", "messages": [{"role": "user", "content": "' + b"x" * size + b'"}]}'
    if kind == "chunked":
        pieces = [body[i : i + 60_000] for i in range(0, len(body), 60_000)]
        sent = HEAD + b"transfer-encoding: chunked\r\n\r\n" + b"".join(http1.chunked(pieces))
    else:
        sent = HEAD + b"content-length: %d\r\n\r\n" % len(body) + body
    with proxy_process(tmp_path, upstream, launcher=("-c", SMALL)) as proxy:
        wire = await client.connect(proxy.address, "api.openai.com", ca_file=proxy.ca_file)
        await wire.send(sent)
        assert (await http1.read_message(wire, answer_to=b"POST")).head.status == 200
    assert [exchange.request.body for exchange in upstream.exchanges] == [body]
    drain(tmp_path)
    (row,) = calls(tmp_path)
    assert (row["state"], row["provider"]) == ("complete", "openai")
    assert row["model"] == ("m" if size < MB else None), "what was not held is unknown"
