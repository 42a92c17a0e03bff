"""`llmitm doctor`: all is well, and each link it can name when broken."""

from __future__ import annotations

import json
import os
import socket

import pytest

from addons.cli.runtimes import WORD, check_runtimes, has_env_proxy
from tests.addons.cli.conftest import Place, place_in


def examine(place: Place, **options):
    result = place.llmitm("doctor", "--json", **options)
    report = json.loads(result.stdout)
    assert report["ok"] == (result.returncode == 0)
    return report, {check["name"].split()[0]: check for check in report["checks"]}


def test_all_is_well_on_a_fresh_machine(tmp_path):
    place = place_in(tmp_path, proxy__listen_port=0, proxy__web=False, dashboard__port=0)
    report, checks = examine(place)
    assert report["ok"], report
    for name in ("configuration", "file", "proxy", "call", "streamed", "Python", "curl", "record"):
        assert checks[name]["state"] == "ok", checks[name]
    assert checks["Node"]["state"] in ("ok", "warning", "skipped")
    assert not place.data_dir.exists(), "its calls are not among the user's"
    shown = place.llmitm("doctor")
    assert shown.returncode == 0 and "Recording works." in shown.stdout


def test_a_bad_configuration(tmp_path):
    place = place_in(tmp_path)
    (tmp_path / "mitm.toml").write_text("[proxy]\nwbe = true\n")
    report, checks = examine(place)
    assert list(checks) == ["configuration"] and "mitm.toml:2" in checks["configuration"]["detail"]
    assert not report["ok"]


def test_a_port_that_another_program_has_and_a_key_that_others_can_read(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        place = place_in(tmp_path, proxy__listen_port=0, proxy__web=False, dashboard__port=port)
        key = tmp_path / "data" / "install.key"
        key.parent.mkdir()
        key.touch(0o644)
        _, checks = examine(place)
    assert checks["port"]["state"] == "broken" and f"(pid {os.getpid()})" in checks["port"]["detail"]
    assert "LLMITM_DASHBOARD__PORT" in checks["port"]["fix"]
    assert checks["file"]["state"] == "broken" and checks["file"]["fix"] == f"chmod 600 {key}"
    assert checks["call"]["state"] == "ok", "one broken link does not hide the others"


def test_a_proxy_that_cannot_start(tmp_path):
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs" / "mitmproxy-ca.pem").write_text("no certificate")
    place = place_in(tmp_path, proxy__listen_port=0, proxy__web=False, dashboard__port=0)
    report, checks = examine(place)
    assert checks["proxy"]["state"] == "broken" and not report["ok"]
    assert "call" not in checks


@pytest.mark.parametrize(
    ("complaint", "fix"),
    [
        ("curl: (60) SSL certificate problem", "does not take CURL_CA_BUNDLE"),
        ("curl: (7) refused", "troubleshooting"),
    ],
)
def test_a_runtime_that_does_not_trust_us(tmp_path, complaint, fix):
    (tmp_path / "curl").write_text(f"#!/bin/sh\necho '{complaint}' >&2\nexit 1\n")
    (tmp_path / "curl").chmod(0o755)
    (tmp_path / "python3").write_text(f"#!/bin/sh\necho {WORD}\n")
    (tmp_path / "python3").chmod(0o755)
    (tmp_path / "go").write_text("#!/bin/sh\n:\n")
    (tmp_path / "go").chmod(0o755)
    checks = {check.name: check for check in check_runtimes({"PATH": str(tmp_path)})}
    assert checks["curl"].state == "broken" and complaint in checks["curl"].detail
    assert fix in checks["curl"].fix
    assert checks["Python"].state == "ok"
    assert checks["Node"].state == "skipped"
    assert (checks["Go"].state, checks["Go"].detail) == ("broken", f"{tmp_path}/go: exit code 0")


@pytest.mark.parametrize(
    ("version", "has"),
    [
        ("v24.0.0", True),
        ("v25.1.0", True),
        ("v22.21.0", True),
        ("v22.20.0", False),
        ("v23.9.0", False),
        ("v20.20.2", False),
        ("", False),
    ],
)
def test_node_versions(version, has):
    assert has_env_proxy(version) == has
