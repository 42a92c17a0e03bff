"""The process: starts before there is anything, stops within three seconds whoever watches, says what is wrong."""

from __future__ import annotations

import http.client
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from datasette_plugins import server
from tests.datasette_plugins import records
from tests.rig.processes import REPOSITORY, Process, environment, process


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Process]:
    env = environment(tmp_path, dashboard__port=0)
    with process(tmp_path, "dashboard", ["-m", "datasette_plugins"], env) as started:
        yield started


def address(running: Process) -> str:
    return running.status.addresses["dashboard"]


def get(running: Process, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(address(running), timeout=10)
    connection.request("GET", path)
    response = connection.getresponse()
    return response.status, response.read().decode()


def test_before_the_first_call_and_after(running: Process) -> None:
    status, page = get(running, "/")
    assert status == 200 and "No calls yet" in page
    assert not (running.data_dir / "traffic.db").exists()
    db = records.make(running.data_dir)
    records.add_call(db, text="the first answer")
    assert "the first answer" in get(running, "/")[1]
    db.close()


def test_stops_with_a_stream_open(running: Process) -> None:
    with socket.create_connection(address(running).split(":")) as stream:  # type: ignore[arg-type]
        stream.sendall(f"GET /-/live/events HTTP/1.1\r\nHost: {address(running)}\r\n\r\n".encode())
        assert b"200" in stream.recv(65536).splitlines()[0]
        began = time.monotonic()
        running.stop()  # asserts on exit code 0
        assert time.monotonic() - began < 3
    assert not (running.data_dir / "run" / "dashboard.json").exists()
    assert "Traceback" not in running.log()


def start(tmp_path: Path, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "datasette_plugins"],
        cwd=REPOSITORY,
        env=environment(tmp_path, **settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = start(tmp_path, dashboard__port=port)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_setting(tmp_path: Path) -> None:
    done = start(tmp_path, dashboard__host="0.0.0.0")
    assert done.returncode == 1
    assert "LLMITM_DASHBOARD__HOST" in done.stderr and "loopback" in done.stderr
    assert "Traceback" not in done.stderr


def test_listening_on_ipv6() -> None:
    try:
        listener = server.listen("::1", 0)
    except server.PortTaken:
        pytest.skip("this machine has no IPv6 loopback")
    assert listener.family == socket.AF_INET6
    listener.close()


def test_small_writes_do_not_wait_for_the_client() -> None:
    with server.listen("127.0.0.1", 0) as listener:
        # What asyncio asks before it sets TCP_NODELAY on what is accepted.
        assert listener.proto == socket.IPPROTO_TCP
