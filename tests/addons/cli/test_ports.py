"""Who has a port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from addons.cli import ports


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_taken_port_and_its_holder(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        assert host == "::1"  # a machine without IPv6
        return
    with listener:
        port = listener.getsockname()[1]
        assert ports.is_taken(host, port)
        holder = ports.holder(port)
        assert holder and holder.pid == os.getpid() and "python" in holder.command
    assert not ports.is_taken(host, port)
    assert ports.holder(port) is None


def test_the_holder_is_another_process():
    code = "import socket; s = socket.create_server(('127.0.0.1', 0)); print(s.getsockname()[1], flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        holder = ports.holder(int(process.stdout.readline()))
        process.stdin.close()
    assert holder and holder.pid == process.pid and "create_server" in holder.command


def test_port_0_is_never_taken():
    assert not ports.is_taken("127.0.0.1", 0)


def test_an_address_of_another_machine():
    with pytest.raises(OSError):
        ports.is_taken("192.0.2.1", 12345)
