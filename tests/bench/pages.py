"""`python -m tests.bench.pages FOLDER`: how long each page takes over a large record; exit code 1 when one is slow.

FOLDER is what `tests.bench.million` was given; it is only read. A dashboard of its own serves it. Each page is asked once to warm
up and then `TIMES` times, one request after the other; of these the medians are shown, on the clock and as CPU of the dashboard.
What the overview has read it keeps for a while, so each of its spans is asked in as many ways as there are, and then once more.

`--load N`: meanwhile N calls a second go through a journal and a worker into the record, which is copied beside FOLDER for it.
`--browser`: milliseconds until Chromium has loaded each page and shows its main part, the first time in a new context, instead.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from datasette_plugins.overview.asked import DIMENSIONS, SPANS
from intelligence.store.journal_writer import JournalWriter
from tests.bench.candidates import NICE, cpu_seconds
from tests.bench.store import Agent, record
from tests.rig.processes import Process, environment, process, worker_process

SERVER_MS, BROWSER_MS = 200, 1000
TIMES = 7
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]  # fmt: skip
LONGEST = "select id from sessions where requests <= 120 order by requests desc, last_at desc limit 1"
CALL = """select q.id from requests q join turns t on t.request = q.seq join sessions s on s.seq = t.session
    where s.id = ? order by q.seq desc limit 1"""
SEARCHES = {
    "newest calls": "",
    "common word": "function",
    "two common words": "the function",
    "rare word": "up_540",
    "phrase": '"retry logic"',
    "prefix": "retr*",
    "filters": "model:claude* state:error",
    "rare filter": "cost:>1 output:>500",
    "combination": "parser client:claude-code since:30d tokens:>1000",
}
TABLES = (
    "calls", "sessions_overview", "messages_text", "daily_cost", "requests", "responses", "messages", "sessions", "turns",
    "costs", "search_texts", "rollup_hourly",
)  # fmt: skip


@dataclass(frozen=True)
class Page:
    """`ways`: addresses that cost the same, asked in turn."""

    name: str
    ways: tuple[str, ...]
    again: bool = True

    def addresses(self) -> Iterator[str]:
        """The first is to warm up."""
        yield from self.ways
        if self.again:
            for n in range(TIMES + 1 - len(self.ways)):
                yield self.ways[n % len(self.ways)]


def pages(database: Path) -> list[Page]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
        (session,) = db.execute(LONGEST).fetchone()
        (call,) = db.execute(CALL, (session,)).fetchone()
    found = []
    for span in SPANS:
        ways = tuple(f"/?span={span}&by={by}" for by in DIMENSIONS)
        found += [Page(f"overview, {span}", ways, again=False), Page(f"overview, {span}, again", ways[:1])]
    for name, path in {
        "live": "/-/live",
        "sessions": "/-/sessions",
        "sessions, by model": "/-/sessions?model=claude-sonnet-4-5",
        "sessions, cost of $5": "/-/sessions?min_cost=5",
        "session of 120 turns": f"/-/sessions/{session}",
        "its tools": f"/-/sessions/{session}/tools",
        "its replay": f"/-/sessions/{session}/replay",
        "its last call": f"/-/calls/{call}",
        "health": "/-/health",
        "preferences": "/-/preferences",
        **{f"search, {name}": f"/-/search?q={quote(text)}" for name, text in SEARCHES.items()},
        "tables": "/traffic",
        **{f"table {name}": f"/traffic/{name}" for name in TABLES},
        "table calls, one model": "/traffic/calls?model__exact=claude-sonnet-4-5",
        "table search_texts, _search": "/traffic/search_texts?_search=function",
    }.items():
        found.append(Page(name, (path,)))
    return found


class Asking:
    """One connection to a dashboard."""

    def __init__(self, address: str, pid: int) -> None:
        self._http = http.client.HTTPConnection(address, timeout=60)
        self._pid = pid

    def __call__(self, path: str) -> tuple[float, float, int]:
        """Milliseconds on the clock and of CPU, and bytes. Raises `AssertionError` if there is no page."""
        begin, worked = time.monotonic(), cpu_seconds(self._pid)
        self._http.request("GET", path, headers={"accept": "text/html"})
        answer = self._http.getresponse()
        body = answer.read()
        assert answer.status == 200, f"{path}: {answer.status}"
        return 1000 * (time.monotonic() - begin), 1000 * (cpu_seconds(self._pid) - worked), len(body)


def serve_times(address: str, pid: int, asked: Sequence[Page]) -> bool:
    ask, good = Asking(address, pid), True
    print(f"{'':4}  {'page':32} {'wall':>8} {'worst':>8} {'CPU':>8}  ms    {'KB':>6}")
    for page in asked:
        try:
            _, *samples = [ask(path) for path in page.addresses()]
        except AssertionError as e:
            print(f"FAIL  {page.name:32} no page: {e}", flush=True)
            good = False
            continue
        wall = statistics.median(s[0] for s in samples)
        cpu = statistics.median(s[1] for s in samples)
        passed = wall <= SERVER_MS
        good &= passed
        worst, size = max(s[0] for s in samples), samples[-1][2] / 1000
        print(
            f"{'PASS' if passed else 'FAIL'}  {page.name:32} {wall:8.0f} {worst:8.0f} {cpu:8.0f}        {size:6.0f}",
            flush=True,
        )
    return good


def browser_times(address: str, asked: Sequence[Page]) -> bool:
    from playwright.sync_api import sync_playwright

    good = True
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        for page in asked:
            times = []
            for path in (*page.ways, *page.ways)[:3]:
                context = browser.new_context(viewport={"width": 1280, "height": 800})
                tab = context.new_page()
                tab.goto("about:blank")
                begin = time.monotonic()
                tab.goto(f"http://{address}{path}", wait_until="load")
                tab.locator("main, section.content").first.wait_for()
                times.append(1000 * (time.monotonic() - begin))
                context.close()
            passed = statistics.median(times) <= BROWSER_MS
            good &= passed
            print(
                f"{'PASS' if passed else 'FAIL'}  {page.name:32} {statistics.median(times):8.0f} ms",
                flush=True,
            )
        browser.close()
    return good


@contextmanager
def written(folder: Path, rate: int) -> Iterator[None]:
    """`rate` calls a second come into the record of `folder`, and a worker stores them."""
    stop = threading.Event()

    def write() -> None:
        journal = JournalWriter(folder / "data" / "journal")
        agents = [Agent(n, 3_000, 2_000, 800) for n in range(20)]
        begin, n = time.monotonic(), 0
        while not stop.is_set():
            if n % 500 == 0:
                agents = [Agent(n + k, 3_000, 2_000, 800) for k in range(20)]
            agent = agents[n % len(agents)]
            body = agent.body()
            record(journal, body, agent.answered()[0])
            n += 1
            time.sleep(max(0, begin + n / rate - time.monotonic()))
        journal.close()
        print(f"      {n / (time.monotonic() - begin):.1f} calls/s were written meanwhile")

    with worker_process(folder):
        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@contextmanager
def before_others() -> Iterator[None]:
    """What is started meanwhile, and we, come before other people's processes, where we may say so."""
    nice = os.getpriority(os.PRIO_PROCESS, 0)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, NICE)
    try:
        yield
    finally:
        with suppress(PermissionError):
            os.setpriority(os.PRIO_PROCESS, 0, nice)


