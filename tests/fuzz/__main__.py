"""Every target in turn, so many seconds each; a table of seconds, executions and finds. Exit status 1 when there are finds.

    python -m tests.fuzz [--seconds 120] [TARGET ...]

An input that breaks a promise, takes more than ten seconds or a gigabyte is kept in tests/intelligence/wire/fixtures/finds/,
where the ordinary tests try it from then on. libFuzzer stops a target at its first find: mend, then run it again.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

FINDS = Path(__file__).parents[1] / "intelligence" / "wire" / "fixtures" / "finds"


def fuzz(name: str, seconds: int, *, max_len: int = 16384) -> tuple[float, int, list[Path]]:
    """Seconds taken, executions, and the finds."""
    FINDS.mkdir(parents=True, exist_ok=True)
    before = set(FINDS.iterdir())
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(seeds(name)):
            Path(folder, f"seed-{number}").write_bytes(seed)
        options = f"-max_total_time={seconds} -max_len={max_len} -timeout=10 -rss_limit_mb=1024 -print_final_stats=1"
        start = time.monotonic()
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.fuzz.one",
                name,
                *options.split(),
                f"-artifact_prefix={FINDS}/{name}.",
                folder,
            ],
            capture_output=True,
            text=True,
            errors="replace",
        )
        took = time.monotonic() - start
    finds = sorted(set(FINDS.iterdir()) - before)
    executed = re.search(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    if done.returncode or executed is None:
        print(done.stdout[-3000:] + done.stderr[-3000:])
    return took, int(executed[1]) if executed else 0, finds


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    failed = 0
    for name in asked.targets or TARGETS:
        took, executed, finds = fuzz(name, asked.seconds)
        failed += bool(finds) or not executed
        found = (
            "  ".join(["FOUND", *(path.name for path in finds)])
            if finds
            else "ok"
            if executed
            else "did not run"
        )
        print(f"{name:28} {took:6.0f} s {executed:10,} executions  {found}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
