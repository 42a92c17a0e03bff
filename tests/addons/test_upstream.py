import socket

import pytest
from mitmproxy.connection import ConnectionState, Server
from mitmproxy.proxy.server_hooks import ServerConnectionHookData
from mitmproxy.test import tflow

from addons.upstream import Upstream, is_private_to_machine


def connecting(host: str, port: int = 443) -> ServerConnectionHookData:
    return ServerConnectionHookData(Server(address=(host, port)), tflow.tclient_conn())


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """A resolver of our own: name -> addresses."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host in known:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in known[host]]
        return real(host, port, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "0.0.0.0",
        "169.254.169.254",
        "::ffff:127.0.0.1",
        "localhost",
        "fe80::1",
        "2130706433",
    ],
)
async def test_the_machine_itself_is_refused(host: str) -> None:
    data = connecting(host)
    await Upstream([], [], set).server_connect(data)
    assert data.server.error and "allow_loopback" in data.server.error


async def test_a_name_that_resolves_to_loopback_is_refused_even_among_others(names: dict) -> None:
    names["rebind.example"] = ["203.0.113.7", "127.0.0.1"]
    data = connecting("rebind.example")
    await Upstream([], [], set).server_connect(data)
    assert data.server.error


async def test_what_was_checked_is_what_is_connected_to_and_mitmproxy_keeps_the_name(names: dict) -> None:
    names["api.example"] = ["203.0.113.7"]
    data = connecting("api.example")
    upstream = Upstream([], [], set)
    await upstream.server_connect(data)
    assert data.server.address == ("203.0.113.7", 443)
    data.server.state = ConnectionState.OPEN
    upstream.server_connected(data)
    assert data.server.address == ("api.example", 443)


async def test_a_failed_connection_gets_its_name_back(names: dict) -> None:
    names["api.example"] = ["203.0.113.7"]
    data = connecting("api.example")
    upstream = Upstream([], [], set)
    await upstream.server_connect(data)
    upstream.server_connect_error(data)
    assert data.server.address == ("api.example", 443)


@pytest.mark.parametrize("rule", ["*:11434", "localhost:*", "127.0.0.1:11434", "*:*"])
async def test_allowed_by_rule(rule: str) -> None:
    data = connecting("localhost", 11434)
    await Upstream([rule], [], set).server_connect(data)
    assert data.server.error is None


async def test_our_own_listeners_never() -> None:
    data = connecting("127.0.0.1", 8001)
    await Upstream(["*:*"], [], lambda: {8001}).server_connect(data)
    assert data.server.error == "this is a listener of llmitm itself"


async def test_connect_to_sends_a_host_elsewhere() -> None:
    data = connecting("api.openai.com")
    await Upstream([], ["*.openai.com=127.0.0.1:4433"], set).server_connect(data)
    assert (data.server.address, data.server.error) == (("127.0.0.1", 4433), None)


async def test_a_name_that_does_not_resolve_is_left_to_fail() -> None:
    data = connecting("no-such-host.invalid")
    await Upstream([], [], set).server_connect(data)
    assert data.server.error is None


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("8.8.8.8", False),
        ("fd00:ec2::254", True),
        ("10.0.0.1", False),
        ("2002:7f00:1::", True),
        ("fe80::1%eth0", True),
    ],
)
def test_private_to_machine(address: str, expected: bool) -> None:
    assert is_private_to_machine(address) is expected
