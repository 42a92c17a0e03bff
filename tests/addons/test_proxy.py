"""TLS towards clients: which HTTP version one that offers several gets."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from mitmproxy import connection, tls
from mitmproxy.addons import proxyserver
from mitmproxy.options import Options
from mitmproxy.proxy.context import Context
from mitmproxy.test import taddons
from OpenSSL import SSL

from addons.proxy import Tls


@pytest.mark.parametrize("http2", [True, False])
def test_http2_for_a_client_that_offers_it_whichever_it_names_first(tmp_path: Path, http2: bool) -> None:
    addon = Tls()
    with taddons.context(addon, proxyserver.Proxyserver()) as context:
        context.configure(addon, confdir=str(tmp_path), http2=http2)
        for offers in ([b"http/1.1", b"h2"], [b"h2", b"http/1.1"], [b"http/1.1"]):
            wanted = b"h2" if http2 and b"h2" in offers else b"http/1.1"
            assert _negotiated(addon, context.options, offers) == wanted


def _negotiated(addon: Tls, options: Options, offers: list[bytes]) -> bytes:
    client = connection.Client(
        peername=("127.0.0.1", 1), sockname=("127.0.0.1", 2), timestamp_start=0, sni="api.openai.com"
    )
    client.alpn_offers = tuple(offers)
    start = tls.TlsData(client, Context(client, options))
    addon.tls_start_client(start)
    far = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD))
    far.set_alpn_protos(offers)
    far.set_connect_state()
    assert start.ssl_conn
    for _ in range(4):
        for here, there in ((far, start.ssl_conn), (start.ssl_conn, far)):
            with contextlib.suppress(SSL.WantReadError):
                here.do_handshake()
            with contextlib.suppress(SSL.WantReadError):
                there.bio_write(here.bio_read(1 << 16))
    return far.get_alpn_proto_negotiated()
