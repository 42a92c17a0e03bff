"""A real browser before a real dashboard process: what the tests of pages share. A module imports the fixtures it uses."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

from tests.datasette_plugins import records
from tests.rig.processes import Process, environment, process

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"desktop": (1360, 900), "phone": (390, 844)}


@dataclass
class Watched:
    """A page, and everything about it that should not be."""

    page: Page
    faults: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("dashboard")
    env = environment(folder, dashboard__port=0)
    with process(folder, "dashboard", ["-m", "datasette_plugins"], env) as started:
        yield started


@pytest.fixture(scope="module")
def db(dashboard: Process) -> Iterator[sqlite3.Connection]:
    with closing(records.make(dashboard.data_dir)) as connection:
        yield connection


@pytest.fixture(scope="module")
def base(dashboard: Process) -> str:
    return f"http://{dashboard.status.addresses['dashboard']}"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    executable = shutil.which("chromium")
    if executable is None and not os.environ.get("CI"):
        pytest.skip("chromium is not installed")
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser: Browser, base: str) -> AsyncIterator[object]:
    """Opens a path in a size and colour scheme. At the end no page may have had a fault."""
    opened: list[Watched] = []

    async def open_page(path: str, size: str = "desktop", scheme: str = "light", **more: Any) -> Page:
        """`more` is for the browser context."""
        watched = await watch(browser, base, size, scheme, **more)
        opened.append(watched)
        return await visit(watched.page, base + path)

    yield open_page
    for watched in opened:
        assert watched.faults == [], watched.page.url
        await watched.page.context.close()


async def watch(browser: Browser, base: str, size: str, scheme: str, **more: Any) -> Watched:
    """An empty page whose every fault is kept: what it says on the console, raises, asks in a dialog, or loads from elsewhere."""
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    context = await browser.new_context(viewport=viewport, color_scheme=scheme, **more)  # type: ignore[arg-type]
    watched = Watched(await context.new_page())
    page, faults = watched.page, watched.faults
    page.on("console", lambda m: faults.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda e: faults.append(str(e)))
    page.on("dialog", lambda d: faults.append(f"dialog {d.message}"))
    page.on("request", lambda r: None if r.url.startswith((base, "data:")) else faults.append(r.url))
    return watched


async def visit(page: Page, url: str) -> Page:
    response = await page.goto(url)
    assert response is not None and response.ok, f"{url}: {response and response.status}"
    return page


async def overflow(page: Page) -> int:
    """Pixels by which the page is wider than the window."""
    return await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
