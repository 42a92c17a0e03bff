"""However a TLS stream is cut, what comes out is what went in, and a close or an alert is told."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mitmproxy import connection, options
from mitmproxy.proxy import commands, context, events, tunnel
from mitmproxy.proxy.layers import tls as layers
from OpenSSL import SSL

from addons import tls
from tests.rig.authority import Authority

READ = 65535


def pump(source: SSL.Connection) -> bytes:
    """All that it has to send."""
    sent = b""
    while True:
        try:
            sent += source.bio_read(READ)
        except SSL.WantReadError:
            return sent


@pytest.fixture(scope="module")
def server_context(tmp_path_factory: pytest.TempPathFactory) -> SSL.Context:
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    leaf = str(Authority(tmp_path_factory.mktemp("ca")).leaf(["localhost"]))
    made.use_certificate_file(leaf)
    made.use_privatekey_file(leaf)
    return made


class Side:
    """mitmproxy's layer before a client, the handshake done."""

    def __init__(self, server_context: SSL.Context) -> None:
        tls.apply()
        self.client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
        self.client.set_connect_state()
        server = SSL.Connection(server_context)
        server.set_accept_state()
        for _ in range(3):
            for one, other in ((self.client, server), (server, self.client)):
                with contextlib.suppress(SSL.WantReadError):
                    one.do_handshake()
                if data := pump(one):
                    other.bio_write(data)
        self.seen: list[events.Event] = []
        at = ("127.0.0.1", 1)
        client = connection.Client(peername=at, sockname=at, timestamp_start=0)
        client.state = connection.ConnectionState.OPEN
        self.layer = layers.TLSLayer(context.Context(client, options.Options()), client)
        self.layer.tls = server
        self.layer.tunnel_state = tunnel.TunnelState.OPEN
        self.layer.child_layer = SimpleNamespace(handle_event=self._take)  # type: ignore[assignment]

    def _take(self, event: events.Event) -> list[Any]:
        self.seen.append(event)
        return []

    def receives(self, data: bytes) -> list[commands.Command]:
        return list(self.layer.receive_data(data))

    @property
    def plain(self) -> bytes:
        return b"".join(one.data for one in self.seen if isinstance(one, events.DataReceived))


@settings(max_examples=40, deadline=None)
@given(
    texts=st.lists(st.integers(1, 40_000), min_size=1, max_size=4),
    cuts=st.lists(st.integers(1, 20_000), max_size=8),
)
def test_however_it_is_cut(server_context: SSL.Context, texts: list[int], cuts: list[int]) -> None:
    side = Side(server_context)
    sent = [bytes([n % 251]) * size for n, size in enumerate(texts)]
    for one in sent:
        side.client.sendall(one)
    stream = pump(side.client)
    for cut in cuts:
        if stream:
            side.receives(stream[:cut])
            stream = stream[cut:]
    if stream:
        side.receives(stream)
    assert side.plain == b"".join(sent)
    assert {type(one) for one in side.seen} == {events.DataReceived}


@settings(max_examples=20, deadline=None)
@given(size=st.integers(1, 200_000))
def test_all_is_sent(server_context: SSL.Context, size: int) -> None:
    side = Side(server_context)
    (one,) = side.layer.send_data(b"x" * size)
    assert isinstance(one, commands.SendData)
    side.client.bio_write(one.data)
    got = b""
    while len(got) < size:
        got += side.client.recv(READ)
    assert got == b"x" * size
    assert list(side.layer.tls_interact()) == []


def test_a_close_is_told_after_what_came_before_it(server_context: SSL.Context) -> None:
    side = Side(server_context)
    side.client.sendall(b"last words")
    side.client.shutdown()
    side.receives(pump(side.client))
    assert side.plain == b"last words"
    assert isinstance(side.seen[-1], events.ConnectionClosed)


def test_what_is_no_tls_is_told(server_context: SSL.Context) -> None:
    side = Side(server_context)
    side.client.sendall(b"words")
    broken = bytearray(pump(side.client))
    broken[-1] ^= 1
    said = side.receives(bytes(broken))
    assert side.plain == b""
    assert any(isinstance(one, commands.SendData) for one in said), "an alert"
    assert any(isinstance(one, commands.Log) and "TLS Error" in one.message for one in said)
