"""What is compared: each candidate a proxy process on its core, with a load generator of its own on the
other."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.bench import bodies
from tests.rig.authority import Authority
from tests.rig.mitmdump import mitmdump_process
from tests.rig.processes import REPOSITORY, Process, proxy_process

NICE = -10
# Every detector looks at every request, before it leaves.
RULES = """
rules:
  - id: everything
    action: redact
    when: {detection: {kind: [secret, pii, injection, exfiltration, command, content, canary], score: ">= 0.99"}}
"""


def cpu_seconds(pid: int) -> float:
    """User and system time a process has used, threads that ended included: its POSIX CPU clock, in ns on
    Linux."""
    return time.clock_gettime((~pid << 3) | 2)


def rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def on_core(index: int) -> Iterator[None]:
    """What is started meanwhile runs on this core, the first (0) or the last (-1) of those we may use, and before other
    people's processes where we may say so: they would be in every slowest hundredth."""
    allowed, nice = os.sched_getaffinity(0), os.getpriority(os.PRIO_PROCESS, 0)
    os.sched_setaffinity(0, {sorted(allowed)[index]})
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)
        with contextlib.suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, nice)


@dataclass(slots=True)
class Burst:
    """One burst as its client saw it, and the CPU time it took the proxy."""

    cpu_seconds: float
    load_cpu_seconds: float
    seconds: float
    latency_ms: list[float]
    first_byte_ms: list[float]
    chunk_ms: list[float]


@dataclass(slots=True)
class Candidate:
    name: str
    pid: int
    generator: subprocess.Popen[str]
    process: Process | None = None
    exchanges: int = 0

    def burst(self, **command: Any) -> Burst:
        """Commands are those of `load`."""
        begin = cpu_seconds(self.pid)
        answer = _ask(self.generator, command)
        used = cpu_seconds(self.pid) - begin
        load_cpu = answer.pop("cpu_seconds")
        self.exchanges += len(answer["latency_ms"]) + len(answer["first_byte_ms"])
        return Burst(cpu_seconds=used, load_cpu_seconds=load_cpu, **answer)

    def check_recorded(self) -> None:
        """A proxy that skipped its work would look fast: every exchange must be in its journal."""
        if self.process is None:
            return
        deadline = time.monotonic() + 5
        while (counters := self.process.status.counters).get("calls") != self.exchanges:
            assert time.monotonic() < deadline, f"{self.name} had {self.exchanges} exchanges, says {counters}"
            time.sleep(0.1)
        assert counters["dropped_frames"] == 0, f"{self.name} dropped frames: {counters}"


def _ask(generator: subprocess.Popen[str], command: dict[str, Any]) -> dict[str, Any]:
    assert generator.stdin and generator.stdout
    generator.stdin.write(json.dumps(command) + "\n")
    generator.stdin.flush()
    line = generator.stdout.readline()
    assert line, f"the load generator ended at {command}"
    answer: dict[str, Any] = json.loads(line)
    return answer


@dataclass(slots=True)
class Provider:
    address: str
    ca_file: Path
    pid: int


@dataclass(slots=True)
class Stage:
    """The provider, and candidates started when a row first asks for them."""

    folder: Path
    provider: Provider
    stack: ExitStack
    _started: dict[str, Candidate] = field(default_factory=dict)

    def candidate(self, name: str) -> Candidate:
        """One of `direct`, `bare`, `stream` (mitmdump, streaming script), `llmitm`, `llmitm+web`, `llmitm+rules` (with all
        detectors)."""
        if name not in self._started:
            self._started[name] = self.start(self.stack, name, name)
            self._started[name].burst(prompts=150, concurrency=16, size=2_000)
            self._started[name].burst(streams=4, chunks=20, every_ms=2)
        return self._started[name]

    def check_recorded(self) -> None:
        for candidate in self._started.values():
            candidate.check_recorded()

    def start(
        self, stack: ExitStack, kind: str, folder: str, *, launcher: Sequence[str] = ("-m", "addons")
    ) -> Candidate:
        """A fresh one of that kind, cold, for as long as `stack` lasts."""
        here = self.folder / folder
        process: Process | None = None
        where = {"proxy": None, "upstream": self.provider.address, "connect_to": self.provider.address}
        with on_core(0):
            if kind == "direct":
                pid, ca_file = self.provider.pid, self.provider.ca_file
            elif kind in ("bare", "stream"):
                mitmdump = stack.enter_context(
                    mitmdump_process(here, self.provider.ca_file, stream=kind == "stream")
                )
                pid, ca_file = mitmdump.pid, mitmdump.ca_file
                where["proxy"] = mitmdump.address
            else:
                policies = here / "policies"
                policies.mkdir(parents=True, exist_ok=True)
                if kind == "llmitm+rules":
                    (policies / "everything.yaml").write_text(RULES)
                settings = {"proxy__web": kind == "llmitm+web", "policy__dir": policies}
                process = stack.enter_context(
                    proxy_process(here, self.provider, launcher=launcher, **settings)
                )
                pid, ca_file = process.pid, process.ca_file
                where |= {"proxy": process.address, "connect_to": f"{bodies.HOST}:443"}
        generator = stack.enter_context(_python("tests.bench.load"))
        _ask(generator, {**where, "ca": str(ca_file)})
        return Candidate(kind, pid, generator, process)


@contextmanager
def _python(module: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    with on_core(-1):
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    try:
        yield process
    finally:
        process.terminate()
        with contextlib.suppress(OSError):
            process.communicate(timeout=10)


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    authority = Authority(folder / "upstream")
    leaf = authority.leaf([bodies.HOST, "127.0.0.1"])
    with ExitStack() as stack:
        process = stack.enter_context(_python("tests.bench.upstream", str(leaf)))
        assert process.stdout
        address = f"127.0.0.1:{int(process.stdout.readline())}"
        made = Stage(folder, Provider(address, authority.ca_file, process.pid), stack)
        yield made
        made.check_recorded()
