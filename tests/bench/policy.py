"""`python -m tests.bench.policy [--rows ROW ...]`: what governing costs, each row PASS or FAIL; exit code 1 when one fails.

- `save`: a set of 200 rules is saved while 16 streams run through the proxy, with a worker beside it that reads and tries the
  set. In each round the same streams run without a save as well; the slowest chunk of the one is held against that of the
  other. A save that did not come into force while the streams ran is a failed row.
- `backtest`: `llmitm policy backtest` over 10,000 calls as `million` makes them, by the defaults and the templates but for those
  that stop most calls before the others are asked.
- `audit`: `llmitm audit verify` over a log of a million entries.

Seconds of the last two are CPU time: this machine may have others to serve. The time on the clock stands beside.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from intelligence.store import control
from intelligence.store.audit import _INSERT, _genesis, _mac, anchor, key_of
from tests.bench.candidates import Burst, Candidate, stage
from tests.bench.million import make
from tests.bench.rows import STAGGER_MS, Result, percentile, result, show
from tests.rig.processes import REPOSITORY, environment, worker_process

# As fast as models write; what is measured is a stall, not a proxy that has more to do than it can.
RULES, STREAMS, EVERY_MS = 200, 16, 25
SAVE_AFTER_SECONDS = 0.7
CALLS, ENTRIES = 10_000, 1_000_000
STOP_MOST = ("models", "residency", "working-hours")

KINDS = """
  - id: r@n-names
    action: redact
    when: {text: {matches: ["(?i)project @word@n", "@word-[0-9]{6,12}"], source: [user, tool_result]}}
    tests:
      - {given: {messages: [{role: user, content: "about project @word@n"}]}, expect: redact}
  - id: r@n-models
    action: block
    fail: closed
    when: {model: ["@word-@n*", "*-preview-@n"], not: {group: staff}}
    tests:
      - {given: {model: @word-@n-x}, expect: block}
  - id: r@n-tools
    action: block
    when: {tool: {name: "@word*", arguments: "(?i)drop +table +t@n"}}
  - id: r@n-rate
    action: throttle
    when: {client: "@word*", limit: {requests: 1@n, per: hour, by: [user, key]}}
