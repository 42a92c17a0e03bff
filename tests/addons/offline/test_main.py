"""`python -m addons.offline` in the foreground."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[3]


def test_prints_addresses_and_stops_on_a_signal():
    process = subprocess.Popen(
        [sys.executable, "-m", "addons.offline"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        lines = dict(process.stdout.readline().split() for _ in range(3))
        assert httpx.get(lines["http"] + "/x").json() == {}
        assert lines["https"].startswith("https://127.0.0.1:")
        assert Path(lines["CA"]).exists()
        process.send_signal(signal.SIGINT)
        assert process.wait(5) == 0
        assert not Path(lines["CA"]).exists()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_taken_port_is_one_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "addons.offline", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("The offline provider cannot start: ") and done.stderr.count("\n") == 1
