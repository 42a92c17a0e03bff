"""The CA's certificate, as far as its reader has to know it: which it is, how long it holds, what it may sign for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes

CERTIFICATE = "mitmproxy-ca-cert.pem"
DAY_MS = 86_400_000


@dataclass(frozen=True)
class Certificate:
    path: Path
    name: str
    sha256: str  # as browsers and trust stores show it
    not_before_ms: int
    not_after_ms: int
    permitted: list[str]  # what its name constraints allow; empty: anything
    constrained: bool

    def days_left(self, now_ms: float) -> int:
        return int((self.not_after_ms - now_ms) // DAY_MS)


def read(folder: Path) -> Certificate | None:
    """`None` if there is none yet, or it is no certificate."""
    path = folder / CERTIFICATE
    try:
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError):
        return None
    permitted = _permitted(found)
    return Certificate(
        path,
        found.subject.rfc4514_string(),
        found.fingerprint(hashes.SHA256()).hex(":").upper(),
        _ms(found.not_valid_before_utc),
        _ms(found.not_valid_after_utc),
        permitted or [],
        permitted is not None,
    )


def _permitted(found: x509.Certificate) -> list[str] | None:
    try:
        constraints = found.extensions.get_extension_for_class(x509.NameConstraints).value
    except (x509.ExtensionNotFound, ValueError):
        return None
    return [str(name.value) for name in constraints.permitted_subtrees or []]


def _ms(at: datetime) -> int:
    return int(at.astimezone(UTC).timestamp() * 1000)
