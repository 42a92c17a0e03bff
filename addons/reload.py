"""Reload: a changed `mitm.toml` is put in force without a restart where that can be done.

A file with an error keeps the last good configuration in force and says so. What needs a restart is named.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from mitmproxy import ctx

from addons import ca
from addons.pipeline import Parts
from addons.settings import mitm_options, registry_of
from certs.ca import CertsError
from intelligence.config import Config, ConfigError, load_config
from intelligence.wire.credentials import Redactor

logger = logging.getLogger("llmitm.proxy")

# Read once at the start; a change is reported, not applied.
NEEDS_RESTART = {
    "proxy": ("listen_host", "listen_port", "web", "web_port", "web_flows"),
    "certs": ("dir",),
    "store": ("dir", "segment_bytes", "raw_days", "retention_days", "max_bytes", "backups"),
    "prices": ("models",),
    "policy": ("dir", "deadline_ms"),
    "log": ("level", "format"),
}


class Reload:
    name = "reload"

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self._task: asyncio.Task[None] | None = None
        self._seen = self._stamp()

    def running(self) -> None:
        self._task = asyncio.create_task(self._tick())

    def done(self) -> None:
        if self._task:
            self._task.cancel()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            try:
                self._look()
            except Exception:  # the task boundary: the next change must be seen
                logger.exception("reloading the configuration failed")

    def _stamp(self) -> tuple[int, int]:
        try:
            stat = self.parts.config.path.stat()
        except OSError:
            return 0, 0
        return stat.st_mtime_ns, stat.st_size

    def _look(self) -> None:
        stamp = self._stamp()
        if stamp == self._seen:
            return
        self._seen = stamp
        try:
            config = load_config(self.parts.config.path)
            self._apply(config)
        except (ConfigError, CertsError, OSError) as e:
            logger.error("the configuration in force stays, as the changed one cannot be used: %s", e)
            self.parts.journal.event("config_rejected", str(e))

    def _apply(self, config: Config) -> None:
        before = self.parts.config
        restart = [
            f"{section}.{key}"
            for section, keys in NEEDS_RESTART.items()
            for key in keys
            if getattr(getattr(before, section), key) != getattr(getattr(config, section), key)
        ]
        settings = mitm_options(config)
        for name in ("listen_host", "listen_port", "confdir"):
            settings.pop(name)
        changed = {k: v for k, v in settings.items() if getattr(ctx.options, k) != v}
        if changed:
            ctx.options.update(**changed)
        addons: Any = ctx.master.addons
        if (config.scope, config.certs, config.proxy.upstream_ca) != (
            before.scope,
            before.certs,
            before.proxy.upstream_ca,
        ):
            registry = registry_of(config)
            ensured = ca.ensure(config)
            if ensured.message:
                logger.warning(ensured.message)
            addons.get("tlsconfig").configure({"confdir"})
            addons.get("scope").registry = registry
        redactor = Redactor(
            self.parts.key, config.redact.headers, config.redact.query, config.redact.json_keys
        )
        addons.get("identify").redactor = addons.get("record").redactor = redactor
        upstream = addons.get("upstream")
        upstream.configure_rules(
            config.proxy.allow_loopback, config.proxy.connect_to, config.proxy.upstream_proxy
        )
        addons.get("passthrough").minutes = config.proxy.pass_through_minutes
        self.parts.config = config
        note = f"; needs a restart: {', '.join(restart)}" if restart else ""
        logger.info("configuration reloaded%s", note)
        self.parts.journal.event("config_reloaded", f"{config.path}{note}")
