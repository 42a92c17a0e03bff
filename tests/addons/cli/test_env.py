"""`llmitm env`: what it prints does what it says, in the shells that are here."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from addons.cli.env import SHELLS
from tests.addons.cli.test_group import LLMITM, llmitm
from tests.rig.processes import environment

AWKWARD = 'it\'s a \\ "strange" $HOME `id` value'


@pytest.fixture
def env(tmp_path):
    certs = tmp_path / "certs"
    certs.mkdir()
    (certs / "mitmproxy-ca-cert.pem").write_text("OUR CA\n")
    (certs / "bundle.pem").write_text("ROOTS\nOUR CA\n")
    return environment(tmp_path, proxy__listen_port=9080)


PROGRAMS = {
    "sh": (["sh", "-c"], 'printf %s "$STRANGE"'),
    "fish": (["fish", "-c"], "printf %s $STRANGE"),
    "powershell": (["pwsh", "-NoProfile", "-Command"], "[Console]::Out.Write($env:STRANGE)"),
}


@pytest.mark.parametrize(
    "shell", [name for name, (command, _) in PROGRAMS.items() if shutil.which(command[0])]
)
def test_values_arrive_as_they_are(shell):
    command, show = PROGRAMS[shell]
    done = subprocess.run(
        [*command, f"{SHELLS[shell]('STRANGE', AWKWARD)}\n{show}"], capture_output=True, text=True
    )
    assert done.stdout == AWKWARD, done.stderr


def test_syntax_of_each_shell():
    assert SHELLS["sh"]("A", "it's") == "export A='it'\"'\"'s'" and SHELLS["sh"]("A", None) == "unset A"
    assert (
        SHELLS["fish"]("A", "it's \\") == "set -gx A 'it\\'s \\\\';"
        and SHELLS["fish"]("A", None) == "set -e A;"
    )
    assert SHELLS["powershell"]("A", "it's") == "$env:A = 'it''s'"


def test_prints_the_configured_proxy_and_says_that_it_does_not_run(env):
    result = llmitm("env", env=env)
    assert result.returncode == 0
    assert "export HTTPS_PROXY=http://127.0.0.1:9080\n" in result.stdout
    assert "the proxy does not run" in result.stderr and "llmitm" in result.stderr


def test_without_a_ca_there_is_nothing_to_print(env, tmp_path):
    (tmp_path / "certs" / "bundle.pem").unlink()
    result = llmitm("env", env=env)
    assert result.returncode == 1 and result.stdout == ""
    assert "there is no CA" in result.stderr.splitlines()[-1]


def test_eval_and_unset_leave_the_shell_as_it_was(env, tmp_path):
    script = """
        before=$(env | sort)
        eval "$("$llmitm" env 2>/dev/null)"
        echo "during $HTTPS_PROXY $NO_PROXY"
        eval "$("$llmitm" env 2>/dev/null)"
        eval "$("$llmitm" env --unset)"
        test "$before" = "$(env | sort)" && echo same
    """
    done = subprocess.run(
        ["sh", "-c", script],
        env={**env, "NO_PROXY": "intra.example", "llmitm": LLMITM},
        capture_output=True,
        text=True,
    )
    lines = done.stdout.splitlines()
    assert lines[0].startswith("during http://127.0.0.1:9080 intra.example,localhost"), done.stderr
    assert lines[1:] == ["same"]


def test_a_proxy_with_users_needs_a_name(env, tmp_path):
    users = tmp_path / "users.htpasswd"
    users.touch()
    env["LLMITM_PROXY__USERS"] = str(users)
    result = llmitm("env", env=env)
    assert result.returncode == 1 and "HTTPS_PROXY=http://NAME:PASSWORD@127.0.0.1:9080" in result.stderr
    result = llmitm("env", env={**env, "HTTPS_PROXY": "http://ann:pw@127.0.0.1:9080"})
    assert "export HTTPS_PROXY=http://ann:pw@127.0.0.1:9080\n" in result.stdout
