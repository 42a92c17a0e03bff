"""A provider that cannot be reached: the client gets an error of the provider's own shape, with the id of the call."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from tests.rig import client, http1
from tests.rig.authority import Authority
from tests.rig.processes import calls, drain, proxy_process
from tests.rig.upstream import Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

BODY = b'{"model": "m", "messages": []}'


def request(host: str, path: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\n\r\n"
    return head.encode() + BODY


@pytest.mark.parametrize(
    ("host", "path", "keys"),
    [
        ("api.openai.com", "/v1/chat/completions", {"error"}),
        ("api.anthropic.com", "/v1/messages", {"type", "error"}),
        ("generativelanguage.googleapis.com", "/v1beta/models/x:generateContent", {"error"}),
    ],
)
async def test_connection_refused(
    host: str, path: str, keys: set, upstream: Upstream, tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with proxy_process(tmp_path, upstream, proxy__connect_to=[f"*=127.0.0.1:{port}"]) as proxy:
            for _ in range(2):
                wire = await client.connect(proxy.address, host, ca_file=proxy.ca_file)
                await wire.send(request(host, path))
                answer = await http1.read_message(wire, answer_to=b"POST")
                assert answer.head.status == 502
                body = json.loads(answer.body)
                assert set(body) == keys
                assert f"could not reach {host}" in json.dumps(body)
    drain(tmp_path)
    rows = calls(tmp_path)
    assert [row["state"] for row in rows] == ["error", "error"]
    assert answer.head.get(b"x-llmitm-id") == rows[-1]["id"].encode()


async def test_a_certificate_of_somebody_else_upstream_is_refused(upstream: Upstream, tmp_path: Path) -> None:
    stranger = Authority(tmp_path / "stranger")
    with proxy_process(tmp_path, upstream, proxy__upstream_ca=stranger.ca_file) as proxy:
        wire = await client.connect(proxy.address, "api.openai.com", ca_file=proxy.ca_file)
        await wire.send(request("api.openai.com", "/v1/chat/completions"))
        assert (await http1.read_message(wire, answer_to=b"POST")).head.status == 502
    assert upstream.exchanges == []
