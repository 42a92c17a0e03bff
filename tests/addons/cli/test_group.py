"""The command itself: quick, helpful, never a traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from addons.cli import COMMANDS, group
from tests.rig.processes import REPOSITORY, environment

LLMITM = str(Path(sys.executable).parent / "llmitm")
HEAVY = ("mitmproxy", "datasette", "pydantic", "httpx", "rich", "asyncio", "sqlite3", "openai", "anthropic")


def llmitm(*args: str, env: dict[str, str] | None = None, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [LLMITM, *args],
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from addons.cli import group; group(['--help'], standalone_mode=False); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_command_and_where_to_start():
    shown = CliRunner().invoke(group, ["--help"]).output
    for name in COMMANDS:
        assert f"  {name} " in shown
    assert "llmitm exec -- claude" in shown
    assert CliRunner().invoke(group, []).output == shown


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_explains_itself_with_an_example(name: str):
    result = CliRunner().invoke(group, [name, "--help"], prog_name="llmitm")
    assert result.exit_code == 0, result.output
    assert "Example" in result.output and f"llmitm {name}" in result.output


def test_version():
    assert CliRunner().invoke(group, ["--version"]).output.startswith("llmitm 0.")


def test_mistyped_command_suggests_the_right_one():
    result = llmitm("stauts")
    assert result.returncode == 2
    assert "No such command 'stauts'. Did you mean 'status'?" in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_option_is_wrong_usage():
    assert llmitm("status", "--jsno").returncode == 2


@pytest.mark.parametrize(
    "args",
    [["up"], ["status"], ["env"], ["exec", "--", "true"], ["proxy"], ["worker"], ["dashboard"], ["demo"]],
)
def test_a_bad_configuration_is_one_clear_line(tmp_path, args):
    env = {name: value for name, value in environment(tmp_path).items() if name.startswith("LLMITM_")}
    (tmp_path / "mitm.toml").write_text("[proxy]\nlisten_prot = 8080\n")
    result = CliRunner(env=env).invoke(group, args)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {tmp_path}/mitm.toml:2: unknown setting proxy.listen_prot; did you mean listen_port?\n"
    )


def test_a_missing_configuration_file_is_named(tmp_path):
    env = environment(tmp_path) | {"LLMITM_CONFIG": str(tmp_path / "nowhere.toml")}
    result = llmitm("status", env=env)
    assert result.returncode == 1
    assert "nowhere.toml: no such file (LLMITM_CONFIG names it)" in result.stderr


def test_a_folder_that_cannot_be_made_is_no_traceback(tmp_path):
    (tmp_path / "file").touch()
    result = llmitm("exec", "--", "true", env=environment(tmp_path, store__dir=tmp_path / "file" / "data"))
    assert result.returncode == 1
    assert result.stderr.startswith("Error: Not a directory") and "Traceback" not in result.stderr
