"""Upstream: where connections may go.

A target that resolves to a loopback or link-local address is refused unless `proxy.allow_loopback` names it; our own listeners
always are: whoever may use the proxy must not reach the machine's private services through it. The address that was checked is
the one that is connected to, so a name cannot resolve to something else in between. `proxy.connect_to` sends a host elsewhere.
"""

from __future__ import annotations

import asyncio
import fnmatch
import ipaddress
import logging
import socket
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from mitmproxy.proxy.server_hooks import ServerConnectionHookData

logger = logging.getLogger(__name__)

Address = tuple[str, int]

# AWS's instance metadata over IPv6; over IPv4 it is link-local everywhere.
_METADATA = ipaddress.IPv6Address("fd00:ec2::254")


class Upstream:
    name = "upstream"

    def __init__(
        self,
        allow_loopback: Sequence[str],
        connect_to: Sequence[str],
        own_listeners: Callable[[], set[int]],
        upstream_proxy: str | None = None,
    ) -> None:
        """`own_listeners` gives the ports of ours that are never to be reached."""
        self.configure_rules(allow_loopback, connect_to, upstream_proxy)
        self._own_listeners = own_listeners
        self._asked: dict[str, Address] = {}  # connection id -> the address mitmproxy knows it by

    def configure_rules(
        self, allow_loopback: Sequence[str], connect_to: Sequence[str], upstream_proxy: str | None = None
    ) -> None:
        """`upstream_proxy` is where everything goes when it is set; it may be on this machine."""
        url = urlsplit(upstream_proxy or "")
        self.upstream_proxy = (url.hostname, url.port or (443 if url.scheme == "https" else 80))
        self.allow_loopback = allow_loopback
        self.connect_to = [_parse_rule(rule) for rule in connect_to]

    async def server_connect(self, data: ServerConnectionHookData) -> None:
        server = data.server
        if not server.address or server.via or server.address == self.upstream_proxy:
            return
        host, port = server.address[0], server.address[1]
        target = await self.target(host, port)
        if isinstance(target, str):
            server.error = target
            logger.warning("refused %s:%s: %s", host, port, target)
            return
        if target and target != (host, port):
            # mitmproxy knows a connection by its address; it gets it back as soon as the socket is open.
            self._asked[server.id] = server.address
            server.address = target

    async def target(self, host: str, port: int) -> Address | str | None:
        """The address to connect to, or the reason to refuse. None leaves it to the system (it does not resolve)."""
        return self._redirect(host) or await self._checked(host, port)

    def server_connected(self, data: ServerConnectionHookData) -> None:
        self._restore(data)

    def server_connect_error(self, data: ServerConnectionHookData) -> None:
        self._restore(data)

    def _restore(self, data: ServerConnectionHookData) -> None:
        if asked := self._asked.pop(data.server.id, None):
            object.__setattr__(
                data.server, "address", asked
            )  # past mitmproxy's guard: the socket is open already

    def _redirect(self, host: str) -> Address | None:
        for glob, address in self.connect_to:
            if fnmatch.fnmatchcase(host.lower(), glob):
                return address
        return None

    async def _checked(self, host: str, port: int) -> Address | str | None:
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return None
        addresses = [str(info[4][0]) for info in found]
        for address in addresses:
            if is_private_to_machine(address) and (reason := self._refusal(host, address, port)):
                return reason
        return (addresses[0], port) if addresses else None

    def _refusal(self, host: str, address: str, port: int) -> str | None:
        if port in self._own_listeners():
            return "this is a listener of llmitm itself"
        names = (f"{host.lower()}:{port}", f"{address}:{port}", f"[{address}]:{port}")
        if any(fnmatch.fnmatchcase(name, glob) for glob in self.allow_loopback for name in names):
            return None
        return f'{address} is a loopback or link-local address; add "{host}:{port}" to proxy.allow_loopback to permit it'


def is_private_to_machine(address: str) -> bool:
    """Loopback, link-local or unspecified, also as an IPv4 address in IPv6 clothing."""
    ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    return ip.is_loopback or ip.is_link_local or ip.is_unspecified or ip == _METADATA


def _parse_rule(rule: str) -> tuple[str, Address]:
    glob, _, address = rule.partition("=")
    host, _, port = address.rpartition(":")
    return glob.lower(), (host.strip("[]"), int(port))
