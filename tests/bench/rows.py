"""What is measured: one function a row, one `Result` a figure.

CPU rows: half of each burst at concurrency 1, half at 16, kept connections; CPU time of the proxy process
over requests. Latency rows: 16 event streams of 240-byte events every 5 ms, p99 of all their one-way times.
The prompt of the "mix" is 200 KB, 20 a second. `bare` is mitmdump without any script, `stream` the same with
`response.stream = True`.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from tests.bench.candidates import Burst, Candidate, Stage, rss_mb

SHORT, LONG = 2_000, 200_000
# Prompts of a round that have nothing in common with any before.
COLD = 16
# Streams do not begin in step in real life either; in step, the requests alone would make up the slowest hundredth.
STAGGER_MS = 20.3


@dataclass(frozen=True)
class Effort:
    """How many rounds, and after how many seconds no more are begun (three there always are)."""

    rounds: int
    seconds: float


@dataclass(slots=True)
class Result:
    """`value` must not exceed `limit`. `spread` are the quartiles over rounds; `note` holds absolute
    figures."""

    row: str
    figure: str
    value: float
    limit: float
    unit: str
    spread: tuple[float, float]
    rounds: int
    note: str

    @property
    def passed(self) -> bool:
        return self.value <= self.limit


def show(result: Result) -> None:
    low, high = result.spread
    verdict = "PASS" if result.passed else "FAIL"
    value = f"{result.value:6.2f} {result.unit:2} (≤ {result.limit:g})"
    print(f"{verdict}  {result.figure:58} {value:22} [{low:.2f} … {high:.2f}] of {result.rounds:2}")
    print(f"      {result.note}", flush=True)


def result(row: str, figure: str, values: list[float], limit: float, note: str, *, unit: str = "×") -> Result:
    if len(values) > 1:
        low, _, high = statistics.quantiles(values, n=4)
    else:
        low = high = values[0]
    return Result(row, figure, statistics.median(values), limit, unit, (low, high), len(values), note)


def percentile(ordered: list[float], percent: float) -> float:
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def _rounds[T](
    stage: Stage, names: list[str], effort: Effort, once: Callable[[Candidate], T]
) -> list[dict[str, T]]:
    """Each candidate once a round, in turns first and last."""
    candidates = [stage.candidate(name) for name in names]
    found: list[dict[str, T]] = []
    begin = time.monotonic()
    for number in range(effort.rounds):
        if number >= 3 and time.monotonic() - begin > effort.seconds:
            break
        order = candidates if number % 2 == 0 else candidates[::-1]
        found.append({candidate.name: once(candidate) for candidate in order})
    return found


def _median(rounds: list[dict[str, float]], name: str) -> float:
    return statistics.median(r[name] for r in rounds)


def _cpu_ms(candidate: Candidate, size: int, prompts: int, **like: bool) -> float:
    used = candidate.burst(prompts=prompts // 2, concurrency=1, size=size, **like).cpu_seconds
    used += candidate.burst(prompts=prompts // 2, concurrency=16, size=size, **like).cpu_seconds
    return used / (prompts // 2 * 2) * 1000


def _cpu_rounds(stage: Stage, size: int, prompts: int, effort: Effort) -> tuple[list[dict[str, float]], str]:
    names = ["bare", "llmitm", "llmitm+web"]
    rounds = _rounds(stage, names, effort, lambda c: _cpu_ms(c, size, prompts))
    return rounds, "CPU ms: " + ", ".join(f"{name} {_median(rounds, name):.2f}" for name in names)


def json_short(stage: Stage, effort: Effort) -> Iterator[Result]:
    rounds, note = _cpu_rounds(stage, SHORT, 400, effort)
    off = [r["llmitm"] / r["bare"] for r in rounds]
    web = [r["llmitm+web"] / r["bare"] for r in rounds]
    yield result("json", "CPU per JSON request, 2 KB prompt", off, 0.85, note)
    yield result("json", "the same with mitmweb on", web, 1.0, note)


def json_long(stage: Stage, effort: Effort) -> Iterator[Result]:
    rounds, note = _cpu_rounds(stage, LONG, 120, effort)
    ratios = [r["llmitm"] / r["bare"] for r in rounds]
    web = statistics.median(r["llmitm+web"] / r["bare"] for r in rounds)
    yield result(
        "json-200k", "CPU per JSON request, 200 KB prompt", ratios, 1.2, f"mitmweb on {web:.2f} ×; {note}"
    )


def governed(stage: Stage, effort: Effort) -> Iterator[Result]:
    """An agent's history, sent again with a few new words: what was seen before is not looked at again."""
    rounds = _rounds(stage, ["bare", "llmitm", "llmitm+rules"], effort, lambda c: _cpu_ms(c, LONG, 120))
    note = "CPU ms: " + ", ".join(f"{name} {_median(rounds, name):.2f}" for name in rounds[0])
    ratios = [r["llmitm+rules"] / r["bare"] for r in rounds]
    yield result("governed", "the same with all detectors on, steady state", ratios, 1.5, note)


