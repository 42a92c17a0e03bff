"""`llmitm doctor`: all is well, and each link it can name when broken."""

from __future__ import annotations

import json
import os
import socket

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


def test_the_record_itself(tmp_path):
    place = place_in(tmp_path)
    assert place.llmitm("doctor", "--db").returncode == 0, "nothing recorded yet is nothing wrong"
    place.data_dir.mkdir()
    (place.data_dir / "traffic.db").write_bytes(b"no database" * 1000)
    result = place.llmitm("doctor", "--db", "--json")
    (check,) = json.loads(result.stdout)["checks"]
    assert result.returncode == 1 and check["state"] == "broken"
    assert "llmitm restore" in check["fix"]
