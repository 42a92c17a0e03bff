"""`python -m tests.bench.live`: what the live page costs and how late it is, each row PASS or FAIL; exit code 1 when one fails.

A suite (proxy, worker, dashboard) under event streams that begin at a fixed rate; one headless browser on the live page, and
nineteen more viewers that only read its event stream. A call's way is timed from its first frame in the journal
(`started_at`), and from its last, to the event a reader gets, and to the change of the page's DOM, which an observer there tells;
all clocks are this machine's. CPU is that of the dashboard process, of one core. Other work on the machine shows in every figure.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright

from tests.bench.candidates import cpu_seconds, stage
from tests.rig.processes import calls, environment, process, worker_process

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
PATH = "/-/live/events?calls=1&progress=1"
MARK = "--llmitm-bench"
VIEWERS = 19
CHUNKS, EVERY_MS = 20, 50

ROW = re.compile(rb'"id": "([^"]+)", "state": "(\w+)"')

OBSERVE = """() => {
  window.seen = { began: {}, ended: {}, away: {}, long: [] };
  const now = () => performance.timeOrigin + performance.now();
  const look = (tr) => {
    const { id, state } = tr.dataset;
    if (!id) return;
    window.seen.began[id] ??= now();
    if (state && state !== "pending") window.seen.ended[id] ??= now();
  };
  new MutationObserver((records) => {
    for (const r of records) {
      for (const node of r.addedNodes) if (node.dataset) look(node);
      for (const node of r.removedNodes) if (node.dataset) window.seen.away[node.dataset.id] = true;
      if (r.type === "attributes") look(r.target);
    }
  }).observe(document.getElementById("call-rows"), { childList: true, subtree: true, attributeFilter: ["data-state"] });
  // Not by counting frames: to ask for each would have the page draw more of them than it needs.
  const held = new PerformanceObserver((list) => window.seen.long.push(...list.getEntries().map((e) => e.duration)));
  held.observe({ type: "longtask" });
}"""


@dataclass
class Reader:
    """One who only reads, and connects again as a browser does. `began` and `ended`: when (Unix ms) calls were told of."""

    address: str
    bytes_read: int = 0
    began: dict[str, float] = field(default_factory=dict)
    ended: dict[str, float] = field(default_factory=dict)

    async def run(self) -> None:
        host, _, port = self.address.rpartition(":")
        while True:
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(f"GET {PATH} HTTP/1.1\r\nHost: {self.address}\r\n\r\n".encode())
            rest = b""
            while (data := await reader.read(1 << 16)) and not data.endswith(b"\r\n0\r\n\r\n"):
                self.bytes_read += len(data)
                rest = self._take(rest + data)
            writer.close()

    def _take(self, data: bytes) -> bytes:
        now, end = time.time() * 1000, 0
        for found in ROW.finditer(data):
            call_id, state, end = found[1].decode(), found[2], found.end()
            self.began.setdefault(call_id, now)
            if state != b"pending":
                self.ended.setdefault(call_id, now)
        return data[end:][-200:]


def p(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def show(figure: str, value: float, limit: float, unit: str, note: str = "") -> bool:
    passed = value <= limit
    print(
        f"{'PASS' if passed else 'FAIL'}  {figure:52} {value:7.2f} {unit} (≤ {limit:g})  {note}", flush=True
    )
    return passed


def ways(
    name: str,
    rows: list[dict[str, Any]],
    began: dict[str, float],
    ended: dict[str, float],
    away: Collection[str] = (),
) -> bool:
    """`away`: calls that went out of sight before they ended, behind so many newer ones."""
    starts = [began[r["id"]] - r["started_at"] for r in rows if r["id"] in began]
    ends = [ended[r["id"]] - r["started_at"] - r["duration_ms"] for r in rows if r["id"] in ended]
    missing = sum(r["id"] not in began or (r["id"] not in ended and r["id"] not in away) for r in rows)
    good = show(f"a call begins: journal → {name}, p95", p(starts, 95), 100, "ms", f"p50 {p(starts, 50):.0f}")
    good &= show(f"a call ends: journal → {name}, p95", p(ends, 95), 100, "ms", f"p50 {p(ends, 50):.0f}")
    return good & show(f"calls that never came to the {name}", missing, 0, "", f"of {len(rows)}")


async def measure(folder: Path, rate: int, seconds: int) -> bool:
    with stage(folder) as staged, ExitStack() as stack:
        proxy = staged.start(stack, "llmitm", "suite")
        here = folder / "suite"
        worker = stack.enter_context(worker_process(here))
        env = environment(here, dashboard__port=0)
        dashboard = stack.enter_context(process(here, "dashboard", ["-m", "datasette_plugins"], env))
        address = dashboard.status.addresses["dashboard"]
        # Warm, and the connections made.
        load = {"streams_per_second": rate, "chunks": CHUNKS, "every_ms": EVERY_MS}
        await asyncio.to_thread(proxy.burst, **load, seconds=3)
        readers = [Reader(address) for _ in range(VIEWERS)]
        reading = [asyncio.create_task(reader.run()) for reader in readers]
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=[*ARGUMENTS, MARK]
            )
            page = await browser.new_page()
            await page.goto(f"http://{address}/-/live")
            await page.locator("#call-rows tr").first.wait_for()
            await page.evaluate(OBSERVE)
            before = calls(here, "1")[-1]["started_at"]
            parts = {
                "dashboard": lambda: cpu_seconds(dashboard.pid),
                "worker": lambda: cpu_seconds(worker.pid),
                "browser": lambda: session_cpu(MARK),
                "proxy": lambda: cpu_seconds(proxy.pid),
                "load": lambda: cpu_seconds(proxy.generator.pid) + cpu_seconds(staged.provider.pid),
                "readers": time.process_time,
            }
            begin, before_cpu = time.monotonic(), {name: used() for name, used in parts.items()}
            await asyncio.to_thread(proxy.burst, **load, seconds=seconds)
            took = time.monotonic() - begin
            cores = {name: (used() - before_cpu[name]) / took for name, used in parts.items()}
            await asyncio.sleep(1)
            rows = calls(here, "started_at > ?", before)
            seen = await page.evaluate("window.seen")
            good = ways("event", rows, readers[0].began, readers[0].ended)
            good &= ways("DOM", rows, seen["began"], seen["ended"], seen["away"])
            good &= show(
                "CPU of the dashboard, 20 viewers",
                cores["dashboard"],
                0.5,
                "cores",
                f"{readers[0].bytes_read / 1e6:.1f} MB each",
            )
            others = ", ".join(f"{name} {used:.2f}" for name, used in list(cores.items())[1:])
            print(f"      cores of the others: {others}; of {len(os.sched_getaffinity(0))} there are")
            long = seen["long"]
            good &= show(
                "the page was held up, longest",
                max(long, default=0),
                200,
                "ms",
                f"over 50 ms: {len(long)} times",
            )
            await browser.close()
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    return good


def session_cpu(mark: str) -> float:
    """Of the processes in the session of the one with `mark` among its arguments."""
    pids = [int(f.name) for f in Path("/proc").glob("[0-9]*")]
    with suppress(OSError):
        first = next(pid for pid in pids if mark.encode() in Path(f"/proc/{pid}/cmdline").read_bytes())
        return sum(cpu_seconds(pid) for pid in pids if os.getsid(pid) == os.getsid(first))
    return 0.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.live", description=__doc__)
    parser.add_argument("--rate", type=int, default=50, help="calls per second")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    print(f"{options.rate} streams/s of {CHUNKS} events every {EVERY_MS} ms; 1 browser, {VIEWERS} readers")
    with tempfile.TemporaryDirectory(prefix="llmitm-live-") as folder:
        return 0 if asyncio.run(measure(Path(folder), options.rate, options.seconds)) else 1


if __name__ == "__main__":
    sys.exit(main())
