"""The machine's own trust store: is our CA in it, and the commands that put it there or take it out.

Nothing here runs by itself. A `Plan` is data: the commands in order, to be shown and agreed to before `run`. Known are the Debian
family (`update-ca-certificates`) and the Red Hat family (`update-ca-trust`); for macOS and Windows `certs.elsewhere` gives
commands to type. What is read needs no rights.

The file in the store is named for the CA's key, so a certificate that was issued anew takes the place of the old one, and
the CAs of several installations do not meet. Browsers with a store of their own (Firefox, Chrome on Linux) are not reached.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from certs.authority import key_id, public_key_der
from certs.bundle import certificates_in
from certs.errors import CertsError

State = Literal["installed", "outdated", "incomplete", "absent"]
PREFIX = "llmitm-"


@dataclass(frozen=True, slots=True)
class Store:
    """`anchors`: where an administrator's CAs go, one a file. `update`: what then makes `bundle` of them.
    `links`: a folder in which it leaves links, too. `java`: told of a removal, as `update` forgets to."""

    family: str
    anchors: Path
    suffix: str
    update: tuple[str, ...]
    bundle: Path
    links: Path | None = None
    java: Path | None = None

    def anchor(self, certificate: x509.Certificate) -> Path:
        return self.anchors / f"{PREFIX}{key_id(certificate)}{self.suffix}"


@dataclass(frozen=True, slots=True)
class Status:
    """`outdated`: trusted as it was before it was issued anew. `incomplete`: put there, but the store was not updated since.
    `others`: files of other CAs of llmitm's."""

    state: State
    anchor: Path
    others: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Commands in order, to be run as root."""

    commands: tuple[tuple[str, ...], ...]

    def as_typed(self) -> list[str]:
        """As lines for a shell, with the `sudo` that `run` will use."""
        return [shlex.join((*_sudo(), *command)) for command in self.commands]

    def run(self) -> None:
        """Raises `CertsError` at the first command that fails."""
        for command in self.commands:
            argv = (*_sudo(), *command)
            try:
                code = subprocess.run(argv, check=False).returncode
            except OSError as e:
                raise CertsError(f"cannot run {shlex.join(argv)}: {e.strerror}") from None
            if code != 0:
                raise CertsError(f"this failed with exit code {code}: {shlex.join(argv)}")


def find_store(root: Path = Path("/")) -> Store | None:
    """The trust store of this system, or of the one mounted at `root`. None for a kind that is not known."""
    debian, red_hat = root / "usr/local/share/ca-certificates", root / "etc/pki/ca-trust/source/anchors"
    if debian.is_dir() and (tool := _tool(root, "update-ca-certificates")):
        links, hooks = root / "etc/ssl/certs", root / "etc/ca-certificates/update.d"
        java = hooks / "jks-keystore"
        update = [str(tool)]
        if root != Path("/"):
            update += ["--certsconf", str(root / "etc/ca-certificates.conf")]
            update += ["--certsdir", str(root / "usr/share/ca-certificates"), "--localcertsdir", str(debian)]
            update += ["--etccertsdir", str(links), "--hooksdir", str(hooks)]
        return Store(
            "Debian",
            debian,
            ".crt",
            tuple(update),
            links / "ca-certificates.crt",
            links,
            java if os.access(java, os.X_OK) else None,
        )
    if red_hat.is_dir() and (tool := _tool(root, "update-ca-trust")):
        bundle = root / "etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"
        return Store("Red Hat", red_hat, ".pem", (str(tool), "extract"), bundle)
    return None


def status(store: Store, certificate: x509.Certificate) -> Status:
    """Raises `CertsError` if the store cannot be read."""
    anchor = store.anchor(certificate)
    others = tuple(path for path in anchors_of_ours(store) if path != anchor)
    der, key = certificate.public_bytes(serialization.Encoding.DER), public_key_der(certificate)
    trusted = [found for found in _read(store.bundle) if key in found]
    placed = _read(anchor)
    state: State
    if trusted == [der] and placed == [der]:
        state = "installed"
    elif trusted and der not in trusted:
        state = "outdated"
    elif trusted or placed:
        state = "incomplete"
    else:
        state = "absent"
    return Status(state, anchor, others)


def anchors_of_ours(store: Store) -> list[Path]:
    """The files of every CA of llmitm's in the store."""
    return sorted(store.anchors.glob(f"{PREFIX}*{store.suffix}"))


def install_plan(store: Store, certificate: x509.Certificate, cert_file: Path) -> Plan:
    """Put the certificate in `cert_file` into the store, in the place of an earlier one."""
    anchor = store.anchor(certificate)
    commands: list[tuple[str, ...]] = [("install", "-m", "0644", str(cert_file), str(anchor))]
    if links := _links(store, [anchor]):
        # An unchanged link would have the update take the new certificate for the old, and not tell Java.
        commands.append(("rm", "-f", *map(str, links)))
    return Plan((*commands, store.update))


def uninstall_plan(store: Store, anchors: Sequence[Path]) -> Plan:
    """Take these files of the store out, with all that was made of them."""
    links = _links(store, anchors)
    commands: list[tuple[str, ...]] = [("rm", "-f", *map(str, (*anchors, *links))), store.update]
    if store.java and store.links:
        gone = "".join(f"-{store.links / anchor.stem}.pem\n" for anchor in anchors)
        commands.append(("sh", "-c", f"printf %s {shlex.quote(gone)} | {shlex.quote(str(store.java))}"))
    return Plan(tuple(commands))


def leftovers(store: Store, anchors: Sequence[Path]) -> list[Path]:
    """What is still there of these files."""
    return [path for path in (*anchors, *_links(store, anchors)) if path.is_symlink() or path.exists()]


def _links(store: Store, anchors: Sequence[Path]) -> list[Path]:
    """The links made of these files: one by name, and one by the hash of the subject that leads to it."""
    if store.links is None or not store.links.is_dir():
        return []
    names = {f"{anchor.stem}.pem" for anchor in anchors}
    return sorted(
        path
        for path in store.links.iterdir()
        if path.is_symlink() and (path.name in names or path.readlink().name in names)
    )


def _read(path: Path) -> list[bytes]:
    try:
        return certificates_in(path.read_bytes())
    except FileNotFoundError:
        return []
    except OSError as e:
        raise CertsError(f"cannot read the trust store: {path}: {e.strerror}") from None


def _tool(root: Path, name: str) -> Path | None:
    """By its place, as users' PATHs often leave the system's folders out."""
    places = (root / "usr/sbin" / name, root / "usr/bin" / name, root / "sbin" / name)
    return next((place for place in places if os.access(place, os.X_OK)), None)


def _sudo() -> tuple[str, ...]:
    if os.geteuid() == 0:
        return ()
    if sudo := shutil.which("sudo"):
        return (sudo,)
    raise CertsError("the trust store can be changed by root only, and there is no sudo: run this as root")
