"""What doctor finds on this machine's files and ports."""

from __future__ import annotations

import os
import socket

from addons.cli.checks import check_files, check_ports, port_problem
from intelligence.config import Certs, Config, Dashboard, Proxy, Store
from intelligence.store.status import ProcessStatus


def config(folder, **sections) -> Config:
    return Config(store=Store(dir=folder / "data"), certs=Certs(dir=folder / "certs"), **sections)


def test_files_that_others_can_read(tmp_path):
    (tmp_path / "data" / "journal").mkdir(parents=True)
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "mitmproxy-ca-cert.pem").touch(0o644)  # is for everyone
    assert [check.state for check in check_files(config(tmp_path))] == ["ok"]
    segment = tmp_path / "data" / "journal" / "a.seg"
    segment.touch(0o640)
    (check,) = check_files(config(tmp_path))
    assert check.state == "broken" and check.fix == f"chmod 600 {segment}"


def test_a_data_folder_that_cannot_be(tmp_path):
    (tmp_path / "data").touch()
    (check,) = check_files(config(tmp_path))
    assert (check.name, check.state) == ("data folder", "broken") and str(tmp_path / "data") in check.detail


def test_ports_of_the_suite_of_another_program_and_free(tmp_path):
    with (
        socket.create_server(("127.0.0.1", 0)) as ours,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        our_port, other_port = ours.getsockname()[1], other.getsockname()[1]
        settings = config(
            tmp_path, proxy=Proxy(listen_port=our_port, web=False), dashboard=Dashboard(port=other_port)
        )
        with ProcessStatus(tmp_path / "data", "proxy", {"proxy": f"127.0.0.1:{our_port}"}):
            checks = list(check_ports(settings))
    assert [(check.name, check.state) for check in checks] == [
        (f"port {our_port}", "ok"),
        (f"port {other_port}", "broken"),
    ]
    assert f"(pid {os.getpid()})" in checks[1].detail
    assert [check.state for check in check_ports(settings)] == ["ok", "ok"]


def test_an_address_that_is_not_here():
    what, fix = port_problem("proxy.listen_port", "192.0.2.1", 8080)
    assert what.startswith("cannot listen on 192.0.2.1:8080: ") and "LLMITM_PROXY__LISTEN_PORT" in fix
