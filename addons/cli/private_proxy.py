"""A proxy for one command: on free ports, gone with the command, recording into the user's data folder (or another)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from addons.cli import child
from addons.cli.suite import reachable
from intelligence.store.status import read_statuses

START_SECONDS = 30
STOP_SECONDS = 10
MAX_LOG_BYTES = 5_000_000


@dataclass
class PrivateProxy:
    """`run` marks its calls in `requests.run`. `dropped_frames` is known after it has stopped."""

    address: str
    run: str
    dropped_frames: int = 0

    @property
    def url(self) -> str:
        return f"http://{self.address}"


@contextlib.contextmanager
def private_proxy(data_dir: Path, env: Mapping[str, str], **settings: object) -> Iterator[PrivateProxy]:
    """Settings as keyword arguments: `proxy__upstream_proxy="http://…"`. Raises `click.ClickException` if it does not start.
    Its log goes to `logs/private-proxy.log` in the data folder."""
    settings = {
        "proxy__listen_host": "127.0.0.1",
        "proxy__listen_port": 0,
        "proxy__web": False,
        "proxy__modes": ["regular"],
        "proxy__users": "",
        "store__dir": data_dir,
        **settings,
    }
    log = open_log(data_dir, "private-proxy")
    began = log.stat().st_size
    with log.open("ab") as output:
        process = subprocess.Popen(
            child.command("addons", "--private"),
            env={**env, **as_env(settings)},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the command, whose last calls must still pass
        )
    try:
        proxy = _wait_until_listening(process, data_dir, log, began)
        yield proxy
        proxy.dropped_frames = _dropped_frames(data_dir, process.pid)
    finally:
        stop(process)


def as_env(settings: Mapping[str, object]) -> dict[str, str]:
    return {
        f"LLMITM_{name.upper()}": json.dumps(value) if isinstance(value, list | bool) else str(value)
        for name, value in settings.items()
    }


def open_log(data_dir: Path, name: str) -> Path:
    """The log file, readable by its owner alone; a large one is put aside as `NAME.log.1`."""
    path = data_dir / "logs" / f"{name}.log"
    for folder in (data_dir, path.parent):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > MAX_LOG_BYTES:
        path.replace(path.with_suffix(".log.1"))
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600))
    return path


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and SIGKILL if that does not help."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdin:
        process.stdin.close()


def _wait_until_listening(
    process: subprocess.Popen[bytes], data_dir: Path, log: Path, began: int
) -> PrivateProxy:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        for status in read_statuses(data_dir):
            if status.alive and status.pid == process.pid and "proxy" in status.addresses:
                return PrivateProxy(reachable(status.addresses["proxy"]), str(status.counters.get("run", "")))
        time.sleep(0.02)
    said = log.read_bytes()[began:].decode("utf-8", "replace").strip().splitlines()
    reason = "\n".join(said[-5:]) or f"nothing was said; see {log}"
    raise click.ClickException(f"the private proxy did not start: {reason}")


def _dropped_frames(data_dir: Path, pid: int) -> int:
    for status in read_statuses(data_dir):
        if status.pid == pid:
            return int(status.counters.get("dropped_frames", 0))
    return 0
