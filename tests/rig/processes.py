"""The product's processes as a user starts them, in a folder of their own, and what they recorded.

Each context manager waits on the process's own status file, never on time alone, and asserts on leaving that
SIGTERM ends it with exit code 0. Settings are keyword arguments, `proxy__web=False` for
`LLMITM_PROXY__WEB=false`.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from intelligence.store.status import Status, read_statuses
from tests.rig import forks

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 90
STOP_SECONDS = 15


class Provider(Protocol):
    """What the proxy is put in front of; `upstream.Upstream` is one."""

    @property
    def address(self) -> str: ...

    @property
    def ca_file(self) -> Path: ...


@dataclass(slots=True)
class Process:
    """A started process. `name` is that of its status file, `folder` holds its data, certificates and log."""

    name: str
    folder: Path
    popen: forks.Started
    stopped: bool = False

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    @property
    def log_file(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def status(self) -> Status:
        return next(s for s in read_statuses(self.data_dir) if s.name == self.name)

    @property
    def address(self) -> str:
        """host:port of the proxy."""
        return self.status.addresses["proxy"]

    @property
    def ca_file(self) -> Path:
        return self.folder / "certs" / "mitmproxy-ca-cert.pem"

    def log(self) -> str:
        return self.log_file.read_text("utf-8", "replace")

    def kill(self) -> None:
        """`kill -9`."""
        self.popen.kill()
        self.popen.wait()
        self.stopped = True

    def stop(self) -> None:
        """SIGTERM; the process must leave in order."""
        if self.stopped:
            return
        self.stopped = True
        self.popen.send_signal(signal.SIGTERM)
        try:
            code = self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(
                f"{self.name} did not stop within {STOP_SECONDS} s:\n{self._tail()}"
            ) from None
        assert code == 0, f"{self.name} exited with {code}:\n{self._tail()}"

    def _tail(self) -> str:
        return self.log()[-4000:]

    def wait_until_up(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            for status in read_statuses(self.data_dir):
                listens = bool(status.addresses) or self.name == "worker"
                if status.name == self.name and status.alive and status.pid == self.pid and listens:
                    return
            assert self.popen.poll() is None, f"{self.name} exited at start:\n{self._tail()}"
            assert time.monotonic() < deadline, (
                f"{self.name} was not up after {START_SECONDS} s:\n{self._tail()}"
            )
            time.sleep(0.02)


def environment(folder: Path, **settings: Any) -> dict[str, str]:
    """This environment without settings of its own, data and certificates under `folder`."""
    config = folder / "mitm.toml"
    if not config.exists():
        config.touch()  # a new time would have a running proxy read it again
    kept = ("LLMITM_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
    env = {n: v for n, v in os.environ.items() if not n.upper().startswith(kept)}
    env["LLMITM_CONFIG"] = str(config)
    settings = {"store__dir": folder / "data", "certs__dir": folder / "certs", **settings}
    for name, value in settings.items():
        if isinstance(value, list | bool):
            value = json.dumps(value)
        env[f"LLMITM_{name.upper()}"] = str(value)
    return env


def proxy_settings(upstream_address: str, upstream_ca: Path, **settings: Any) -> dict[str, Any]:
    """Free ports, no mitmweb, and every host reached at `upstream_address`."""
    return {
        "proxy__listen_port": 0,
        "proxy__web": False,
        "proxy__web_port": 0,
        "proxy__connect_to": [f"*={upstream_address}"],
        "proxy__upstream_ca": upstream_ca,
        "proxy__allow_loopback": ["*:*"],
        **settings,
    }


@contextmanager
def process(folder: Path, name: str, command: Sequence[str], env: dict[str, str]) -> Iterator[Process]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.log").open("ab") as log, open(os.devnull, "rb") as nothing:
        out = log.fileno()
        popen = forks.start(command, cwd=REPOSITORY, env=env, stdin=nothing.fileno(), stdout=out, stderr=out)
    started = Process(name, folder, popen)
    try:
        started.wait_until_up()
        yield started
        started.stop()
    finally:
        if popen.poll() is None:
            popen.kill()
            popen.wait()


@contextmanager
def proxy_process(
    folder: Path, provider: Provider, *, launcher: Sequence[str] = ("-m", "addons"), **settings: Any
) -> Iterator[Process]:
    """The real proxy in front of `provider`. `launcher` may be `faulty.launcher(...)`."""
    folder.mkdir(parents=True, exist_ok=True)
    env = environment(folder, **proxy_settings(provider.address, provider.ca_file, **settings))
    with process(folder, "proxy", launcher, env) as started:
        yield started


@contextmanager
def worker_process(folder: Path, **settings: Any) -> Iterator[Process]:
    folder.mkdir(parents=True, exist_ok=True)
    with process(folder, "worker", ["-m", "intelligence"], environment(folder, **settings)) as started:
        yield started


def drain(folder: Path, **settings: Any) -> None:
    """Runs the worker until the journal under `folder` is stored."""
    command, env = ["-m", "intelligence", "--drain"], environment(folder, **settings)
    code, out, errors = forks.run(command, "", cwd=REPOSITORY, env=env, timeout=120)
    assert code == 0, (out + errors)[-4000:]


def calls(folder: Path, where: str = "1", *parameters: Any) -> list[dict[str, Any]]:
    """Rows of the view `calls`, oldest first."""
    database = folder / "data" / "traffic.db"
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        rows = db.execute(f"select * from calls where {where} order by started_at, id", parameters)
        return [dict(row) for row in rows]
