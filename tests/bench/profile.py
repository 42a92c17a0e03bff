"""Where the proxy's CPU goes under one row's load: cProfile inside the proxy process, top functions by own
time."""

from __future__ import annotations

import os
import pstats
import signal
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.bench.candidates import Candidate, stage
from tests.bench.profiled import launcher
from tests.bench.rows import LONG, SHORT

LOADS: dict[str, dict[str, float]] = {
    "json": {"prompts": 2_000, "concurrency": 16, "size": SHORT},
    "json-200k": {"prompts": 300, "concurrency": 16, "size": LONG},
    "governed": {"prompts": 300, "concurrency": 16, "size": LONG},
    "governed-cold": {"prompts": 60, "concurrency": 1, "size": LONG, "new_histories": True},
    "first-byte": {"streams": 100, "chunks": 2, "every_ms": 1},
    "latency": {"streams": 16, "chunks": 400, "every_ms": 10},
    "latency-mix": {"streams": 16, "chunks": 400, "every_ms": 10, "prompts_per_second": 20, "size": LONG},
}


def profile(row: str, *, web: bool, out: Path | None = None, lines: int = 45) -> None:
    """Prints the profile by own time and by cumulative time; keeps it in `out` for snakeviz and the like."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="llmitm-bench-"))
        s = stack.enter_context(stage(Path(folder)))
        found = out or Path(folder) / "profile.pstats"
        kind = "llmitm+rules" if row.startswith("governed") else "llmitm+web" if web else "llmitm"
        candidate = s.start(stack, kind, "profiled", launcher=launcher(found.absolute()))
        candidate.burst(prompts=100, concurrency=16, size=SHORT)
        _measure(candidate, LOADS[row], found)
        stats = pstats.Stats(str(found))
        stats.sort_stats("tottime").print_stats(lines)
        stats.sort_stats("cumulative").print_stats(lines)


def _measure(candidate: Candidate, load: dict[str, float], out: Path) -> None:
    out.unlink(missing_ok=True)
    os.kill(candidate.pid, signal.SIGUSR1)
    candidate.burst(**load)
    os.kill(candidate.pid, signal.SIGUSR2)
    while not out.exists():
        time.sleep(0.05)
