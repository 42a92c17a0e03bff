"""Dashboard, worker and proxy are killed and started again while pages are open: each page says what happened, and recovers."""

from __future__ import annotations

import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, expect

from addons.cli import suite
from addons.offline.server import OfflineProvider, running
from tests.addons.cli.conftest import place_in, settings_for
from tests.datasette_plugins.browser import browser  # noqa: F401
from tests.rig.processes import Process, calls, environment, process

pytestmark = pytest.mark.asyncio(loop_scope="module")
MODULES = {"proxy": "addons", "worker": "intelligence", "dashboard": "datasette_plugins"}
LONG = 30_000  # ms; machines that run tests may be slow


class Suite:
    """The three processes in a folder, each of which can be killed and started again, at the address it had."""

    def __init__(self, folder: Path, settings: dict[str, Any], stack: ExitStack) -> None:
        self.folder = folder
        self._settings = settings
        self._stack = stack
        self.processes: dict[str, Process] = {}
        for name in MODULES:
            self.start(name)

    def start(self, name: str) -> None:
        env = environment(self.folder, **self._settings)
        self.processes[name] = self._stack.enter_context(
            process(self.folder, name, ["-m", MODULES[name]], env)
        )
        if name in ("proxy", "dashboard"):
            section, key = ("proxy", "listen_port") if name == "proxy" else ("dashboard", "port")
            self._settings[f"{section}__{key}"] = self.address(name).rpartition(":")[2]

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def address(self, name: str) -> str:
        return self.processes[name].status.addresses[name]

    async def ask(self, text: str) -> None:
        """One call through the proxy; `text` is its answer."""
        trusting = ssl.create_default_context(cafile=self.processes["proxy"].ca_file)
        proxy = f"http://{self.address('proxy')}"
        async with httpx.AsyncClient(proxy=proxy, verify=trusting, timeout=LONG / 1000) as http:
            message = {"role": "user", "content": f'[[offline: text="{text}"]]'}
            body = {"model": "gpt-5.4-mini", "messages": [message]}
            answer = await http.post("https://api.openai.com/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
def provider() -> Iterator[OfflineProvider]:
    with running() as provider:
        yield provider


async def told(pages: dict[str, Page], text: str, *, gone: bool = False) -> None:
    """All pages say it, or none says it any more."""
    for page in pages.values():
        banner = expect(page.locator("#problems"))
        await (banner.not_to_contain_text if gone else banner.to_contain_text)(text, timeout=LONG)


async def test_pages_outlive_the_processes(
    browser: Browser, provider: OfflineProvider, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        ours = Suite(tmp_path, settings_for(provider), stack)
        await ours.ask("the first")
        context = await browser.new_context()
        base = f"http://{ours.address('dashboard')}"
        live = await context.new_page()
        await live.goto(f"{base}/-/live")
        await expect(live.locator("#call-rows")).to_contain_text("the first", timeout=LONG)
        (first,) = calls(tmp_path)
        pages = {"live": live}
        for name, path in {"overview": "/", "call": f"/-/calls/{first['id']}"}.items():
            pages[name] = await context.new_page()
            await pages[name].goto(base + path)
        for page in pages.values():
            await expect(page.locator("#live")).to_have_text("live", timeout=LONG)
            assert await page.locator("#problems p").count() == 0

        ours.kill("dashboard")
        await told(pages, "The dashboard is not reachable, trying again")
        await ours.ask("while the dashboard was away")
        ours.start("dashboard")
        await told(pages, "up to date again")
        await told(pages, "The dashboard is not reachable", gone=True)
        for name in ("live", "overview"):
            rows = pages[name].locator("#call-rows")
            await expect(rows).to_contain_text("while the dashboard was away", timeout=LONG)
        await expect(live.locator("#call-rows tr")).to_have_count(2)

        ours.kill("worker")
        await ours.ask("while the worker was away")
        await told(pages, "The worker is not running since")
        await told(pages, "wait in the journal")
        ours.start("worker")
        await told(pages, "The worker is not running", gone=True)
        await told(pages, "up to date again", gone=True)  # long since
        await expect(live.locator("#call-rows")).to_contain_text("while the worker was away", timeout=LONG)
        await expect(live.locator("#call-rows tr")).to_have_count(3)

        ours.kill("proxy")
        await told(pages, "The proxy is not running since")
        ours.start("proxy")
        await told(pages, "The proxy is not running", gone=True)
        await ours.ask("after all that")
        await expect(live.locator("#call-rows")).to_contain_text("after all that", timeout=LONG)
        await expect(live.locator("#call-rows tr")).to_have_count(4)
        await context.close()


async def test_nothing_is_said_of_a_record_that_cannot_be_read(browser: Browser, tmp_path: Path) -> None:
    env = environment(tmp_path, dashboard__port=0)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "traffic.db").write_bytes(b"not a database, whatever its name says" * 100)
    with process(tmp_path, "dashboard", ["-m", "datasette_plugins"], env) as started:
        base = f"http://{started.status.addresses['dashboard']}"
        page = await browser.new_page()
        for path in ("/", "/-/live", "/-/sessions", "/-/search"):
            await page.goto(base + path)
            await expect(page.locator("#live")).to_have_text("live", timeout=LONG)
            await expect(page.locator("#problems")).to_contain_text("llmitm restore FILE")
            await expect(page.locator(".start:visible")).to_have_count(0)
        await page.close()


async def test_ctrl_c_waits_for_no_page(browser: Browser, provider: OfflineProvider, tmp_path: Path) -> None:
    place = place_in(tmp_path, **settings_for(provider))
    with place.start("up") as up:
        try:
            waited = place.llmitm("status", "--wait", "60")
            assert waited.returncode == 0, waited.stdout + waited.stderr
            base = suite.running(place.data_dir).dashboard_url
            context = await browser.new_context()
            for path in ("-/live", "", "-/health"):
                page = await context.new_page()
                await page.goto(base + path)
                await expect(page.locator("#live")).to_have_text("live", timeout=LONG)
            up.send_signal(signal.SIGINT)
            began = time.monotonic()
            assert up.wait(15) == 0
            print(f"stopped {time.monotonic() - began:.1f} s after Ctrl-C")
            assert "killed" not in (up.stdout.read() if up.stdout else "").replace("again kills", "")
            await context.close()
        finally:
            if up.poll() is None:
                up.kill()
