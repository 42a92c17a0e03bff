"""TLS layers that do not ask OpenSSL for what is not there.

For each piece of data mitmproxy reads until OpenSSL says that there is no more, on the way in and on the way out: three failed
reads for a chunk of a stream, each an exception. What the two buffers hold can be asked first.
"""

from __future__ import annotations

from typing import Any

from mitmproxy.proxy import commands, events, layer
from mitmproxy.proxy.layers import tls
from OpenSSL import SSL

READ = 65535

_original_receive = tls.TLSLayer.receive_data
_nothing = SSL._ffi.new("char **")


def _held(bio: Any) -> int:
    """Bytes in a memory buffer of OpenSSL."""
    return int(SSL._lib.BIO_get_mem_data(bio, _nothing))


def receive_data(self: tls.TLSLayer, data: bytes) -> layer.CommandGenerator[None]:
    connection = self.tls
    if not data:
        yield from _original_receive(self, data)
        return
    connection.bio_write(data)
    plain: list[bytes] = []
    ended = False
    try:
        while _held(connection._into_ssl) or connection.pending():
            plain.append(connection.recv(READ))
    except SSL.WantReadError:
        pass  # the rest of a record is still to come
    except SSL.Error:
        ended = True
    if _held(connection._from_ssl):
        yield from self.tls_interact()
    if plain:
        yield from self.event_to_child(events.DataReceived(self.conn, b"".join(plain)))
    if ended:  # a close or an alert: met a second time by mitmproxy's own code
        yield from _original_receive(self, b"")


def tls_interact(self: tls.TLSLayer) -> layer.CommandGenerator[None]:
    if held := _held(self.tls._from_ssl):
        yield commands.SendData(self.conn, self.tls.bio_read(held))


def apply() -> None:
    tls.TLSLayer.receive_data = receive_data  # type: ignore[method-assign]
    tls.TLSLayer.tls_interact = tls_interact  # type: ignore[method-assign]
