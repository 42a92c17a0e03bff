"""`python -m tests.bench`: the rows of `rows`, each PASS or FAIL; exit code 1 when one fails."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from tests.bench.candidates import stage
from tests.bench.profile import LOADS, profile
from tests.bench.rows import ROWS, Result, show


def main() -> int:
    options = _options()
    if options.profile:
        profile(options.profile, web=options.web, out=options.out)
        return 0
    if len(os.sched_getaffinity(0)) < 2:
        print("Only one core: the load generator takes from the proxy's, so latencies say little.")
    print(
        f"llmitm against mitmdump {version('mitmproxy')}, Python {platform.python_version()}.\n"
        "Values are ratios within a round, medians over rounds [quartiles].\n"
        "Absolute times are this machine's, at this moment."
    )
    begin = time.monotonic()
    results: list[Result] = []
    with tempfile.TemporaryDirectory(prefix="llmitm-bench-") as folder, stage(Path(folder)) as s:
        for name in options.rows or ROWS:
            row = ROWS[name]
            for result in row.measure(s, row.quick if options.quick else row.full):
                results.append(result)
                show(result)
    failed = [r.figure for r in results if not r.passed]
    print(f"\n{len(results) - len(failed)} PASS, {len(failed)} FAIL in {time.monotonic() - begin:.0f} s")
    if options.json:
        options.json.write_text(json.dumps([asdict(r) | {"passed": r.passed} for r in results], indent=1))
    return 1 if failed else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under two minutes")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the results here")
    parser.add_argument(
        "--profile", choices=list(LOADS), metavar="ROW", help="profile the proxy under this row's load"
    )
    parser.add_argument("--web", action="store_true", help="with --profile: mitmweb on")
    parser.add_argument("--out", type=Path, metavar="FILE", help="with --profile: keep the profile here")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
