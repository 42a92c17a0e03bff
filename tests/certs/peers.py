"""A TLS server as mitmproxy would play it: leaves made by its own `CertStore` from the CA under test."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mitmproxy.certs import CertStore


def leaf_for(folder: Path, *names: str) -> Path:
    """A PEM file of key and leaf for these hosts or addresses, as our proxy has mitmproxy make it."""
    store = CertStore.from_store(folder, "mitmproxy", 2048)
    alternatives = [_general_name(name) for name in names]
    # An address must not stand in the common name: OpenSSL holds it for a host name, which the limits then forbid.
    named = isinstance(alternatives[0], x509.DNSName)
    entry = store.get_cert(names[0] if named else None, alternatives)
    key = entry.privatekey.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / f"leaf-{names[0].replace(':', '_')}.pem"
    file.write_bytes(entry.cert.to_pem() + key)
    return file


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@contextmanager
def serving(leaf: Path) -> Iterator[int]:
    """The port of a server that presents this leaf and answers every request with `trusted`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(leaf)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, context), daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def _serve(listener: socket.socket, context: ssl.SSLContext) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        try:
            plain.settimeout(10)
            with context.wrap_socket(plain, server_side=True) as connection:
                connection.recv(65536)
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 7\r\n\r\ntrusted"
                )
        except OSError:  # the client refused us, as some tests want
            plain.close()
