from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from addons.cli.user import command
from intelligence.store import control
from tests.rig.passwords import cheap_passwords  # noqa: F401

PASSWORD = "correct horse battery\n"


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LLMITM_STORE__DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*args: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(command, args, input=typed)


def test_from_nobody_to_somebody_and_back(data_dir: Path) -> None:
    assert "Nobody yet" in run("list").output
    assert run("add", "ana", "--role", "admin", "--password-stdin", typed=PASSWORD).exit_code == 0
    added = run("add", "bob", typed=PASSWORD * 2)
    assert added.exit_code == 0 and "correct" not in added.output
    assert run("role", "bob", "reviewer").exit_code == 0
    users = json.loads(run("list", "--json").output)
    assert [(user["name"], user["role"]) for user in users] == [("ana", "admin"), ("bob", "reviewer")]
    assert run("password", "bob", "--password-stdin", typed="another " + PASSWORD).exit_code == 0
    assert run("remove", "bob").exit_code == 0
    with control.reading(data_dir) as db:
        entries = control.audited(db, 10)
    assert entries[0]["action"] == "remove user" and entries[0]["actor"].startswith("cli:")


def test_mistakes_are_told_in_a_line(data_dir: Path) -> None:
    for args, typed in (
        (("remove", "nobody"), None),
        (("add", "ana", "--password-stdin"), "short\n"),
        (("add", "local", "--password-stdin"), PASSWORD),
    ):
        failed = run(*args, typed=typed)
        assert failed.exit_code == 1 and failed.output.startswith("Error: ")
    assert run("role", "ana", "owner").exit_code == 2
