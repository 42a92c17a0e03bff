"""An ephemeral CA, and a certificate for whatever host a client asks for.

Made anew at each start in a folder of its own and gone with it; the CA's file is what a client, or the proxy, must trust.
A certificate is signed when a TLS client names a host (SNI); clients that name none get the one for loopback and the
names given in advance.
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

from .memory import Bounded

LOOPBACK = ("localhost", "127.0.0.1", "::1")
_MAX_CONTEXTS = 512
_ALPN = ["h2", "http/1.1"]


class EphemeralCA:
    """`ca_file` is its certificate as PEM. `context` serves any host name. Writes only into `folder`."""

    def __init__(self, folder: Path, hostnames: Sequence[str] = ()) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("llmitm offline provider CA")
        self._certificate = self._sign_itself()
        self.ca_file = folder / "ca.pem"
        self.ca_file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))
        self._contexts: Bounded[str, ssl.SSLContext] = Bounded(_MAX_CONTEXTS)
        self.context = self._context((*LOOPBACK, *hostnames))
        self.context.sni_callback = self._choose

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if not name or name == "localhost":
            return
        if name not in self._contexts:
            self._contexts[name] = self._context((name,))
        connection.context = self._contexts[name]

    def _context(self, names: Sequence[str]) -> ssl.SSLContext:
        chain = self._folder / "leaf.pem"
        key = self._leaf_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        certificate = self._leaf(names).public_bytes(serialization.Encoding.PEM)
        chain.touch(mode=0o600)
        chain.write_bytes(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chain)
        context.set_alpn_protocols(_ALPN)
        chain.unlink()
        return context

    def _leaf(self, names: Sequence[str]) -> x509.Certificate:
        alternatives = x509.SubjectAlternativeName(list(map(_alternative, names)))
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        return (
            self._builder(_name("llmitm offline provider"), self._leaf_key.public_key())
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
            .sign(self._key, hashes.SHA256())
        )

    def _sign_itself(self) -> x509.Certificate:
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )

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
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
