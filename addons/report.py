"""Report: where the proxy listens, and once a second what it counted, for `llmitm status` and the dashboard."""

from __future__ import annotations

import asyncio
import logging
from typing import Any
from urllib.parse import urlsplit

from mitmproxy import ctx

from addons.pipeline import Parts
from intelligence.config import Config
from intelligence.store.status import ProcessStatus

logger = logging.getLogger("llmitm.proxy")


class ListenError(Exception):
    """A listener could not be opened. The message is for the user."""


class Report:
    name = "report"

    def __init__(self, parts: Parts, status: ProcessStatus) -> None:
        self.parts = parts
        self.status = status
        self._task: asyncio.Task[None] | None = None

    def running(self) -> None:
        """Announce the listeners, and never let their ports be reached through the proxy."""
        listening = ctx.master.addons.get("proxyserver").listen_addrs()
        addresses = {"proxy": f"{listening[0][0]}:{listening[0][1]}"}
        self.parts.own_ports.update(address[1] for address in listening)
        web_url = getattr(ctx.master, "web_url", None)
        if web_url:
            url = urlsplit(web_url)
            addresses["mitmweb"] = f"{url.hostname}:{url.port}"
            self.parts.own_ports.add(url.port or 0)
        self.status.update(
            addresses=addresses, run=self.parts.journal.run, web_url=web_url, **self._counters()
        )
        logger.info(
            "listening on %s", ", ".join(f"{address} ({name})" for name, address in addresses.items())
        )
        self._task = asyncio.create_task(self._tick())

    def done(self) -> None:
        if self._task:
            self._task.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.status.update(**self._counters())

    def _counters(self) -> dict[str, Any]:
        record, journal = ctx.master.addons.get("record"), self.parts.journal
        return {
            "calls": record.calls,
            "open_calls": len(record.open),
            "dropped_frames": journal.dropped_frames,
            "dropped_bytes": journal.dropped_bytes,
        }


def why_not_listening(config: Config) -> str:
    proxy = config.proxy
    return (
        f"cannot listen on {proxy.listen_host}:{proxy.listen_port}: is another proxy running? "
        f"Stop it, or set proxy.listen_port in {config.path} (or LLMITM_PROXY__LISTEN_PORT)."
    )
