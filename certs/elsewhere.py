"""The trust stores of macOS and Windows: commands for the user to type.

On macOS the change asks for the user's password or fingerprint, on Windows it opens a dialogue; neither is for a program to run.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID

_KEYCHAIN = "/Library/Keychains/System.keychain"


@dataclass(frozen=True, slots=True)
class Commands:
    """Lines for the platform's usual shell. An older certificate of this CA must be uninstalled before a new one is installed."""

    system: str
    status: str
    install: str
    uninstall: str


def commands_for(platform: str, certificate: x509.Certificate, cert_file: Path) -> Commands | None:
    """For a `sys.platform`. None where there are none to type."""
    common_names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    name = str(common_names[0].value) if common_names else certificate.subject.rfc4514_string()
    if platform == "darwin":
        return Commands(
            "macOS",
            shlex.join(["security", "find-certificate", "-c", name, _KEYCHAIN]),
            shlex.join(
                [
                    "sudo",
                    "security",
                    "add-trusted-cert",
                    "-d",
                    "-r",
                    "trustRoot",
                    "-k",
                    _KEYCHAIN,
                    str(cert_file),
                ]
            ),
            shlex.join(["sudo", "security", "delete-certificate", "-c", name, "-t", _KEYCHAIN]),
        )
    if platform == "win32":
        return Commands(
            "Windows",
            f'certutil -user -store Root "{name}"',
            f'certutil -user -addstore Root "{cert_file}"',
            f'certutil -user -delstore Root "{name}"',
        )
    return None
