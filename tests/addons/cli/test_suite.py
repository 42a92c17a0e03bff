"""What commands know of the running suite."""

from __future__ import annotations

import sys

import pytest

from addons.cli import suite
from addons.cli.suite import reachable
from intelligence.config import Config, Dashboard, Proxy
from intelligence.store.status import ProcessStatus


@pytest.mark.parametrize(
    ("listening", "connect"),
    [
        ("127.0.0.1:1", "127.0.0.1:1"),
        ("0.0.0.0:1", "127.0.0.1:1"),
        (":::1", "[::1]:1"),
        ("[::1]:2", "[::1]:2"),
        ("::1:2", "[::1]:2"),
    ],
)
def test_reachable(listening, connect):
    assert reachable(listening) == connect


def test_only_the_living_count_and_only_who_listens_is_up(tmp_path):
    with (
        ProcessStatus(tmp_path, "proxy", {}) as proxy,
        ProcessStatus(tmp_path, "worker", {}),
        ProcessStatus(tmp_path, "dashboard", {"dashboard": "127.0.0.1:8001"}),
    ):
        living = suite.running(tmp_path)
        assert [living.is_up(name) for name in suite.PROCESSES] == [False, True, True]
        assert living.proxy is None and living.dashboard_url == "http://127.0.0.1:8001/"
        proxy.update(addresses={"proxy": "0.0.0.0:8080"})
        assert suite.running(tmp_path).proxy == "127.0.0.1:8080"
        left_behind = (tmp_path / "run" / "worker.json").read_text()
    (tmp_path / "run" / "worker.json").write_text(left_behind)
    assert suite.running(tmp_path).alive == {}


def test_listeners():
    config = Config(proxy=Proxy(listen_port=1, web_port=2), dashboard=Dashboard(port=3))
    assert [port for _, _, port in suite.listeners(config)] == [1, 2, 3]
    without = config.model_copy(update={"proxy": Proxy(listen_port=1, web=False)})
    assert [setting for setting, *_ in suite.listeners(without)] == ["proxy.listen_port", "dashboard.port"]


def test_program_is_what_the_user_can_type(tmp_path, monkeypatch):
    script = tmp_path / ".venv" / "bin" / "llmitm"
    script.parent.mkdir(parents=True)
    script.touch(0o755)
    monkeypatch.setattr(sys, "argv", [str(script)])
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    assert suite.program() == ".venv/bin/llmitm"
    monkeypatch.chdir("/")
    assert suite.program() == str(script).lstrip("/")
    monkeypatch.setenv("PATH", str(script.parent))
    assert suite.program() == "llmitm"


def test_wait_until():
    answers = iter([False, False, True])
    assert suite.wait_until(lambda: next(answers), 5, step=0)
    assert not suite.wait_until(lambda: False, 0)
