"""A changed `mitm.toml` takes effect in a running proxy; a broken one does not."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from tests.rig import client
from tests.rig.processes import Process, proxy_process
from tests.rig.upstream import Upstream

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOST = "llm.new.example"


async def logged(proxy: Process, text: str, times: int = 1) -> None:
    for _ in range(200):
        if proxy.log().count(text) >= times:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{text!r} not in the log:\n{proxy.log()}")


async def opened(proxy: Process) -> bool:
    try:
        await client.connect(proxy.address, HOST, ca_file=proxy.ca_file)
    except ssl.SSLError:
        return False
    return True


async def test_scope_grows_without_a_restart_and_a_broken_file_changes_nothing(
    upstream: Upstream, tmp_path: Path
) -> None:
    with proxy_process(tmp_path, upstream) as proxy:
        config = tmp_path / "mitm.toml"
        assert not await opened(proxy)
        config.write_text(f'[scope]\nhosts = ["{HOST}"]\n')
        await logged(proxy, "configuration reloaded")
        assert await opened(proxy)
        config.write_text('[scope]\nhosts = "oops\n')
        await logged(proxy, "the configuration in force stays")
        assert await opened(proxy)
        config.write_text("")
        await logged(proxy, "configuration reloaded", 2)
        assert not await opened(proxy)


async def test_what_needs_a_restart_is_named(upstream: Upstream, tmp_path: Path) -> None:
    with proxy_process(tmp_path, upstream) as proxy:
        (tmp_path / "mitm.toml").write_text("[proxy]\nweb_flows = 7\n")
        await logged(proxy, "needs a restart: proxy.web_flows")