def measure(folder: Path, database: Path, rate: int, only: str, *, browser: bool) -> bool:
    data = folder / "data"
    data.mkdir()
    if rate:
        shutil.copyfile(database, data / "traffic.db")
    else:
        (data / "traffic.db").symlink_to(database.absolute())
    asked = [page for page in pages(database) if only in page.name]

    def look() -> bool:
        env = environment(folder, dashboard__port=0)
        with (
            before_others(),
            process(folder, "dashboard", ["-m", "datasette_plugins"], env) as dashboard,
        ):
            return _times(dashboard, asked, browser=browser)

    if not rate:
        return look()
    with written(folder, rate):
        return look()


def _times(dashboard: Process, asked: Sequence[Page], *, browser: bool) -> bool:
    address = dashboard.status.addresses["dashboard"]
    Asking(address, dashboard.pid)("/-/preferences")  # what is loaded at the first page is no part of any
    return browser_times(address, asked) if browser else serve_times(address, dashboard.pid, asked)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.pages", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--load", type=int, default=0, metavar="N", help="write N calls a second meanwhile")
    parser.add_argument("--browser", action="store_true", help="times in a browser instead")
    parser.add_argument("--only", default="", metavar="TEXT", help="pages with this in their name")
    options = parser.parse_args()
    database = options.folder / "data" / "traffic.db"
    beside = options.folder.parent if options.load else None
    with tempfile.TemporaryDirectory(prefix="llmitm-pages-", dir=beside) as folder:
        good = measure(Path(folder), database, options.load, options.only, browser=options.browser)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
