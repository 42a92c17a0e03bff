"""The CA as X.509 has it: a key, a certificate, and what the certificate permits.

The certificate is signed by its own key (ECDSA P-256) and may sign server certificates only: path length 0, extended key usage
`serverAuth`. Its critical name constraints (RFC 5280, 4.2.1.10) mean, for each kind of name:

- DNS: with a permitted subtree, a name must lie within one. `api.openai.com` permits itself and all below it.
- IP: likewise, IPv4 and IPv6 being one kind. A family without a permitted address is excluded whole as well, for verifiers
  that treat the two apart; a family with one is not, since an exclusion beats every permission.

Every name of a leaf is checked, so a leaf must carry names in scope and no other. The limits stand in the trusted certificate
itself. OpenSSL (Python, curl, Node) and Go heed them there; RFC 5280 leaves that to the verifier, and Java does not.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs.errors import CertsError

ORGANIZATION = "llmitm"
VALID_DAYS = 3650
# Clocks of clients may be late.
BACKDATED_DAYS = 2

_EVERY_IPV4 = ipaddress.ip_network("0.0.0.0/0")
_EVERY_IPV6 = ipaddress.ip_network("::/0")


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_id(key: CertificatePublicKeyTypes | x509.Certificate) -> str:
    """Eight hex digits that stay when the certificate is issued anew."""
    return hashlib.sha256(public_key_der(key)).hexdigest()[:8]


def public_key_der(key: CertificatePublicKeyTypes | x509.Certificate) -> bytes:
    public = key.public_key() if isinstance(key, x509.Certificate) else key
    return public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def new_subject(key: ec.EllipticCurvePrivateKey) -> x509.Name:
    """A name no other CA has: verifiers look issuers up by name, and two of one name would hide each other."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, ORGANIZATION),
            x509.NameAttribute(NameOID.COMMON_NAME, f"llmitm CA {key_id(key.public_key())}"),
        ]
    )


def made_by_us(certificate: x509.Certificate) -> bool:
    organizations = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    return (
        certificate.subject == certificate.issuer
        and [attribute.value for attribute in organizations] == [ORGANIZATION]
        and isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    )


def constraints(dns_subtrees: Iterable[str], ip_addresses: Iterable[str]) -> x509.NameConstraints:
    """Permit these DNS subtrees ("" is all of DNS) and these addresses, nothing else.
    Raises `CertsError` for what is neither."""
    names = sorted({_ascii(name) for name in dns_subtrees})
    if not names:
        raise CertsError("no host is in scope, so there is nothing the CA could be limited to")
    addresses = sorted(map(_network, set(ip_addresses)), key=lambda n: (n.version, n))
    permitted: list[x509.GeneralName] = [] if "" in names else [x509.DNSName(name) for name in names]
    permitted += [x509.IPAddress(address) for address in addresses]
    families = {address.version for address in addresses}
    excluded = [
        x509.IPAddress(every) for every in (_EVERY_IPV4, _EVERY_IPV6) if every.version not in families
    ]
    return x509.NameConstraints(permitted or None, excluded or None)


def constraints_of(certificate: x509.Certificate) -> x509.NameConstraints | None:
    """Those that bind: critical ones."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        return None
    return found.value if found.critical else None


def permitted_names(limits: x509.NameConstraints) -> list[str]:
    """DNS subtrees, then addresses, as a person writes them."""
    return [
        str(name.value).removesuffix("/32").removesuffix("/128") for name in limits.permitted_subtrees or ()
    ]


def permits(limits: x509.NameConstraints, name: str) -> bool:
    """Whether a leaf for this host or address, and for all hosts below it, would be within the limits."""
    try:
        address = _network(name)
    except CertsError:
        if not limits_dns(limits):
            return True
        subtrees = [n.value for n in limits.permitted_subtrees or () if isinstance(n, x509.DNSName)]
        return any(name == subtree or name.endswith(f".{subtree}") for subtree in subtrees)
    networks = [n.value for n in limits.permitted_subtrees or () if isinstance(n, x509.IPAddress)]
    excluded = [n.value for n in limits.excluded_subtrees or () if isinstance(n, x509.IPAddress)]
    inside = (not networks) or any(_contains(network, address) for network in networks)
    return inside and not any(_contains(network, address) for network in excluded)


def limits_dns(limits: x509.NameConstraints) -> bool:
    return any(isinstance(name, x509.DNSName) for name in limits.permitted_subtrees or ())


def issue(
    key: ec.EllipticCurvePrivateKey,
    subject: x509.Name,
    limits: x509.NameConstraints | None,
    now: datetime.datetime,
) -> x509.Certificate:
    """A self-signed CA certificate. Its serial number is new, as the same issuer must never give one twice."""
    public = key.public_key()
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
    identifier = x509.SubjectKeyIdentifier.from_public_key(public)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=BACKDATED_DAYS))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(identifier, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier), critical=False
        )
    )
    if limits is not None:
        builder = builder.add_extension(limits, critical=True)
    return builder.sign(key, hashes.SHA256())


def _contains(outer: object, inner: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return (
        isinstance(outer, ipaddress.IPv4Network)
        and isinstance(inner, ipaddress.IPv4Network)
        and inner.subnet_of(outer)
    ) or (
        isinstance(outer, ipaddress.IPv6Network)
        and isinstance(inner, ipaddress.IPv6Network)
        and inner.subnet_of(outer)
    )


def _ascii(name: str) -> str:
    try:
        ascii_name = name.lower().encode("idna").decode() if name else ""
    except UnicodeError:
        raise CertsError(f"{name!r} is no DNS name, so the CA cannot be limited to it") from None
    if ascii_name.startswith(".") or any(c in "*?[]: /" for c in ascii_name):
        raise CertsError(f"{name!r} is no DNS name, so the CA cannot be limited to it")
    return ascii_name


def _network(address: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(ipaddress.ip_address(address))
    except ValueError:
        raise CertsError(f"{address!r} is no IP address, so the CA cannot be limited to it") from None
