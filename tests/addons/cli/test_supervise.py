"""Children are kept running, restarted after a crash, given up when it is hopeless, and ended in order."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from addons.cli.supervise import Patience, Service, Supervisor

QUICK = Patience(
    quick_crashes=3, quick_seconds=5, first_pause_seconds=0.01, longest_pause_seconds=0.02, stop_seconds=0.5
)
FOREVER = "print('here', flush=True); import time; time.sleep(60)"
STUBBORN = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + FOREVER


def python(name: str, code: str, **more) -> Service:
    return Service(name, [sys.executable, "-c", code], **more)


class Run:
    """A supervisor with its children, and what was said."""

    def __init__(self, *services: Service, patience: Patience = QUICK) -> None:
        self.said: list[tuple[str, str]] = []
        self.heard = asyncio.Condition()
        self.supervisor = Supervisor(services, os.environ, self._say, patience)
        self.task = asyncio.create_task(self.supervisor.run())

    def _say(self, name: str, line: str, is_ours: bool) -> None:
        self.said.append((name, line))

    async def until(self, name: str, part: str, times: int = 1) -> None:
        async with asyncio.timeout(20):
            while sum(part in line for said, line in self.said if said == name) < times:
                await asyncio.sleep(0.01)

    async def ended(self) -> bool:
        return await asyncio.wait_for(self.task, 20)


async def test_lines_are_passed_on_and_all_end_at_stop():
    run = Run(
        python("a", "print('héllo\\n\\nx' + 'y' * 200_000, flush=True);" + FOREVER), python("b", FOREVER)
    )
    await run.until("a", "here")
    await run.until("b", "here")
    pids = [run.supervisor.pid("a"), run.supervisor.pid("b")]
    run.supervisor.stop()
    assert await run.ended()
    assert [line for name, line in run.said if name == "a"][:2] == ["héllo", ""]
    assert sum(len(line) for name, line in run.said if name == "a") == 5 + 1 + 200_000 + 4
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_crashed_child_is_started_again():
    run = Run(python("a", FOREVER))
    await run.until("a", "here")
    run.supervisor.ready.add("a")
    os.kill(run.supervisor.pid("a"), signal.SIGKILL)
    await run.until("a", "ended by signal 9; started again in 0.01 s")
    await run.until("a", "here", times=2)
    run.supervisor.stop()
    assert await run.ended()


async def test_one_that_never_came_up_ends_everything():
    run = Run(python("a", "import sys; sys.exit('no such port')"), python("b", FOREVER))
    assert not await run.ended()
    assert [line for name, line in run.said if name == "a"] == [
        "no such port",
        "ended with exit code 1 before it was up",
    ]


@pytest.mark.parametrize("vital", [True, False])
async def test_repeated_quick_crashes_are_given_up(vital: bool):
    run = Run(python("a", "print('up', flush=True)", vital=vital), python("b", FOREVER))
    run.supervisor.ready |= {"a", "b"}
    await run.until("a", "given up")
    if not vital:
        await run.until("b", "here")
        assert run.supervisor.pid("b")
        run.supervisor.stop()
    assert not await run.ended()
    assert sum(line == "up" for _, line in run.said) == QUICK.quick_crashes


async def test_a_stubborn_child_is_killed():
    run = Run(python("a", STUBBORN))
    await run.until("a", "here")
    run.supervisor.stop()
    assert await run.ended()
    assert ("a", "did not end within 0.5 s: killed") in run.said


async def test_a_second_stop_kills_at_once():
    run = Run(python("a", STUBBORN), patience=Patience(stop_seconds=60))
    await run.until("a", "here")
    run.supervisor.stop()
    await asyncio.sleep(0)
    run.supervisor.stop()
    assert await run.ended()


async def test_the_last_ones_end_after_the_others(tmp_path: Path):
    def noting(name: str) -> str:
        return (
            "import signal, sys, time; from pathlib import Path\n"
            f"def end(*_): time.sleep(0.1); open({str(tmp_path / 'order')!r}, 'a').write({name!r}); sys.exit(0)\n"
            f"signal.signal(signal.SIGTERM, end); {FOREVER}"
        )

    run = Run(
        python("late", noting("late "), last=True), python("first", noting("first ")), patience=Patience()
    )
    await run.until("late", "here")
    await run.until("first", "here")
    run.supervisor.stop()
    assert await run.ended()
    assert (tmp_path / "order").read_text() == "first late "


async def test_stop_while_waiting_to_restart():
    patience = Patience(first_pause_seconds=60, longest_pause_seconds=60)
    run = Run(python("a", "print('up', flush=True)"), patience=patience)
    run.supervisor.ready.add("a")
    await run.until("a", "started again")
    run.supervisor.stop()
    assert await run.ended()
