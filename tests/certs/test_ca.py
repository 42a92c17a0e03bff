from __future__ import annotations

import datetime
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID
from mitmproxy.certs import CertStore

from certs import authority, ca, files
from certs.ca import CaResult, CertsError, ensure_ca, load_ca

REPOSITORY = Path(__file__).parents[2]


def ensure(folder: Path, *hosts: str, limited: bool = True) -> CaResult:
    return ensure_ca(folder, hosts or ["api.openai.com"], ["127.0.0.1"], name_constraints=limited)


def certificate_in(folder: Path) -> x509.Certificate:
    found = load_ca(folder)
    assert found
    return found.certificate


def certificate_in_p12(path: Path) -> x509.Certificate:
    held = pkcs12.load_pkcs12(path.read_bytes(), None)
    assert held.key is None
    return held.additional_certs[0].certificate


def permitted_in(folder: Path) -> list[str] | None:
    limits = authority.constraints_of(certificate_in(folder))
    return authority.permitted_names(limits) if limits else None


def state_of(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}


def test_a_new_ca_has_the_files_mitmproxy_looks_for(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "certs"
    result = ensure(folder)
    assert result.created
    assert not result.reissued
    assert result.message is None
    assert sorted(path.name for path in folder.iterdir()) == [
        "mitmproxy-ca-cert.cer",
        "mitmproxy-ca-cert.p12",
        "mitmproxy-ca-cert.pem",
        "mitmproxy-ca.lock",
        "mitmproxy-ca.pem",
    ]
    pem = certificate_in(folder).public_bytes(serialization.Encoding.PEM)
    assert result.paths.cert.read_bytes() == result.paths.cer.read_bytes() == pem
    assert certificate_in_p12(result.paths.p12) == certificate_in(folder)


def test_mitmproxy_uses_it_and_makes_none_of_its_own(tmp_path: Path) -> None:
    ensure(tmp_path)
    before = state_of(tmp_path)
    store = CertStore.from_store(tmp_path, "mitmproxy", 2048)
    assert store.default_ca.to_cryptography() == certificate_in(tmp_path)
    after = state_of(tmp_path)
    assert set(after) - set(before) == {"mitmproxy-dhparam.pem"}
    assert {name: after[name] for name in before} == before


def test_only_the_owner_reads_the_key_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        paths = ensure(tmp_path).paths
    finally:
        os.umask(before)
    assert stat.S_IMODE(paths.ca.stat().st_mode) == 0o600
    before = os.umask(0o077)
    try:
        ensure(tmp_path, "other.example")
    finally:
        os.umask(before)
    assert stat.S_IMODE(paths.ca.stat().st_mode) == 0o600
    assert stat.S_IMODE(paths.cert.stat().st_mode) == 0o644
    holders = [path for path in tmp_path.iterdir() if b"PRIVATE" in path.read_bytes()]
    assert holders == [paths.ca]


def test_a_key_that_others_could_read_is_made_private(tmp_path: Path) -> None:
    path = ensure(tmp_path).paths.ca
    path.chmod(0o644)
    ensure(tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_ca_that_is_as_it_should_be_is_only_read(tmp_path: Path) -> None:
    ensure(tmp_path)
    (tmp_path / files.LOCK_NAME).unlink()
    before = state_of(tmp_path)
    assert ensure(tmp_path) == CaResult(ca.paths_in(tmp_path))
    assert state_of(tmp_path) == before


def test_missing_and_foreign_copies_are_made_anew(tmp_path: Path) -> None:
    paths = ensure(tmp_path).paths
    pem = paths.cert.read_bytes()
    paths.cert.unlink()
    paths.p12.unlink()
    paths.cer.write_bytes(b"something else")
    assert not ensure(tmp_path).created
    assert paths.cert.read_bytes() == paths.cer.read_bytes() == pem
    assert certificate_in_p12(paths.p12) == certificate_in(tmp_path)


def test_when_the_scope_grows_it_is_issued_anew_with_the_same_key_and_name(tmp_path: Path) -> None:
    ensure(tmp_path, "api.openai.com")
    old, old_key = certificate_in(tmp_path), load_ca(tmp_path).key.private_numbers()  # type: ignore[union-attr]
    result = ensure(tmp_path, "api.openai.com", "llm.example")
    new, new_key = certificate_in(tmp_path), load_ca(tmp_path).key.private_numbers()  # type: ignore[union-attr]

    assert result.reissued
    assert not result.created
    assert permitted_in(tmp_path) == ["api.openai.com", "llm.example", "127.0.0.1"]
    assert (new.subject, new_key) == (old.subject, old_key)
    assert new.serial_number != old.serial_number
    assert result.paths.cert.read_bytes() == new.public_bytes(serialization.Encoding.PEM)
    assert certificate_in_p12(result.paths.p12) == new
    assert result.message
    assert "the scope grew by llm.example" in result.message
    assert "`llmitm trust install`" in result.message
    assert str(result.paths.cert) in result.message
    assert ensure(tmp_path, "api.openai.com", "llm.example").message is None


def test_when_the_scope_shrinks_so_does_the_ca(tmp_path: Path) -> None:
    ensure(tmp_path, "api.openai.com", "llm.example")
    result = ensure(tmp_path, "api.openai.com")
    assert result.reissued
    assert permitted_in(tmp_path) == ["api.openai.com", "127.0.0.1"]
    assert result.message
    assert "no longer needs llm.example" in result.message
    assert "everything goes on working" in result.message


def test_limits_can_be_turned_off_and_on(tmp_path: Path) -> None:
    ensure(tmp_path)
    off = ensure(tmp_path, limited=False)
    assert off.reissued
    assert off.message
    assert "certs.name_constraints is off" in off.message
    assert permitted_in(tmp_path) is None
    assert not ensure(tmp_path, limited=False).reissued
    on = ensure(tmp_path)
    assert on.reissued
    assert on.message
    assert "can sign for the hosts in scope only" in on.message
    assert permitted_in(tmp_path) == ["api.openai.com", "127.0.0.1"]


def test_it_is_renewed_before_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(tmp_path)
    ends = certificate_in(tmp_path).not_valid_after_utc
    monkeypatch.setattr(ca, "_now", lambda: ends - datetime.timedelta(days=31))
    assert not ensure(tmp_path).reissued
    monkeypatch.setattr(ca, "_now", lambda: ends - datetime.timedelta(days=29))
    result = ensure(tmp_path)
    assert result.reissued
    assert result.message
    assert f"ends on {ends:%Y-%m-%d}" in result.message
    assert certificate_in(tmp_path).not_valid_after_utc > ends


def test_a_pattern_for_any_host_is_said(tmp_path: Path) -> None:
    result = ensure_ca(tmp_path, [""], ["127.0.0.1"], name_constraints=True)
    assert result.created
    assert result.message
    assert "can sign for every host" in result.message


def test_a_lost_key_gives_a_new_ca_and_says_so(tmp_path: Path) -> None:
    old = ensure(tmp_path).paths
    subject = certificate_in(tmp_path).subject
    old.ca.unlink()
    result = ensure(tmp_path)
    assert result.created
    assert result.message
    assert "its key was gone" in result.message
    assert certificate_in(tmp_path).subject != subject
    assert old.cert.read_bytes() == certificate_in(tmp_path).public_bytes(serialization.Encoding.PEM)


def other_key_beside_certificate(pem: bytes) -> bytes:
    key = authority.new_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return key + pem[pem.index(b"-----BEGIN CERTIFICATE") :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda pem: b"",
        lambda pem: b"\x00\xff garbage",
        lambda pem: pem[: len(pem) // 2],
        lambda pem: pem[: pem.index(b"-----BEGIN CERTIFICATE")],
        lambda pem: pem[pem.index(b"-----BEGIN CERTIFICATE") :],
        other_key_beside_certificate,
    ],
    ids=["empty", "garbage", "cut", "no certificate", "no key", "other key"],
)
def test_a_damaged_ca_is_said_and_kept(tmp_path: Path, damage: object) -> None:
    path = ensure(tmp_path).paths.ca
    broken = damage(path.read_bytes())  # type: ignore[operator]
    path.write_bytes(broken)
    with pytest.raises(CertsError, match="damaged") as error:
        ensure(tmp_path)
    assert str(path) in str(error.value)
    assert path.read_bytes() == broken


def test_an_encrypted_key_is_said(tmp_path: Path) -> None:
    paths = ensure(tmp_path).paths
    found = load_ca(tmp_path)
    assert found
    encrypted = found.key.private_bytes(  # type: ignore[union-attr]
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    paths.ca.write_bytes(encrypted + found.pem)
    with pytest.raises(CertsError, match="without a passphrase"):
        ensure(tmp_path)


def test_an_unreadable_ca_is_said(tmp_path: Path) -> None:
    (tmp_path / "mitmproxy-ca.pem").mkdir()
    with pytest.raises(CertsError, match="cannot read the CA"):
        ensure(tmp_path)


def test_a_ca_of_somebody_else_is_used_as_it_is(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corporate CA")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    theirs = (
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        + pem
    )
    (tmp_path / "mitmproxy-ca.pem").write_bytes(theirs)
    result = ensure(tmp_path)
    assert not result.created
    assert not result.reissued
    assert result.message
    assert "was not made by llmitm and has no name constraints" in result.message
    assert result.paths.ca.read_bytes() == theirs
    assert result.paths.cert.read_bytes() == pem
    assert ensure(tmp_path, limited=False).message is None


_ENSURE = """
import sys
from pathlib import Path
from certs.ca import ensure_ca
sys.stdin.readline()
result = ensure_ca(Path(sys.argv[1]), ["api.openai.com"], ["127.0.0.1"], name_constraints=True)
print(result.created, result.paths.cert.read_text())
"""


def test_processes_starting_at_once_agree_on_one_ca(tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _ENSURE, str(folder)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in started:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=30)[0] for process in started]
    assert [process.returncode for process in started] == [0] * 6
    assert sorted(answer.split(" ", 1)[0] for answer in answers) == ["False"] * 5 + ["True"]
    assert len({answer.split(" ", 1)[1] for answer in answers}) == 1
    assert load_ca(folder)
