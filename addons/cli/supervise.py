"""Keeps child processes running: their lines are passed on, a crashed one is started again, all end together.

A child that ends before it was ever ready is not started again: what is wrong with it will still be wrong. Later crashes are
answered with a restart after a growing pause, until too many follow each other quickly; then it is given up. `vital`
children take everything with them when they are given up; the others are missed loudly.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Service:
    """`last`: is ended after those that are not."""

    name: str
    command: Sequence[str]
    vital: bool = False
    last: bool = False


@dataclass(frozen=True)
class Patience:
    """How crashes are met: `quick_crashes` within `quick_seconds` of their start, one after the other, are too many."""

    quick_crashes: int = 5
    quick_seconds: float = 30
    first_pause_seconds: float = 0.5
    longest_pause_seconds: float = 15
    stop_seconds: float = 8


@dataclass
class Supervisor:
    """`say(name, line, is_ours)` gets each line of a child's, and what we have to say about it."""

    services: Sequence[Service]
    env: Mapping[str, str]
    say: Callable[[str, str, bool], None]
    patience: Patience = field(default_factory=Patience)
    ready: set[str] = field(default_factory=set)
    failed: bool = False

    def __post_init__(self) -> None:
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._stopping = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    async def run(self) -> bool:
        """Until `stop()`, or a vital child is given up. Whether all went well."""
        keepers = [asyncio.create_task(self._keep(service)) for service in self.services]
        await asyncio.gather(*keepers)
        self._stopping.set()
        if self._ending:
            await self._ending
        return not self.failed

    def pid(self, name: str) -> int | None:
        process = self._processes.get(name)
        return process.pid if process else None

    def stop(self) -> None:
        """Ask all to end; a second time: make them."""
        if self._stopping.is_set():
            for process in self._processes.values():
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            return
        self._stopping.set()
        self._ending = asyncio.create_task(self._end_all())

    async def _end_all(self) -> None:
        for last in (False, True):
            group = [s.name for s in self.services if s.last == last and s.name in self._processes]
            await asyncio.gather(*(self._end(name, self._processes[name]) for name in group))

    async def _end(self, name: str, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), self.patience.stop_seconds)
        except TimeoutError:
            self.say(name, f"did not end within {self.patience.stop_seconds:g} s: killed", True)
            with contextlib.suppress(ProcessLookupError):
                process.kill()

    async def _keep(self, service: Service) -> None:
        crashes = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once(service)
            if self._stopping.is_set():
                return
            how = f"ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
            if service.name not in self.ready:
                self.say(service.name, f"{how} before it was up", True)
                self._fail()
                return
            crashes = crashes + 1 if time.monotonic() - began < self.patience.quick_seconds else 1
            if crashes >= self.patience.quick_crashes:
                self._give_up(service, f"{how}, for the {crashes}th time in a row")
                return
            pause = min(
                self.patience.first_pause_seconds * 2 ** (crashes - 1), self.patience.longest_pause_seconds
            )
            self.say(service.name, f"{how}; started again in {pause:g} s", True)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    def _give_up(self, service: Service, why: str) -> None:
        if service.vital:
            self.say(service.name, f"{why}: given up, and everything with it", True)
            self._fail()
        else:
            self.failed = True
            self.say(service.name, f"{why}: given up; the others go on without it", True)

    def _fail(self) -> None:
        self.failed = True
        if not self._stopping.is_set():
            self.stop()

    async def _run_once(self, service: Service) -> int:
        try:
            process = await asyncio.create_subprocess_exec(
                *service.command,
                env=dict(self.env),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for us; we end them in order
            )
        except OSError as e:
            self.say(service.name, str(e), True)
            return 1
        self._processes[service.name] = process
        if self._stopping.is_set():  # asked to end while this one was being made
            process.terminate()
        relay = asyncio.create_task(self._relay(service.name, process))
        try:
            code = await process.wait()
        finally:
            del self._processes[service.name]
        with contextlib.suppress(TimeoutError):  # a grandchild may hold the pipe open
            await asyncio.wait_for(relay, 1)
        return code

    async def _relay(self, name: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout
        rest = b""
        while data := await process.stdout.read(MAX_LINE_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self.say(name, line.decode("utf-8", "replace").rstrip("\r"), False)
        if rest:
            self.say(name, rest.decode("utf-8", "replace"), False)
