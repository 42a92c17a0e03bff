"""`llmitm up` as a user runs it: all three processes, one command through them, and every way to end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator

import pytest

from addons.cli import suite
from intelligence.store.status import read_statuses
from tests.addons.cli.conftest import ASK, Place, chat, place_in, settings_for
from tests.rig.processes import calls


@pytest.fixture(scope="module")
def running_place(tmp_path_factory, provider) -> Iterator[tuple[Place, subprocess.Popen[str]]]:
    """A suite for this module's tests, which leave it running."""
    place = place_in(tmp_path_factory.mktemp("up"), **settings_for(provider, proxy__web=True))
    with place.start("up") as up:
        waited = place.llmitm("status", "--wait", "40")
        assert waited.returncode == 0, waited.stdout + waited.stderr
        yield place, up
        up.send_signal(signal.SIGTERM)
        assert up.wait(15) == 0, up.stdout.read()


def pids(place: Place) -> dict[str, int]:
    return {s.name: s.pid for s in read_statuses(place.data_dir) if s.alive}


def test_a_command_through_the_suite(running_place):
    place, _ = running_place
    result = place.llmitm("exec", "--", *ASK, chat('[[offline: text="through the suite"]]'))
    assert result.returncode == 0 and "through the suite" in result.stdout
    dashboard = suite.running(place.data_dir).dashboard_url
    (call,) = calls(place.folder, "text = 'through the suite'")
    assert re.fullmatch(
        rf"llmitm: 1 call, \d+ tokens in, \d+ out, \$0\.\d+ · {re.escape(dashboard)}-/calls/{call['id']}\n",
        result.stderr,
    )
    assert "proxy-" not in " ".join(pids(place)), "no private proxy was needed"


def test_status_tells_where_everything_is(running_place):
    place, _ = running_place
    shown = place.llmitm("status")
    assert shown.returncode == 0
    for line in (
        r"proxy +up +pid \d+, .*http://127\.0\.0\.1:\d+/",
        r"http://127\.0\.0\.1:\d+/\?token=\w+",
        "journal: all stored",
    ):
        assert re.search(line, shown.stdout), shown.stdout


def test_env_names_the_running_proxy(running_place):
    place, _ = running_place
    printed = place.llmitm("env")
    assert f"export HTTPS_PROXY=http://{suite.running(place.data_dir).proxy}\n" in printed.stdout
    assert printed.stderr == ""


def test_a_second_suite_on_this_folder_is_refused(running_place):
    place, _ = running_place
    refused = place.llmitm("up")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"Error: llmitm already runs on {place.data_dir}: proxy (pid ")
    assert set(pids(place)) == {"proxy", "worker", "dashboard"}


@pytest.mark.parametrize("name", ["proxy", "worker", "dashboard"])
def test_a_killed_process_comes_back(running_place, name):
    place, _ = running_place
    before = pids(place)
    os.kill(before[name], signal.SIGKILL)
    assert suite.wait_until(lambda: pids(place).get(name) not in (None, before[name]), 20)
    assert place.llmitm("status", "--wait", "30").returncode == 0
    after = pids(place)
    assert {n: p for n, p in after.items() if n != name} == {n: p for n, p in before.items() if n != name}


def test_it_says_what_to_do_and_ctrl_c_ends_all(place):
    with place.start("up") as up:
        said = ""
        for line in up.stdout:
            said += line
            if "llmitm demo" in line:
                break
        living = suite.running(place.data_dir)
        assert (
            f"http://{living.proxy}" in said
            and living.dashboard_url in said
            and "llmitm exec -- claude" in said
        )
        processes = pids(place)
        assert set(processes) == {"proxy", "worker", "dashboard"}
        began = time.monotonic()
        os.killpg(up.pid, signal.SIGINT)  # as a terminal does
        said += up.stdout.read()
    assert up.returncode == 0, said
    assert time.monotonic() - began < 10
    assert "llmitm    │ stopped" in said and "Traceback" not in said
    assert read_statuses(place.data_dir) == []
    for pid in processes.values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    log = (place.data_dir / "logs" / "up.log").read_text()
    assert "stopped" in log
    assert place.data_dir.stat().st_mode & 0o077 == 0


def test_when_up_is_killed_its_processes_do_not_stay(place):
    with place.start("up") as up:
        assert place.llmitm("status", "--wait", "40").returncode == 0
        up.kill()
        assert suite.wait_until(lambda: not pids(place), 15)


@pytest.mark.parametrize(
    ("setting", "key"),
    [("proxy__listen_port", "listen_port"), ("proxy__web_port", "web_port"), ("dashboard__port", "port")],
)
def test_a_taken_port(tmp_path, provider, setting, key):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        place = place_in(tmp_path, **{**settings_for(provider, proxy__web=True), setting: port})
        refused = place.llmitm("up")
    assert refused.returncode == 1
    section = setting.partition("__")[0]
    assert refused.stderr.startswith(f"Error: port {port} is taken by ")
    assert f"(pid {os.getpid()})" in refused.stderr
    assert f"set {key} under [{section}] in mitm.toml, or LLMITM_{setting.upper()}" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    assert not place.data_dir.exists()


def test_two_settings_with_the_same_port(tmp_path, provider):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    place = place_in(
        tmp_path, **{**settings_for(provider), "proxy__listen_port": port, "dashboard__port": port}
    )
    refused = place.llmitm("up")
    assert (
        refused.returncode == 1 and f"dashboard.port and proxy.listen_port are both {port}" in refused.stderr
    )
