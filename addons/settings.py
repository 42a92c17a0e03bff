"""Our configuration in mitmproxy's terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from addons.scope import MAX_CALL_BYTES
from intelligence.config import Config, ConfigError
from intelligence.wire.registry import Registry


def mitm_options(config: Config) -> dict[str, Any]:
    """mitmproxy's options for this configuration. Raises `ConfigError`."""
    proxy = config.proxy
    settings: dict[str, Any] = {
        "confdir": str(config.certs.dir),
        "listen_host": proxy.listen_host,
        "listen_port": proxy.listen_port,
        "mode": list(proxy.modes),
        "connection_strategy": "lazy",
        "upstream_cert": False,
        "http2": proxy.http2,
        # A request of unknown length is held up to here, then streamed, so that it cannot fill the memory.
        "stream_large_bodies": str(MAX_CALL_BYTES),
        "tcp_timeout": proxy.idle_timeout_seconds,
        "ssl_verify_upstream_trusted_ca": str(proxy.upstream_ca) if proxy.upstream_ca else None,
        "proxyauth": f"@{proxy.users}" if proxy.users else None,
        "upstream_auth": None,
    }
    if proxy.upstream_proxy:
        url = urlsplit(proxy.upstream_proxy)
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigError(
                f"{config.path}: proxy.upstream_proxy: must be http://host:port or https://host:port"
            )
        spec = f"upstream:{url.scheme}://{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"
        settings["mode"] = [spec if mode == "regular" else mode for mode in proxy.modes]
        if url.username:
            settings["upstream_auth"] = f"{url.username}:{url.password or ''}"
    for name in ("upstream_ca", "users"):
        path: Path | None = getattr(proxy, name)
        if path and not path.is_file():
            raise ConfigError(f"{config.path}: proxy.{name}: no such file: {path}")
    return settings


def registry_of(config: Config) -> Registry:
    """Raises `ConfigError`."""
    try:
        return Registry([(h, None) if isinstance(h, str) else (h.host, h.format) for h in config.scope.hosts])
    except ValueError as e:
        raise ConfigError(f"{config.path}: scope.hosts: {e}") from None
