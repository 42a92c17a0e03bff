from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from datasette_plugins import certificate


def write(folder: Path, names: list[str] | None, days: int = 100) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "llmitm test")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days, hours=1))
    )
    if names is not None:
        permitted = [x509.DNSName(n) for n in names]
        builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    folder.mkdir(parents=True, exist_ok=True)
    signed = builder.sign(key, hashes.SHA256())
    (folder / certificate.CERTIFICATE).write_bytes(signed.public_bytes(serialization.Encoding.PEM))


def test_what_it_says(tmp_path: Path) -> None:
    write(tmp_path, ["openai.com", "anthropic.com"])
    found = certificate.read(tmp_path)
    assert found is not None
    assert (found.name, found.constrained) == ("CN=llmitm test", True)
    assert found.permitted == ["openai.com", "anthropic.com"]
    assert len(found.sha256) == 95 and found.sha256[2] == ":"
    assert found.days_left(datetime.now(UTC).timestamp() * 1000) == 100


def test_without_constraints(tmp_path: Path) -> None:
    write(tmp_path, None)
    found = certificate.read(tmp_path)
    assert found is not None and not found.constrained


def test_none_and_none_that_can_be_read(tmp_path: Path) -> None:
    assert certificate.read(tmp_path) is None
    (tmp_path / certificate.CERTIFICATE).write_text("nonsense")
    assert certificate.read(tmp_path) is None
