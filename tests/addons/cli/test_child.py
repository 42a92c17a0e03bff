"""A process of ours ends when the one that started it does, and takes no module from the current folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from addons.cli import child

MODULE = """
import signal, sys, time
print(sys.argv[1:], flush=True)
def end(*_):
    print("in order", flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def env(tmp_path):
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sleeper.py").write_text(MODULE)
    return {**os.environ, "PYTHONPATH": str(tmp_path / "path")}


def started(env) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        child.command("sleeper", "--an", "argument"),
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "['--an', 'argument']\n"
    assert process.stdout.readline() == "ready\n"
    return process


def test_it_ends_in_order_when_the_pipe_closes(env):
    with started(env) as process:
        process.stdin.close()
        assert process.stdout.readline() == "in order\n"
    assert process.returncode == 3


def test_it_ends_when_its_starter_is_killed(env):
    starter = (
        "import subprocess, sys, time; from addons.cli import child\n"
        "p = subprocess.Popen(child.command('sleeper'), stdin=subprocess.PIPE, stdout=sys.stdout)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", starter], env=env, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "[]\n"
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        assert process.stdout.read() == "in order\n"  # and then the end of the file: nobody holds it any more


def test_modules_do_not_come_from_the_current_folder(tmp_path):
    (tmp_path / "addons").mkdir()
    for name in ("__init__.py", "__main__.py"):
        (tmp_path / "addons" / name).write_text("print('hostile')")
    with subprocess.Popen(
        child.command("json.tool", "--help"),
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        said = process.stdout.read()
    assert "usage" in said and "hostile" not in said
