"""Small systems in a folder, with a trust store of each family."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

UPDATE_CA_CERTIFICATES = Path("/usr/sbin/update-ca-certificates")

# What Red Hat's tool does, as far as a bundle goes.
_UPDATE_CA_TRUST = """#!/bin/sh -e
[ "$1" = extract ]
root=$(dirname "$0")/../..
cat "$root"/usr/share/pki/*.pem "$root"/etc/pki/ca-trust/source/anchors/*.pem 2>/dev/null \
  > "$root/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem" || true
"""

# What the package ca-certificates-java leaves for the update to call.
_JAVA_HOOK = """#!/bin/sh -e
cat >> "$(dirname "$0")/told"
"""


def debian(root: Path, *, other_roots: Sequence[bytes], java: bool = True) -> Path:
    """A Debian with roots of its own (two at least: it links a bundle of one as if it were a certificate), and its own script."""
    if not UPDATE_CA_CERTIFICATES.exists():
        if os.environ.get("CI") and Path("/etc/debian_version").exists():
            pytest.fail("the package ca-certificates is not installed")
        pytest.skip("needs Debian's update-ca-certificates")
    for folder in (
        "usr/sbin",
        "usr/share/ca-certificates",
        "usr/local/share/ca-certificates",
        "etc/ssl/certs",
        "etc/ca-certificates/update.d",
    ):
        (root / folder).mkdir(parents=True)
    shutil.copy(UPDATE_CA_CERTIFICATES, root / "usr/sbin")
    for number, pem in enumerate(other_roots):
        (root / f"usr/share/ca-certificates/other{number}.crt").write_bytes(pem)
    names = (f"other{number}.crt\n" for number in range(len(other_roots)))
    (root / "etc/ca-certificates.conf").write_text("".join(names))
    if java:
        hook = root / "etc/ca-certificates/update.d/jks-keystore"
        hook.write_text(_JAVA_HOOK)
        hook.chmod(0o755)
    return root


def red_hat(root: Path, *, other_roots: Sequence[bytes]) -> Path:
    for folder in (
        "usr/bin",
        "usr/share/pki",
        "etc/pki/ca-trust/source/anchors",
        "etc/pki/ca-trust/extracted/pem",
    ):
        (root / folder).mkdir(parents=True)
    (root / "usr/share/pki/other.pem").write_bytes(b"".join(other_roots))
    tool = root / "usr/bin/update-ca-trust"
    tool.write_text(_UPDATE_CA_TRUST)
    tool.chmod(0o755)
    return root


def told_java(root: Path) -> list[str]:
    told = root / "etc/ca-certificates/update.d/told"
    return told.read_text().splitlines() if told.exists() else []


def everything_in(root: Path) -> dict[str, str]:
    """Each file's text and each link's goal, by path; without what Java was told."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.name == "told":
            continue
        if path.is_symlink():
            found[str(path.relative_to(root))] = f"-> {path.readlink()}"
        elif path.is_file():
            found[str(path.relative_to(root))] = path.read_text()
    return found
