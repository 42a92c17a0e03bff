from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from addons import ca
from addons.cli import trust
from certs import trust_store
from certs.ca import load_ca
from intelligence.config import load_config
from tests.certs import machines


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a configuration. As root, so no sudo; no setting comes from outside."""
    (tmp_path / "mitm.toml").touch()
    monkeypatch.setenv("LLMITM_CONFIG", str(tmp_path / "mitm.toml"))
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(trust_store.os, "geteuid", lambda: 0)
    return tmp_path


@pytest.fixture
def machine(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small Red Hat whose store the commands change instead of this machine's."""
    (home / "other").mkdir()
    (home / "other/mitm.toml").touch()
    other = ca.ensure(load_config(home / "other/mitm.toml", {})).paths.cert.read_bytes()
    root = machines.red_hat(home / "machine", other_roots=[other])
    store = trust_store.find_store(root)
    assert store
    subprocess.run(store.update, check=True)
    monkeypatch.setattr(trust.trust_store, "find_store", lambda: store)
    return root


def run(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(trust.command, arguments, input=answer, prog_name="llmitm trust")


def report() -> dict[str, Any]:
    result = run("status", "--json")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def anchors(root: Path) -> list[Path]:
    return sorted((root / "etc/pki/ca-trust/source/anchors").iterdir())


@pytest.mark.usefixtures("machine")
def test_status_makes_no_ca(home: Path) -> None:
    result = run("status")
    assert result.exit_code == 0
    assert "There is no CA" in result.output
    assert report()["ca"] is None
    assert not (home / "certs").exists()


def test_install_and_uninstall(home: Path, machine: Path) -> None:
    before = machines.everything_in(machine)
    result = run("install", answer="y\n")
    assert result.exit_code == 0, result.output
    shown = result.output.splitlines()
    file = home / "certs/mitmproxy-ca-cert.pem"
    assert f"  install -m 0644 {file} {anchors(machine)[0]}" in shown
    assert f"  {machine}/usr/bin/update-ca-trust extract" in shown
    assert "trusts the CA now" in shown[-1]

    found = report()
    assert found["store"] == {
        "family": "Red Hat",
        "state": "installed",
        "file": str(anchors(machine)[0]),
        "others": [],
    }
    assert found["ca"]["file"] == str(file)
    assert "api.openai.com" in found["ca"]["permitted"]
    assert "this machine  trusted" in run("status").output
    assert "nothing to do" in run("install").output

    result = run("uninstall", answer="y\n")
    assert result.exit_code == 0, result.output
    assert "nothing of it is left" in result.output
    assert machines.everything_in(machine) == before
    assert report()["store"]["state"] == "absent"
    assert "nothing to do" in run("uninstall").output


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_nothing_happens_without_a_yes(home: Path, machine: Path, answer: str) -> None:
    before = machines.everything_in(machine)
    assert run("install", answer=answer).exit_code == 1
    assert machines.everything_in(machine) == before
    assert run("install", "--yes").exit_code == 0
    installed = machines.everything_in(machine)
    assert run("uninstall", answer=answer).exit_code == 1
    assert machines.everything_in(machine) == installed
    assert run("uninstall", "--yes").exit_code == 0
    assert machines.everything_in(machine) == before


def test_after_the_scope_grew_it_is_outdated_until_installed_again(home: Path, machine: Path) -> None:
    run("install", "--yes")
    (home / "mitm.toml").write_text('[scope]\nhosts = ["llm.example"]\n')
    result = run("install", "--yes")
    assert result.exit_code == 0, result.output
    assert "the scope grew by llm.example" in result.output
    assert report()["store"]["state"] == "installed"
    assert len(anchors(machine)) == 1

    (home / "mitm.toml").write_text("")
    ca.ensure(load_config())
    assert report()["store"]["state"] == "outdated"
    assert "before it was issued anew" in run("status").output
    assert run("uninstall", "--yes").exit_code == 0
    assert anchors(machine) == []


def test_other_installations_stay_unless_all_is_said(
    home: Path, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "second").mkdir()
    (home / "second/mitm.toml").touch()
    monkeypatch.setenv("LLMITM_CONFIG", str(home / "second/mitm.toml"))
    assert run("install", "--yes").exit_code == 0
    monkeypatch.setenv("LLMITM_CONFIG", str(home / "mitm.toml"))
    assert run("install", "--yes").exit_code == 0
    assert len(report()["store"]["others"]) == 1
    assert "of another llmitm installation" in run("status").output

    result = run("uninstall", "--yes")
    assert "--all removes them too" in result.output
    assert len(anchors(machine)) == 1
    assert run("uninstall", "--yes", "--all").exit_code == 0
    assert anchors(machine) == []


def test_an_uninstall_after_the_ca_was_deleted(home: Path, machine: Path) -> None:
    assert run("install", "--yes").exit_code == 0
    (home / "certs/mitmproxy-ca.pem").unlink()
    assert "--all removes them too" in run("uninstall", "--yes").output
    assert run("uninstall", "--yes", "--all").exit_code == 0
    assert anchors(machine) == []


def test_an_update_that_does_nothing_is_noticed(home: Path, machine: Path) -> None:
    (machine / "usr/bin/update-ca-trust").write_text("#!/bin/sh\n")
    result = run("install", "--yes")
    assert result.exit_code == 1
    assert "does not hold the CA" in result.output


def test_an_update_that_fails_is_said(home: Path, machine: Path) -> None:
    (machine / "usr/bin/update-ca-trust").write_text("#!/bin/sh\nexit 4\n")
    result = run("install", "--yes")
    assert result.exit_code == 1
    assert "failed with exit code 4" in result.output


@pytest.mark.usefixtures("machine")
def test_under_sudo_no_file_of_root_s_is_made(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "somebody")
    result = run("install", "--yes")
    assert result.exit_code == 1
    assert "run this without sudo" in result.output
    assert not (home / "certs").exists()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("platform", "install", "uninstall"),
    [
        ("darwin", "sudo security add-trusted-cert", "sudo security delete-certificate"),
        ("win32", "certutil -user -addstore Root", "certutil -user -delstore Root"),
    ],
)
def test_other_systems_get_the_commands_to_type(
    monkeypatch: pytest.MonkeyPatch, platform: str, install: str, uninstall: str
) -> None:
    monkeypatch.setattr(trust.sys, "platform", platform)
    for argument, line in (("install", install), ("uninstall", uninstall)):
        result = run(argument)
        assert result.exit_code == 0, result.output
        assert line in result.output


def test_an_unknown_system_is_told_where_the_file_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust.trust_store, "find_store", lambda: None)
    result = run("install", "--yes")
    assert result.exit_code == 1
    assert str(home / "certs/mitmproxy-ca-cert.pem") in result.output
    assert report()["store"] is None


@pytest.mark.usefixtures("machine")
def test_a_damaged_ca_is_one_clear_line(home: Path) -> None:
    (home / "certs").mkdir()
    (home / "certs/mitmproxy-ca.pem").write_text("garbage")
    for arguments in (["status"], ["install", "--yes"], ["uninstall", "--yes"]):
        result = run(*arguments)
        assert result.exit_code == 1
        assert result.output.startswith("Error: the CA is damaged")


def test_a_ca_that_somebody_brought_with_its_chain_is_not_installed(home: Path, machine: Path) -> None:
    run("install", "--yes")
    found = load_ca(home / "certs")
    assert found
    path = home / "certs/mitmproxy-ca.pem"
    path.write_bytes(path.read_bytes() + found.pem)
    result = run("install", "--yes")
    assert result.exit_code == 1
    assert "have this machine trust its root" in result.output
