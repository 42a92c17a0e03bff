"""`llmitm status`: what it says of processes that live, died or never were."""

from __future__ import annotations

import json

from click.testing import CliRunner

from addons.cli.status import command, state
from intelligence.store.status import ProcessStatus
from tests.intelligence.store.test_keeping import drained, record


def show(folder, *args: str):
    return CliRunner(env={"LLMITM_STORE__DIR": str(folder), "LLMITM_CONFIG": None}).invoke(command, args)


def test_nothing_runs(tmp_path):
    shown = show(tmp_path)
    assert shown.exit_code == 0
    assert shown.output.splitlines()[0].split() == ["proxy", "down"]
    assert "Nothing runs. Start it with: llmitm up" in shown.output
    assert not list(tmp_path.iterdir()), "looking leaves nothing behind"


def test_states(tmp_path):
    with (
        ProcessStatus(tmp_path, "proxy", {"proxy": "0.0.0.0:9"}) as proxy,
        ProcessStatus(tmp_path, "dashboard", {}),
        ProcessStatus(tmp_path, "proxy-1", {"proxy": "127.0.0.1:10"}),
    ):
        proxy.update(dropped_frames=2, dropped_bytes=10, web_url="http://127.0.0.1:1/?token=t")
        died = tmp_path / "run" / "worker.json"
        died.write_text((tmp_path / "run" / "proxy.json").read_text())
        report = state(tmp_path)
        shown = show(tmp_path).output
        as_json = json.loads(show(tmp_path, "--json").output)
    assert {p["name"]: p["state"] for p in report["processes"]} == {
        "proxy": "up",
        "worker": "died",
        "dashboard": "starting",
        "proxy-1": "up",
    }
    # The dead worker's file is a copy of the proxy's; only proxies drop.
    assert report["journal"]["dropped_frames"] == 2
    assert not report["ready"]
    assert as_json == report
    assert "http://127.0.0.1:9/" in shown and "http://127.0.0.1:1/?token=t" in shown
    assert "2 pieces of the record were lost (10 bytes); is the disk full?" in shown


def test_wait_is_1_when_it_takes_longer(tmp_path):
    assert show(tmp_path, "--wait", "0.1").exit_code == 1


def test_wait_is_0_once_all_are_up(tmp_path):
    with (
        ProcessStatus(tmp_path, "proxy", {"proxy": "127.0.0.1:9"}),
        ProcessStatus(tmp_path, "worker", {}),
        ProcessStatus(tmp_path, "dashboard", {"dashboard": "127.0.0.1:10"}),
    ):
        assert show(tmp_path, "--wait", "5").exit_code == 0
        assert json.loads(show(tmp_path, "--json").output)["ready"]


def test_wait_takes_no_negative_time(tmp_path):
    assert show(tmp_path, "--wait", "-1").exit_code == 2


def test_calls_that_wait_to_be_read(tmp_path):
    assert json.loads(show(tmp_path, "--json").output)["unread"] is None
    record(tmp_path, "one", "two")
    drained(tmp_path)
    assert json.loads(show(tmp_path, "--json").output)["unread"] == 2
    assert "search: 2 calls wait to be read" in show(tmp_path).output
