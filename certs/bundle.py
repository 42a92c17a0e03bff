"""`bundle.pem`: the system's roots, a company's CA if there is one, and ours.

Most clients that are told of a CA file take it *instead of* their own list, so the file must hold everything they need for
hosts that are not opened. The system's roots come from the file or folder its OpenSSL or distribution keeps, else from
certifi; environment variables are not asked, as under `llmitm exec` they name this very bundle. Every call compares with the
sources as they are now and rewrites only what changed.

A copy of our CA among the system's roots (put there by `llmitm trust install`) is left out: an earlier issue of it, with
earlier limits, could be found first. Roots that exist only in a keychain (macOS, Windows) are not in the bundle: for a company's
CA that lives there alone, `proxy.upstream_ca` names its file.
"""

from __future__ import annotations

import base64
import binascii
import re
import ssl
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from certs import files
from certs.authority import public_key_der
from certs.ca import load_ca, paths_in
from certs.errors import CertsError

# Debian, Arch, Alpine; Red Hat; SUSE; FreeBSD; OpenBSD and macOS.
SYSTEM_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/usr/local/etc/ssl/cert.pem",
    "/etc/ssl/cert.pem",
)
_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)


def refresh_bundle(
    folder: Path, extra: Sequence[Path] = (), *, system: Iterable[bytes] | None = None
) -> Path:
    """Write `bundle.pem` beside the CA if it is missing or its sources changed. `extra` are PEM files to include; `system`
    are the system's roots as DER, found by `system_roots` when not given. Raises `CertsError`, `OSError`."""
    path = paths_in(folder).bundle
    roots = list(system_roots() if system is None else system)
    if files.content(path) != _bundle(folder, roots, extra):
        with files.locked(folder):  # read the CA again: it may have been issued anew meanwhile
            files.write(path, _bundle(folder, roots, extra))
    return path


def _bundle(folder: Path, roots: list[bytes], extra: Sequence[Path]) -> bytes:
    ca = load_ca(folder)
    if ca is None:
        raise CertsError(f"there is no CA in {folder}")
    ours = [public_key_der(certificate) for certificate in ca.chain]
    others = [der for der in (*roots, *_extra(extra)) if not any(key in der for key in ours)]
    return b"".join(map(pem, dict.fromkeys(others))) + ca.pem


def system_roots() -> list[bytes]:
    """The roots this machine trusts, as DER. Raises `CertsError` when there are none anywhere."""
    compiled = ssl.get_default_verify_paths()
    for source in (*map(Path, SYSTEM_FILES), Path(compiled.openssl_cafile), Path(compiled.openssl_capath)):
        if roots := _roots_in(source):
            return roots
    try:
        import certifi

        return certificates_in(Path(certifi.where()).read_bytes())
    except (ImportError, OSError):
        raise CertsError(
            "this machine has no list of trusted CAs: install the package ca-certificates"
        ) from None


def certificates_in(text: bytes) -> list[bytes]:
    """The certificates of a PEM text as DER. What is no valid base64 is left out."""
    return list(_ders(text))


def pem(der: bytes) -> bytes:
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n".encode()


def _ders(text: bytes) -> Iterator[bytes]:
    for match in _CERTIFICATE.finditer(text):
        try:
            yield base64.b64decode(b"".join(match[1].split()), validate=True)
        except binascii.Error:
            continue


def _roots_in(source: Path) -> list[bytes]:
    """Of a PEM file, or of a folder of them."""
    try:
        members = sorted(source.iterdir()) if source.is_dir() else [source]
        return list(dict.fromkeys(der for m in members if m.is_file() for der in _ders(m.read_bytes())))
    except OSError:
        return []


def _extra(paths: Sequence[Path]) -> list[bytes]:
    found: list[bytes] = []
    for path in paths:
        try:
            certificates = certificates_in(path.read_bytes())
        except OSError as e:
            raise CertsError(f"cannot read the CA file {path}: {e.strerror}") from None
        if not certificates:
            raise CertsError(f"there is no certificate in {path}; it must be a PEM file")
        found += certificates
    return found
