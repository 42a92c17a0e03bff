"""Python programs that start with their imports made.

Importing is most of what a process of ours costs in its first seconds, and the suite starts some hundreds. A template process
imports what a program imports and waits; each start is a fork of it that runs the program as `__main__`, with its own arguments,
environment, folder and files: a process to be signalled, waited for and killed like any other. Only where `use` was called;
else, and for a command that has no template, `start` is `subprocess.Popen`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

# Of a program run by `-m`: what is imported for it.
MODULES = {
    "addons": ["addons.__main__"],
    "tests.rig.faulty": ["addons.__main__", "tests.rig.faulty"],
    "intelligence": ["intelligence.__main__"],
    "tests.intelligence.store.killed": ["tests.intelligence.store.killed"],
}
PROGRAMS = Path(__file__).parents[1] / "e2e" / "programs"
MAX_MESSAGE = 1 << 20

_templates: dict[str, socket.socket] = {}
_used = False


def use() -> None:
    """From here on programs are forked, until this process ends."""
    global _used
    _used = True
    atexit.register(lambda: [template.close() for template in _templates.values()])


@dataclass
class Forked:
    """What tests use of `subprocess.Popen`."""

    pid: int
    _exit: int
    returncode: int | None = None

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._exit], [], [], 0)[0]:
            self._reaped()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Raises `subprocess.TimeoutExpired`."""
        if self.returncode is None:
            if not select.select([self._exit], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            self._reaped()
        assert self.returncode is not None
        return self.returncode

    def _reaped(self) -> None:
        said = os.read(self._exit, 16)
        os.close(self._exit)
        assert said, "the template ended before its fork"
        self.returncode = int(said)

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


type Started = Forked | subprocess.Popen[bytes]


def start(
    arguments: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    stdin: int,
    stdout: int,
    stderr: int,
) -> Started:
    """Python with these arguments; the files are descriptors."""
    command = [str(one) for one in arguments]
    program = _program(command)
    if not _used or program is None:
        return subprocess.Popen(
            [sys.executable, *command], cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr
        )
    template = _templates.get(program) or _begin(program)
    exit_read, exit_write = os.pipe()
    try:
        job = json.dumps({"argv": command, "cwd": str(cwd), "env": dict(env)}).encode()
        socket.send_fds(template, [job], [stdin, stdout, stderr, exit_write])
    finally:
        os.close(exit_write)
    said = template.recv(16)
    assert said, f"the template of {program} is gone"
    return Forked(int(said), exit_read)


def run(
    arguments: Sequence[str | Path], given: str, *, cwd: Path, env: Mapping[str, str], timeout: float
) -> tuple[int, str, str]:
    """Exit code, output and errors of a program that reads `given`. Raises `subprocess.TimeoutExpired`."""
    folder = Path(os.environ.get("TMPDIR", "/tmp"))
    files = [os.open(folder, os.O_TMPFILE | os.O_RDWR, 0o600) for _ in range(3)]
    try:
        os.write(files[0], given.encode())
        os.lseek(files[0], 0, os.SEEK_SET)
        started = start(arguments, cwd=cwd, env=env, stdin=files[0], stdout=files[1], stderr=files[2])
        try:
            code = started.wait(timeout)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
            raise
        out, errors = (_content(fd) for fd in files[1:])
        return code, out, errors
    finally:
        for fd in files:
            os.close(fd)


def _content(fd: int) -> str:
    return os.pread(fd, os.fstat(fd).st_size, 0).decode("utf-8", "replace")


def _program(command: list[str]) -> str | None:
    if command[0] == "-m" and command[1] in MODULES:
        return command[1]
    return command[0] if Path(command[0]).parent == PROGRAMS else None


def _begin(program: str) -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        subprocess.Popen(
            [sys.executable, "-m", "tests.rig.forks", str(theirs.fileno()), program],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
        )
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_MESSAGE)
    _templates[program] = ours
    return ours


# --- the template ------------------------------------------------------------------------------------------------------


@dataclass
class _Job:
    argv: list[str]
    cwd: str
    env: dict[str, str]


def _template(control: socket.socket, program: str) -> _Job | None:
    """Forks whatever is asked for. Returns in each fork, with its job; and without one when nobody asks any more."""
    for module in MODULES.get(program, ()):
        importlib.import_module(module)
    if program not in MODULES:
        runpy.run_path(program, run_name="preloaded")
    assert len(os.listdir("/proc/self/task")) == 1, "a thread would not live on in a fork"
    gc.collect()
    gc.freeze()
    exits: dict[int, int] = {}
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, _ignored)
    signal.set_wakeup_fd(wake_write)
    while True:
        ready, _, _ = select.select([control, wake_read], [], [])
        if wake_read in ready:
            os.read(wake_read, 4096)
            _reap(exits)
            continue
        data, files, _, _ = socket.recv_fds(control, MAX_MESSAGE, 4)
        if not data:
            return None
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for number, fd in enumerate(files[:3]):
                os.dup2(fd, number)
            for fd in (*files, wake_read, wake_write, control.detach(), *exits.values()):
                os.close(fd)
            return _Job(**json.loads(data))
        exits[pid] = files.pop()
        for fd in files:
            os.close(fd)
        control.send(b"%d" % pid)


def _ignored(_number: int, _frame: FrameType | None) -> None:
    pass


def _reap(exits: dict[int, int]) -> None:
    while exits:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        fd = exits.pop(pid)
        with contextlib.suppress(BrokenPipeError):
            os.write(fd, b"%d" % os.waitstatus_to_exitcode(status))
        os.close(fd)


def _become(job: _Job, program: str) -> None:
    os.chdir(job.cwd)
    os.environ.clear()
    os.environ.update(job.env)
    time.tzset()
    sys.stdin = os.fdopen(0, closefd=False)
    sys.stdout = os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", 1, errors="backslashreplace", closefd=False)
    if program in MODULES:
        sys.argv = ["-m", *job.argv[2:]]
        for name in MODULES[program]:
            del sys.modules[name]
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    else:
        sys.argv = job.argv
        runpy.run_path(program, run_name="__main__")


def _main() -> None:
    control, program = socket.socket(fileno=int(sys.argv[1])), sys.argv[2]
    job = _template(control, program)
    if job is not None:
        _become(job, program)


if __name__ == "__main__":
    _main()
