"""A CA for the far side: signs a leaf for whatever name a client asks for, to play any provider's host.

One P-256 key serves all leaves. Nothing but these tests trusts it.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID


class Authority:
    """The CA, kept in `folder`; `ca_file` is what a client has to trust."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ca_file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "llmitm test upstream CA")])
        key_id = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        self._authority_id = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(key_id)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        cert = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(True, None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(key_id, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.ca_file.write_bytes(cert.public_bytes(serialization.Encoding.PEM))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
        )

    def leaf(self, names: Sequence[str]) -> Path:
        """A PEM file with key and certificate for these DNS names and IP addresses."""
        path = self.folder / f"leaf-{names[0].replace('*', '_').replace(':', '_')}-{len(names)}.pem"
        if not path.exists():
            alt = x509.SubjectAlternativeName([_general_name(n) for n in names])
            cert = (
                self._builder(x509.Name([]), self._leaf_key.public_key())
                .add_extension(alt, critical=True)
                .add_extension(self._authority_id, critical=False)
                .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
                .sign(self._key, hashes.SHA256())
            )
            key = self._leaf_key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            path.write_bytes(key + cert.public_bytes(serialization.Encoding.PEM))
        return path

    def server_context(self, alpn: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
        """A server side that has a certificate for every name it is asked for, 127.0.0.1 included."""
        contexts: dict[str, ssl.SSLContext] = {}

        def context_for(name: str) -> ssl.SSLContext:
            if name not in contexts:
                contexts[name] = context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.leaf([name]))
                context.set_alpn_protocols(list(alpn))
            return contexts[name]

        def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
            if name:
                connection.context = context_for(name)

        default = context_for("127.0.0.1")
        default.sni_callback = choose
        return default


def client_context(ca_file: Path, alpn: Sequence[str] = ("http/1.1",)) -> ssl.SSLContext:
    """A client side that trusts `ca_file` and nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(ca_file)
    context.set_alpn_protocols(list(alpn))
    return context


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
