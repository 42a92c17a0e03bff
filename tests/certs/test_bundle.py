from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certs import authority, bundle
from certs.ca import ensure_ca, load_ca
from certs.errors import CertsError


def a_root() -> bytes:
    key = authority.new_key()
    now = datetime.datetime.now(datetime.UTC)
    return authority.issue(key, authority.new_subject(key), None, now).public_bytes(
        serialization.Encoding.DER
    )


ROOT, COMPANY = a_root(), a_root()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "certs"
    ensure_ca(folder, ["api.openai.com"], ["127.0.0.1"], name_constraints=True)
    return folder


def our_certificate(folder: Path) -> bytes:
    ca = load_ca(folder)
    assert ca
    return ca.certificate.public_bytes(serialization.Encoding.DER)


def held(path: Path) -> list[bytes]:
    return bundle.certificates_in(path.read_bytes())


def test_it_holds_the_system_s_roots_a_company_s_ca_and_ours(folder: Path, tmp_path: Path) -> None:
    company = tmp_path / "company.pem"
    company.write_bytes(b"# Company\r\n" + bundle.pem(COMPANY).replace(b"\n", b"\r\n"))
    path = bundle.refresh_bundle(folder, [company], system=[ROOT, ROOT])
    assert path == folder / "bundle.pem"
    assert held(path) == [ROOT, COMPANY, our_certificate(folder)]
    assert len(x509.load_pem_x509_certificates(path.read_bytes())) == 3
    assert path.stat().st_mode & 0o777 == 0o644


def test_it_is_written_only_when_a_source_changed(folder: Path, tmp_path: Path) -> None:
    path = bundle.refresh_bundle(folder, system=[ROOT])
    before = path.stat()
    assert bundle.refresh_bundle(folder, system=[ROOT]).stat() == before
    bundle.refresh_bundle(folder, system=[ROOT, COMPANY])
    assert held(path) == [ROOT, COMPANY, our_certificate(folder)]


def test_an_earlier_issue_of_our_ca_in_the_system_is_left_out(folder: Path) -> None:
    old = our_certificate(folder)
    ensure_ca(folder, ["api.openai.com", "llm.example"], ["127.0.0.1"], name_constraints=True)
    path = bundle.refresh_bundle(folder, system=[old, ROOT])
    assert our_certificate(folder) != old
    assert held(path) == [ROOT, our_certificate(folder)]


def test_python_accepts_the_bundle_of_this_machine(folder: Path) -> None:
    path = bundle.refresh_bundle(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(path)
    roots = context.get_ca_certs(binary_form=True)
    assert len(roots) > 20
    assert our_certificate(folder) in roots


def test_variables_that_name_a_bundle_do_not_count(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = bundle.refresh_bundle(folder, system=[ROOT])
    monkeypatch.setenv("SSL_CERT_FILE", str(ours))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert ROOT not in bundle.system_roots()


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without roots anywhere but, perhaps, in the folder that OpenSSL was built for."""
    nowhere = str(tmp_path / "missing")
    paths = ssl.DefaultVerifyPaths(None, None, "", nowhere, "", str(tmp_path / "roots"))
    monkeypatch.setattr(bundle, "SYSTEM_FILES", (nowhere,))
    monkeypatch.setattr(bundle.ssl, "get_default_verify_paths", lambda: paths)
    return tmp_path / "roots"


def test_a_folder_of_roots_will_do(bare_machine: Path) -> None:
    bare_machine.mkdir()
    (bare_machine / "a.pem").write_bytes(bundle.pem(ROOT))
    (bare_machine / "1234abcd.0").symlink_to("a.pem")
    (bare_machine / "dangling.pem").symlink_to("gone.pem")
    assert bundle.system_roots() == [ROOT]


@pytest.mark.usefixtures("bare_machine")
def test_certifi_is_the_last_resort() -> None:
    import certifi

    assert bundle.system_roots() == bundle.certificates_in(Path(certifi.where()).read_bytes())


def test_a_company_file_that_cannot_be_used_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(CertsError, match=r"cannot read the CA file .*gone\.pem"):
        bundle.refresh_bundle(folder, [tmp_path / "gone.pem"], system=[ROOT])
    empty = tmp_path / "empty.pem"
    empty.write_text("nothing")
    with pytest.raises(CertsError, match=r"no certificate in .*empty\.pem"):
        bundle.refresh_bundle(folder, [empty], system=[ROOT])


def test_without_a_ca_there_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(CertsError, match="there is no CA"):
        bundle.refresh_bundle(tmp_path, system=[ROOT])
    assert not (tmp_path / "bundle.pem").exists()
