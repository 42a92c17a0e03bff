"""What `llmitm doctor` finds, one `Check` a link, and the checks that look only at this machine's files and ports."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from addons.cli import ports, suite
from intelligence.config import Config


@dataclass(frozen=True)
class Check:
    """`warning`: works, with a limit that `fix` tells how to lift. `skipped`: nothing there to check, or not yet reachable."""

    name: str
    state: Literal["ok", "warning", "broken", "skipped"]
    detail: str
    fix: str = ""


def check_files(config: Config) -> Iterator[Check]:
    for what, folder in (("data", config.data_dir), ("CA", config.certs.dir)):
        existing = next(p for p in (folder, *folder.parents) if p.exists())
        if not (existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)):
            yield Check(
                f"{what} folder",
                "broken",
                f"{existing} is not writable",
                f"let your user write to {existing}",
            )
            return
    exposed = [path for path in _secret_files(config) if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)]
    if exposed:
        names = ", ".join(str(path) for path in exposed[:3]) + (" …" if len(exposed) > 3 else "")
        fix = "chmod 600 " + " ".join(str(path) for path in exposed[:3])
        yield Check("file permissions", "broken", f"others on this machine can read {names}", fix)
    else:
        yield Check("file permissions", "ok", f"{config.data_dir} and the CA's key are yours alone")


def _secret_files(config: Config) -> Iterator[Path]:
    candidates = [config.certs.dir / "mitmproxy-ca.pem", config.certs.dir / "mitmproxy-ca.p12"]
    candidates += [
        *config.data_dir.glob("*"),
        *config.data_dir.glob("journal/*"),
        *config.data_dir.glob("logs/*"),
    ]
    yield from (path for path in candidates if path.is_file())


def check_ports(config: Config) -> Iterator[Check]:
    """Ports of the suite: free, or its own."""
    living = suite.running(config.data_dir)
    own = {
        suite.reachable(address).rpartition(":")[2]
        for s in living.alive.values()
        for address in s.addresses.values()
    }
    for setting, host, port in suite.listeners(config):
        name = f"port {port}"
        if str(port) in own:
            yield Check(name, "ok", f"{setting}: the running suite's own")
        elif problem := port_problem(setting, host, port):
            yield Check(name, "broken", *problem)
        elif port:
            yield Check(name, "ok", f"{setting}: free")


def port_problem(setting: str, host: str, port: int) -> tuple[str, str] | None:
    """(what is wrong, what to do) with listening there."""
    section, key = setting.split(".")
    change = f"set {key} under [{section}] in mitm.toml, or LLMITM_{section.upper()}__{key.upper()}"
    try:
        if not ports.is_taken(host, port):
            return None
    except OSError as e:
        return f"cannot listen on {host}:{port}: {e.strerror}", change
    holder = ports.holder(port)
    by = f" by {holder.command[:100]} (pid {holder.pid})" if holder else ""
    return f"port {port} is taken{by}", f"stop that, or {change}"
