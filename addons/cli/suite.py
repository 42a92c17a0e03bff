"""What the commands know about the running suite: configuration, living processes, addresses for clients."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click

from intelligence.config import Config, ConfigError, load_config
from intelligence.store.status import Status, journal_lag, read_statuses

PROCESSES = ("proxy", "worker", "dashboard")


def load() -> Config:
    """The configuration. A bad one ends the command with what is wrong and where."""
    try:
        return load_config()
    except ConfigError as e:
        raise click.ClickException(str(e)) from None


@dataclass(frozen=True)
class Suite:
    """The processes of one data folder that are alive, by the name of their status file."""

    data_dir: Path
    alive: dict[str, Status]

    @property
    def proxy(self) -> str | None:
        """host:port for clients of the suite's proxy, once it listens."""
        address = self.address("proxy", "proxy")
        return reachable(address) if address else None

    @property
    def dashboard_url(self) -> str | None:
        address = self.address("dashboard", "dashboard")
        return f"http://{reachable(address)}/" if address else None

    def address(self, process: str, name: str) -> str | None:
        status = self.alive.get(process)
        return status.addresses.get(name) if status else None

    def is_up(self, process: str) -> bool:
        """Alive and, if it is one that listens, listening."""
        status = self.alive.get(process)
        return status is not None and bool(status.pid) and (process == "worker" or bool(status.addresses))


def running(data_dir: Path) -> Suite:
    return Suite(data_dir, {s.name: s for s in read_statuses(data_dir) if s.alive})


def lag(data_dir: Path) -> tuple[int, int]:
    """Bytes and segments that wait for the worker. A database that cannot be read ends the command with what is wrong."""
    try:
        return journal_lag(data_dir)
    except sqlite3.Error as e:
        raise click.ClickException(
            f"{data_dir / 'traffic.db'} cannot be read ({e}). If it is damaged, move it away; the worker then makes a new one."
        ) from None


def reachable(address: str) -> str:
    """An address to connect to, for one to listen on."""
    host, _, port = address.rpartition(":")
    host = {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1", "[::]": "::1"}.get(host, host)
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def listeners(config: Config) -> list[tuple[str, str, int]]:
    """(setting, host, port) of each port that the suite listens on."""
    proxy, dashboard = config.proxy, config.dashboard
    wanted = [("proxy.listen_port", proxy.listen_host, proxy.listen_port)]
    if proxy.web:
        wanted.append(("proxy.web_port", "127.0.0.1", proxy.web_port))
    return [*wanted, ("dashboard.port", dashboard.host, dashboard.port)]


def wait_until(condition: Callable[[], bool], seconds: float, step: float = 0.05) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(step)
    return True


def program() -> str:
    """How the user can call us: `llmitm` if that is on PATH, else the path of this script."""
    called = sys.argv[0]
    if shutil.which("llmitm") or Path(called).name != "llmitm":
        return "llmitm"
    path = Path(called).absolute()
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