"""
WORDS = ("aurora", "borealis", "cascade", "delta", "ember")


def rules(version: int) -> str:
    """A set of `RULES`; another version, another set."""
    made = [KINDS.replace("@word", WORDS[n % len(WORDS)]).replace("@n", str(n)) for n in range(RULES // 4)]
    return f"# {version}\ngroups: {{staff: [alice, 'b*']}}\nrules:" + "".join(made)


def save(folder: Path, seconds: int, rounds: int) -> Iterator[Result]:
    bursts: list[tuple[Burst, Burst]] = []
    took: list[float] = []
    with stage(folder) as staged, ExitStack() as stack:
        policies = folder / "suite" / "policies"
        policies.mkdir(parents=True)
        (policies / "rules.yaml").write_text(rules(0))
        proxy = staged.start(stack, "llmitm", "suite")
        stack.enter_context(worker_process(folder / "suite"))
        _streams(proxy, seconds)
        for n in range(1, rounds + 1):
            plain = _streams(proxy, seconds) if n % 2 else None
            changed, after = _saved(proxy, policies, n, seconds)
            bursts.append((plain or _streams(proxy, seconds), changed))
            took.append(after)
    added = [max(changed.chunk_ms) - max(plain.chunk_ms) for plain, changed in bursts]
    note = "; ".join(
        f"{name}: p50 {_median(one, 50):.2f} ms, p99 {_median(one, 99):.2f} ms, max {_median(one, 100):.2f} ms"
        for name, one in (("without", [a for a, _ in bursts]), ("with", [b for _, b in bursts]))
    )
    note += f"; in force after {statistics.median(took):.1f} s"
    figure = f"slowest chunk of {STREAMS} streams, added by a save of {RULES} rules"
    yield result("save", figure, added, 20, note, unit="ms")


def _streams(proxy: Candidate, seconds: int) -> Burst:
    chunks = seconds * 1000 // EVERY_MS
    return proxy.burst(streams=STREAMS, chunks=chunks, every_ms=EVERY_MS, stagger_ms=STAGGER_MS)


def _saved(proxy: Candidate, policies: Path, version: int, seconds: int) -> tuple[Burst, float]:
    """And after how many seconds the set was in force."""
    assert proxy.process
    log, path, took = proxy.process.log, policies / "rules.yaml", 0.0
    before = log().count("policy in force")

    def change() -> None:
        nonlocal took
        draft = path.with_suffix(".draft")
        draft.write_text(rules(version))
        begin = time.perf_counter()
        draft.rename(path)
        while time.perf_counter() - begin < seconds and log().count("policy in force") == before:
            time.sleep(0.05)
        took = time.perf_counter() - begin

    timer = threading.Timer(SAVE_AFTER_SECONDS, change)
    timer.start()
    burst = _streams(proxy, seconds)
    timer.join()
    assert took < seconds - SAVE_AFTER_SECONDS, "the save came into force after the streams"
    return burst, took


def _median(bursts: list[Burst], percent: float) -> float:
    return statistics.median(percentile(burst.chunk_ms, percent) for burst in bursts)


def backtest(folder: Path, calls: int) -> Iterator[Result]:
    folder.mkdir()
    make(folder, calls)
    shutil.copytree(REPOSITORY / "policies", folder / "policies")
    for template in (folder / "policies" / "templates").glob("*.yaml"):
        if template.stem in STOP_MOST:
            continue
        (folder / "policies" / template.name).write_text(f"include: templates/{template.name}\n")
    used, took, out = _llmitm(folder, "policy", "backtest", "--since", "3650d", "--json")
    report = json.loads(out)
    assert report["calls"] == calls, report["calls"]
    asked = len(report["rules"])
    decided = sum(sum(rule["actions"].values()) for rule in report["rules"])
    note = f"{asked} rules, {decided:,} decisions; {used / calls * 1000:.2f} ms a call; {took:.0f} s on the clock"
    yield result(
        "backtest", f"backtest of {calls:,} stored calls", [used], 60 * calls / CALLS, note, unit="s"
    )


def audit(folder: Path, entries: int) -> Iterator[Result]:
    write_log(folder / "data", entries)
    used, took, out = _llmitm(folder, "audit", "verify", "--json")
    report = json.loads(out)
    assert (report["entries"], report["faults"]) == (entries, []), report
    note = f"{entries / used:,.0f} entries/s; {took:.0f} s on the clock"
    yield result(
        "audit", f"audit verify of {entries:,} entries", [used], 60 * entries / ENTRIES, note, unit="s"
    )


def write_log(data_dir: Path, entries: int) -> None:
    """Such a chain as `audit.append` makes, an entry at a time, but written in one go."""
    control.prepare(data_dir)
    with control.changing(data_dir) as db:
        key = key_of(data_dir)
        previous = _genesis(db, key)

        def rows() -> Iterator[tuple[object, ...]]:
            nonlocal previous
            said = json.dumps(
                {"direction": "request", "reason": "no keys", "failed": None, "policy": "0" * 16}
            )
            for n in range(1, entries + 1):
                entry = (n, 1_780_000_000_000 + n, "rule no-keys", "decision.redact", f"{n:032x}", None, said)
                previous = _mac(key, previous, entry)
                yield (*entry, previous)

        db.executemany(_INSERT, rows())
        anchor(db)


def _llmitm(folder: Path, *arguments: str) -> tuple[float, float, str]:
    """Seconds of CPU, seconds on the clock, and what was printed."""
    begin, before = time.perf_counter(), _children_seconds()
    done = subprocess.run(
        [sys.executable, "-c", "from addons.cli import main; main()", *arguments],
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    took = time.perf_counter() - begin
    assert done.returncode == 0, done.stdout + done.stderr
    return _children_seconds() - before, took, done.stdout


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


ROWS: dict[str, Callable[[Path, bool], Iterator[Result]]] = {
    "save": lambda folder, quick: save(folder, 8, 3 if quick else 7),
    "backtest": lambda folder, quick: backtest(folder, CALLS // (10 if quick else 1)),
    "audit": lambda folder, quick: audit(folder, ENTRIES // (10 if quick else 1)),
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.policy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller loads")
    parser.add_argument("--rows", nargs="+", choices=list(ROWS), metavar="ROW", help=", ".join(ROWS))
    options = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory(prefix="llmitm-bench-policy-") as folder:
        for name in options.rows or ROWS:
            for one in ROWS[name](Path(folder) / name, options.quick):
                show(one)
                failed += not one.passed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
