"""Bare mitmdump, the base of comparison; and the same with the least of a script that makes answers
stream."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BARE = "import sys; from mitmproxy.tools.main import mitmdump; sys.exit(mitmdump())"
STREAM = "def responseheaders(flow):\n    flow.response.stream = True\n"


@dataclass(slots=True)
class Mitmdump:
    address: str
    ca_file: Path
    pid: int


@contextmanager
def mitmdump_process(folder: Path, upstream_ca: Path, *, stream: bool = False) -> Iterator[Mitmdump]:
    """mitmdump with its defaults; with `stream`, plus a script that streams every answer."""
    folder.mkdir(parents=True, exist_ok=True)
    log_file = folder / "mitmdump.log"
    options = ["listen_host=127.0.0.1", "listen_port=0", f"confdir={folder}"]
    options.append(f"ssl_verify_upstream_trusted_ca={upstream_ca}")
    command = [sys.executable, "-c", BARE, "--flow-detail=0"]
    for option in options:
        command += ["--set", option]
    if stream:
        script = folder / "stream.py"
        script.write_text(STREAM)
        command += ["-s", str(script)]
    with log_file.open("wb") as log:
        popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    try:
        deadline = time.monotonic() + 30
        while not (found := re.search(r"listening at \*?([\w.]*:\d+)", log_file.read_text())):
            assert popen.poll() is None and time.monotonic() < deadline, log_file.read_text()
            time.sleep(0.05)
        yield Mitmdump(found[1], folder / "mitmproxy-ca-cert.pem", popen.pid)
    finally:
        popen.terminate()
        popen.wait(15)
