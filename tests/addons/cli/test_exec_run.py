"""How `exec` runs its command: streams, exit codes, signals."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time

import pytest

from addons.cli.exec import run
from tests.rig.processes import REPOSITORY

# Runs a command as `exec` does, in a process of its own, so that signals hit it alone.
RUN = (
    "import os, signal, sys; from addons.cli.exec import run; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "  # whoever runs the tests may ignore it
    "sys.exit(run(sys.argv[1:], os.environ))"
)
WAITER = """
import signal, sys, time
def told(number, frame):
    print(signal.Signals(number).name, flush=True)
    sys.exit(9)
for name in ("SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"):
    signal.signal(getattr(signal, name), told)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["true"], 0),
        (["sh", "-c", "exit 42"], 42),
        (["sh", "-c", "kill -TERM $$"], 128 + signal.SIGTERM),
        (["sh", "-c", "kill -9 $$"], 128 + 9),
    ],
)
def test_exit_code(command, code):
    assert run(command, os.environ) == code


def test_a_file_that_is_no_program(tmp_path, capfd):
    script = tmp_path / "script"
    script.write_bytes(b"\x00\x01 no program")
    script.chmod(0o755)
    assert run([str(script)], os.environ) == 126
    assert "script: Exec format error" in capfd.readouterr().err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals_go_on_to_the_command(name):
    """No terminal here: also SIGINT can only have come from a `kill`."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN, sys.executable, "-c", WAITER],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(getattr(signal, name))
        assert process.stdout.read() == f"{name}\n"
    assert process.returncode == 9


def test_ctrl_c_in_a_terminal_reaches_the_command_once():
    counting = (
        "import signal, sys, time; n = []\n"
        "signal.signal(signal.SIGINT, lambda *a: n.append(1))\n"
        "print('ready', sys.stdin.isatty(), flush=True); time.sleep(0.5); time.sleep(0.5); print('times', len(n), flush=True)"
    )
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(REPOSITORY)
        os.execv(sys.executable, [sys.executable, "-c", RUN, sys.executable, "-c", counting])
    try:
        seen = read_until(terminal, b"ready True")
        os.write(terminal, b"\x03")
        seen = read_until(terminal, b"times ")
        assert b"times 1" in seen
    finally:
        assert os.waitpid(pid, 0)[1] == 0
        os.close(terminal)


def read_until(terminal: int, mark: bytes) -> bytes:
    seen, deadline = b"", time.monotonic() + 20
    while mark not in seen or not seen.endswith(b"\n"):
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 1)[0]:
            seen += os.read(terminal, 4096)
    return seen


def test_what_was_ignored_stays_ignored():
    """`nohup llmitm exec …`: the command must not die of a hang-up."""
    code = "import signal; print(signal.getsignal(signal.SIGHUP) == signal.SIG_IGN)"
    done = subprocess.run(
        ["sh", "-c", 'trap "" HUP; exec "$@"', "-", sys.executable, "-c", RUN, sys.executable, "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "True\n", done.stderr
