"""The CA's files, in the layout in which mitmproxy looks for them.

`mitmproxy-ca.pem` (key and certificate, 0600) is the CA; the other files are copies of its certificate and made anew when they
differ. When `mitmproxy-ca.pem` is missing, mitmproxy makes an unlimited RSA CA of its own and overwrites the copies: so
`ensure_ca` comes first in every process that starts one. What it guarantees:

- The certificate is limited to exactly the hosts given. When they change it is issued anew with the same key and name, so that
  leaves, running proxies and what trusts the old certificate go on working; `CaResult.message` says what the user has to do.
- Processes may call it at the same time: one makes the CA, all use it. A CA that is as it should be is only read.
- A CA of somebody else's making (another organization in its name) is used as it is, never changed.

Processes with different scopes in one folder issue it anew in turns: give each scope a folder of its own.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from certs import authority, files, reissue
from certs.errors import CertsError

__all__ = ["Ca", "CaPaths", "CaResult", "CertsError", "ensure_ca", "load_ca"]

RENEW_DAYS = 30


@dataclass(frozen=True, slots=True)
class CaPaths:
    """`ca`: key and certificate. `cert`: what clients trust. `cer`, `p12`: the same for Android and Windows.
    `bundle`: the system's roots and ours, made by `certs.bundle`."""

    ca: Path
    cert: Path
    cer: Path
    p12: Path
    bundle: Path


@dataclass(frozen=True, slots=True)
class CaResult:
    """`message` is for the user: what changed and what to do now, None when there is nothing to do."""

    paths: CaPaths
    created: bool = False
    reissued: bool = False
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Ca:
    """What `mitmproxy-ca.pem` holds. `chain` starts with the certificate that signs."""

    key: PrivateKeyTypes
    chain: tuple[x509.Certificate, ...]

    @property
    def certificate(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def pem(self) -> bytes:
        return b"".join(c.public_bytes(serialization.Encoding.PEM) for c in self.chain)


def paths_in(folder: Path) -> CaPaths:
    return CaPaths(
        ca=folder / "mitmproxy-ca.pem",
        cert=folder / "mitmproxy-ca-cert.pem",
        cer=folder / "mitmproxy-ca-cert.cer",
        p12=folder / "mitmproxy-ca-cert.p12",
        bundle=folder / "bundle.pem",
    )


def ensure_ca(
    folder: Path, dns_subtrees: Sequence[str], ip_addresses: Sequence[str], *, name_constraints: bool
) -> CaResult:
    """Make the CA, or issue it anew, if it is not there or not as it should be. Raises `CertsError`, `OSError`."""
    wanted = authority.constraints(dns_subtrees, ip_addresses) if name_constraints else None
    paths = paths_in(folder)
    ca = load_ca(folder)
    if ca and _why_anew(ca, wanted) is None and not _stale_copies(ca, paths):
        return CaResult(paths, message=_standing_warning(ca, paths, wanted))
    with files.locked(folder):
        ca = load_ca(folder)
        if ca is None:
            result = _create(paths, wanted)
        elif why := _why_anew(ca, wanted):
            result = _reissue(ca, paths, wanted, why)
        else:
            result = CaResult(paths, message=_standing_warning(ca, paths, wanted))
        ca = load_ca(folder)
        assert ca is not None
        for path, data in _stale_copies(ca, paths).items():
            files.write(path, data)
    return result


def load_ca(folder: Path) -> Ca | None:
    """The CA in this folder, None if there is none. A key that others could read is made private.
    Raises `CertsError` if it cannot be used."""
    path = paths_in(folder).ca
    try:
        data = files.content(path)
        if data is None:
            return None
        if path.stat().st_mode & 0o077:
            with contextlib.suppress(OSError):  # somebody else's, or a read-only mount: doctor tells
                path.chmod(0o600)
    except OSError as e:
        raise CertsError(f"cannot read the CA: {path}: {e.strerror}") from None
    advice = f"Restore it from a backup, or move it away to have a new CA made (which clients must then trust anew): {path}"
    try:
        key = serialization.load_pem_private_key(data, None)
        chain = x509.load_pem_x509_certificates(data)
        certified = chain[0].public_key()
    except TypeError:
        raise CertsError(f"the CA's key is encrypted, llmitm needs it without a passphrase: {path}") from None
    except ValueError:
        raise CertsError(f"the CA is damaged: no private key and certificate can be read. {advice}") from None
    if key.public_key() != certified:
        raise CertsError(f"the CA is damaged: its certificate is not for its key. {advice}")
    return Ca(key, tuple(chain))


def _create(paths: CaPaths, wanted: x509.NameConstraints | None) -> CaResult:
    key = authority.new_key()
    lost = paths.cert.is_file()
    _write(paths, key, authority.issue(key, authority.new_subject(key), wanted, _now()))
    message = reissue.replaced(paths.ca, paths.cert) if lost else reissue.unlimited_names(wanted)
    return CaResult(paths, created=True, message=message)


def _reissue(ca: Ca, paths: CaPaths, wanted: x509.NameConstraints | None, why: reissue.Why) -> CaResult:
    assert isinstance(ca.key, ec.EllipticCurvePrivateKey)
    _write(paths, ca.key, authority.issue(ca.key, ca.certificate.subject, wanted, _now()))
    return CaResult(paths, reissued=True, message=reissue.message(why, paths.cert, wanted))


def _write(paths: CaPaths, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    files.write(paths.ca, secret + certificate.public_bytes(serialization.Encoding.PEM), 0o600)


def _why_anew(ca: Ca, wanted: x509.NameConstraints | None) -> reissue.Why | None:
    """Why the certificate is not as it should be. None also for a CA that is not ours to change."""
    if not authority.made_by_us(ca.certificate):
        return None
    present = authority.constraints_of(ca.certificate)
    expires = ca.certificate.not_valid_after_utc
    expiring = expires - _now() < datetime.timedelta(days=RENEW_DAYS)
    if present == wanted and not expiring:
        return None
    return reissue.Why(present, wanted, expires if expiring else None)


def _standing_warning(ca: Ca, paths: CaPaths, wanted: x509.NameConstraints | None) -> str | None:
    if wanted is None or authority.made_by_us(ca.certificate):
        return None
    return reissue.foreign(paths.ca, authority.constraints_of(ca.certificate), wanted)


def _stale_copies(ca: Ca, paths: CaPaths) -> dict[Path, bytes]:
    """Files beside the CA that are missing or belong to an earlier certificate, with what they must hold."""
    stale = {path: ca.pem for path in (paths.cert, paths.cer) if files.content(path) != ca.pem}
    if stale or not paths.p12.is_file():
        stale[paths.p12] = pkcs12.serialize_key_and_certificates(
            b"llmitm", None, ca.certificate, list(ca.chain[1:]) or None, serialization.NoEncryption()
        )
    return stale


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