def governed_cold(stage: Stage, effort: Effort) -> Iterator[Result]:
    """Long histories that nobody has seen before."""
    rounds = _rounds(
        stage,
        ["bare", "llmitm", "llmitm+rules"],
        effort,
        lambda c: _cpu_ms(c, LONG, COLD, new_histories=True),
    )
    note = "CPU ms: " + ", ".join(f"{name} {_median(rounds, name):.2f}" for name in rounds[0])
    detectors = statistics.median(r["llmitm+rules"] - r["llmitm"] for r in rounds)
    more = [r["llmitm+rules"] - r["bare"] for r in rounds]
    figure = "a cold prompt of 200 KB, all detectors, beyond bare"
    yield result("governed-cold", figure, more, 5, f"the detectors alone {detectors:.2f}; {note}", unit="ms")


def first_byte(stage: Stage, effort: Effort) -> Iterator[Result]:
    def once(candidate: Candidate) -> float:
        return statistics.median(
            candidate.burst(streams=1, chunks=2, every_ms=1).first_byte_ms[0] for _ in range(40)
        )

    rounds = _rounds(stage, ["stream", "llmitm"], effort, once)
    added = [r["llmitm"] - r["stream"] for r in rounds]
    note = f"ms: stream {_median(rounds, 'stream'):.2f}, llmitm {_median(rounds, 'llmitm'):.2f}"
    yield result("first-byte", "SSE first byte, beyond bare stream=True", added, 1.0, note, unit="ms")


def _latency(stage: Stage, effort: Effort, row: str, figure: str, **mix: float) -> Result:
    def once(candidate: Candidate) -> Burst:
        return candidate.burst(streams=16, chunks=120, every_ms=5, stagger_ms=STAGGER_MS, **mix)

    bursts = _rounds(stage, ["stream", "llmitm"], effort, once)
    p99 = [{name: percentile(b.chunk_ms, 99) for name, b in r.items()} for r in bursts]
    p50 = [{name: percentile(b.chunk_ms, 50) for name, b in r.items()} for r in bursts]
    cpu = [{name: b.cpu_seconds / b.seconds * 100 for name, b in r.items()} for r in bursts]
    note = "; ".join(
        f"{name}: p99 {_median(p99, name):.2f} ms, p50 {_median(p50, name):.2f} ms, "
        f"core busy {_median(cpu, name):.0f} %"
        for name in ("stream", "llmitm")
    )
    return result(row, figure, [r["llmitm"] / r["stream"] for r in p99], 1.25, note)


def latency(stage: Stage, effort: Effort) -> Iterator[Result]:
    yield _latency(stage, effort, "latency", "SSE chunk latency p99, 16 streams")


def latency_mix(stage: Stage, effort: Effort) -> Iterator[Result]:
    figure = "the same while 200 KB prompts arrive"
    yield _latency(stage, effort, "latency-mix", figure, prompts_per_second=20, size=LONG)


def memory(stage: Stage, effort: Effort) -> Iterator[Result]:
    """A fresh proxy: the growth after its first 2,000 requests, whatever it is, is not warming up."""
    total = effort.rounds * 1_000
    with ExitStack() as stack:
        proxy = stage.start(stack, "llmitm+web", "memory")
        sizes = [rss_mb(proxy.pid)]
        for _ in range(total // 1_000):
            proxy.burst(prompts=1_000, concurrency=16, size=SHORT)
            sizes.append(rss_mb(proxy.pid))
    after = max(sizes[3:]) / sizes[2]
    shown = ", ".join(f"{sizes[i]:.0f}" for i in (0, 2, len(sizes) // 2, -1))
    note = f"RSS MB at 0, 2,000, {(len(sizes) // 2) * 1000:,}, {total:,}: {shown}"
    yield result("memory", f"memory after {total:,} requests / after 2,000, mitmweb on", [after], 1.05, note)


def not_the_bottleneck(stage: Stage, effort: Effort) -> Iterator[Result]:
    """How much of its core the load side needs to keep the fastest proxy busy, and how much it could do."""
    direct, proxied = stage.candidate("direct"), stage.candidate("llmitm")
    shares, faster = [], []
    for _ in range(effort.rounds):
        one = direct.burst(prompts=2_000, concurrency=16, size=SHORT)
        # The upstream's process is `direct`'s "proxy": its CPU time is what an exchange costs there.
        both = (one.cpu_seconds + one.load_cpu_seconds) / 2_000
        other = proxied.burst(prompts=400, concurrency=16, size=SHORT)
        shares.append(both * 400 / other.seconds)
        faster.append((2_000 / one.seconds) / (400 / other.seconds))
    note = f"direct does {statistics.median(faster):.0f} × the proxy's requests/s"
    yield result("direct", "load generator + provider, share of their core", shares, 0.5, note, unit="")


@dataclass(frozen=True)
class Row:
    """How a row is measured, in earnest and quickly. The whole takes less than eight minutes, or less than two."""

    measure: Callable[[Stage, Effort], Iterator[Result]]
    full: Effort
    quick: Effort


ROWS = {
    "direct": Row(not_the_bottleneck, Effort(8, 20), Effort(3, 5)),
    "json": Row(json_short, Effort(14, 70), Effort(5, 18)),
    "json-200k": Row(json_long, Effort(12, 60), Effort(5, 14)),
    "governed": Row(governed, Effort(10, 50), Effort(5, 14)),
    "governed-cold": Row(governed_cold, Effort(40, 90), Effort(8, 15)),
    "first-byte": Row(first_byte, Effort(16, 30), Effort(6, 8)),
    "latency": Row(latency, Effort(60, 110), Effort(8, 16)),
    "latency-mix": Row(latency_mix, Effort(60, 110), Effort(8, 16)),
    "memory": Row(memory, Effort(20, 60), Effort(8, 20)),
}
