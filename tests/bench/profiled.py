"""The proxy under cProfile: `python -m tests.bench.profiled OUT -- [options of python -m addons]`.

SIGUSR1 starts profiling, SIGUSR2 ends it and writes OUT; so start-up is left out.
"""

from __future__ import annotations

import cProfile
import runpy
import signal
import sys
from pathlib import Path
from types import FrameType


def launcher(out: Path) -> list[str]:
    """Arguments for Python; for `processes.proxy_process`."""
    return ["-m", "tests.bench.profiled", str(out), "--"]


def _main() -> None:
    out = Path(sys.argv[1])
    profile = cProfile.Profile()

    def begin(_number: int, _frame: FrameType | None) -> None:
        profile.enable()

    def end(_number: int, _frame: FrameType | None) -> None:
        profile.disable()
        draft = out.with_suffix(".new")
        profile.dump_stats(draft)
        draft.rename(out)

    signal.signal(signal.SIGUSR1, begin)
    signal.signal(signal.SIGUSR2, end)
    sys.argv[1:] = sys.argv[3:]
    runpy.run_module("addons", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _main()
