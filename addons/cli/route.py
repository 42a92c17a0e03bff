"""Which proxy a client is sent to: the suite's, or one of the command's own.

The suite's proxy is used when it runs, unless the environment names another proxy that the suite does not chain to: then
calls would leave by a way the user did not set, so a private proxy is started that does chain to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

import click

from addons.cli.client_env import is_ours, other_proxy
from addons.cli.suite import Suite, reachable
from intelligence.config import Config


def our_addresses(config: Config, suite: Suite) -> set[str]:
    """host:port of every proxy of ours, running or configured."""
    configured = reachable(f"{config.proxy.listen_host}:{config.proxy.listen_port}")
    living = (status.addresses.get("proxy") for status in suite.alive.values())
    return {configured, *(reachable(address) for address in living if address)}


def upstream_of(env: Mapping[str, str], config: Config, suite: Suite) -> str | None:
    """The proxy that `env` names and that is none of ours. Raises `click.ClickException` if we cannot chain to it."""
    proxy = other_proxy(env, our_addresses(config, suite))
    if proxy and urlsplit(proxy).scheme not in ("http", "https"):
        raise click.ClickException(
            f"the proxy of this environment, {without_password(proxy)}, is not one llmitm can chain to: it must be "
            "http://HOST:PORT or https://HOST:PORT. Set HTTPS_PROXY to such a one, or unset it."
        )
    return proxy


def suite_proxy(env: Mapping[str, str], config: Config, suite: Suite) -> str | None:
    """URL of the suite's proxy, if it runs and may be used with this environment. Raises `click.ClickException`."""
    address = suite.proxy
    if address is None:
        return None
    upstream = upstream_of(env, config, suite)
    if upstream and _place(upstream) != _place(config.proxy.upstream_proxy or ""):
        return None
    return f"http://{user_in_proxy_url(env, config, address)}{address}"


def user_in_proxy_url(env: Mapping[str, str], config: Config, address: str) -> str:
    """`NAME:PASSWORD@` as the user gave it in their own `HTTPS_PROXY`; empty where the proxy asks for none."""
    for name in ("https_proxy", "HTTPS_PROXY"):
        value = env.get(name, "")
        if is_ours(value, {address}) and "@" in value:
            return value.partition("://")[2].rpartition("@")[0] + "@"
    if config.proxy.users:
        raise click.ClickException(
            "the proxy asks for a name and a password ([proxy] users). "
            f"First set HTTPS_PROXY=http://NAME:PASSWORD@{address}"
        )
    return ""


def without_password(proxy_url: str) -> str:
    url = urlsplit(proxy_url)
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}"


def _place(proxy_url: str) -> str:
    return urlsplit(proxy_url).netloc.rpartition("@")[2]
