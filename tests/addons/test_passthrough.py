from types import SimpleNamespace

import pytest
from mitmproxy.test import tflow

from addons.passthrough import MAX_CLIENTS, REFUSALS, PassThrough, fingerprint

ALERT = "The client does not trust the proxy's certificate for api.openai.com (tlsv1 alert unknown ca)"
HOST = "api.openai.com"


class Events(list):
    def event(self, kind: str, message: str, data: dict) -> None:
        self.append((kind, message, data))


def hello(ciphers: tuple = (1, 2), extensions: tuple = (0, 16), alpn: tuple = (b"h2",)):
    return SimpleNamespace(
        cipher_suites=list(ciphers), extensions=[(e, b"") for e in extensions], alpn_protocols=list(alpn)
    )


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def addon(events: Events, clock: Clock) -> PassThrough:
    return PassThrough(events, 10, clock)  # type: ignore[arg-type]


def refuse(
    addon: PassThrough, error: str = ALERT, host: str = HOST, address: str = "127.0.0.1", shake=None
) -> bool:
    """One handshake that fails; whether it was tunnelled instead."""
    client = tflow.tclient_conn()
    client.peername = (address, 1)
    if addon.applies(client, host, shake or hello()):
        return True
    client.error = error
    addon.tls_failed_client(SimpleNamespace(conn=client))
    return False


def accept(addon: PassThrough) -> None:
    client = tflow.tclient_conn()
    addon.applies(client, HOST, hello())
    addon.tls_established_client(SimpleNamespace(conn=client))


def test_several_refusals_in_a_row_tunnel_the_host_for_a_while_and_say_so(
    addon: PassThrough, events: Events, clock: Clock
) -> None:
    assert [refuse(addon) for _ in range(REFUSALS + 1)] == [False] * REFUSALS + [True]
    assert [(kind, data["host"]) for kind, _, data in events] == [("pass_through", HOST)]
    clock.now = 10 * 60 + 1
    assert not refuse(addon)


def test_a_success_between_starts_the_count_anew(addon: PassThrough) -> None:
    for _ in range(REFUSALS - 1):
        refuse(addon)
    accept(addon)
    for _ in range(REFUSALS - 1):
        refuse(addon)
    assert not refuse(addon)


@pytest.mark.parametrize(
    "error", ["The client disconnected during the handshake.", "OpenSSL Error", None, "no shared cipher"]
)
def test_only_certificate_alerts_count(addon: PassThrough, error: str) -> None:
    for _ in range(REFUSALS * 2):
        assert not refuse(addon, error)


def test_others_are_not_affected(addon: PassThrough) -> None:
    for _ in range(REFUSALS):
        refuse(addon)
    assert not refuse(addon, address="10.0.0.2")
    assert not refuse(addon, shake=hello(ciphers=(9,)))
    assert not refuse(addon, host="api.anthropic.com")
    assert refuse(addon)


def test_zero_minutes_never_tunnels(events: Events) -> None:
    addon = PassThrough(events, 0)  # type: ignore[arg-type]
    assert not any(refuse(addon) for _ in range(REFUSALS * 2))


def test_memory_is_bounded(addon: PassThrough) -> None:
    for n in range(MAX_CLIENTS + 50):
        refuse(addon, address=str(n))
    assert len(addon._clients) == MAX_CLIENTS
    assert not addon._handshakes


def test_fingerprint_ignores_what_varies() -> None:
    assert fingerprint(hello((0x1A1A, 1, 2), (0, 16, 0xDADA))) == fingerprint(hello((2, 1), (16, 0)))
    assert fingerprint(hello((1,))) != fingerprint(hello((1, 2)))
