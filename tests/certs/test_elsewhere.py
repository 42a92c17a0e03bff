from __future__ import annotations

from pathlib import Path

from cryptography import x509

from certs.ca import ensure_ca, load_ca
from certs.elsewhere import commands_for


def made_in(folder: Path) -> tuple[x509.Certificate, Path]:
    paths = ensure_ca(folder, ["api.openai.com"], ["127.0.0.1"], name_constraints=True).paths
    ca = load_ca(folder)
    assert ca
    return ca.certificate, paths.cert


def test_macos(tmp_path: Path) -> None:
    certificate, file = made_in(tmp_path / "with space")
    commands = commands_for("darwin", certificate, file)
    assert commands
    assert commands.install.startswith("sudo security add-trusted-cert -d -r trustRoot -k ")
    assert commands.install.endswith(f" '{file}'")
    assert "delete-certificate -c 'llmitm CA " in commands.uninstall


def test_windows(tmp_path: Path) -> None:
    certificate, file = made_in(tmp_path)
    commands = commands_for("win32", certificate, file)
    assert commands
    assert commands.install == f'certutil -user -addstore Root "{file}"'
    assert '-delstore Root "llmitm CA ' in commands.uninstall


def test_none_for_linux(tmp_path: Path) -> None:
    assert commands_for("linux", *made_in(tmp_path)) is None
