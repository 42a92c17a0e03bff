"""Hostile content and accessibility, judged by a real browser: nothing of it runs, loads, or leads away by itself."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.async_api import Browser, Page, expect

from tests.datasette_plugins import axe, records
from tests.datasette_plugins.browser import SIZES, browser, dashboard  # noqa: F401
from tests.datasette_plugins.hostile import MARKDOWN
from tests.rig.processes import Process

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def call_id(dashboard: Process) -> Iterator[str]:
    """A call that is hostile in every field, after one of the same conversation."""
    with closing(records.make(dashboard.data_dir)) as db:
        first = _add(db, [{"role": "user", "content": "hello"}])
        turns = [
            {"role": "user", "content": "hello"},
            {"role": "user", "content": MARKDOWN},
            {
                "role": "assistant",
                "content": MARKDOWN,
                "tool_calls": [
                    {"id": "t", "function": {"name": MARKDOWN[:200], "arguments": json.dumps([MARKDOWN])}}
                ],
            },
            {"role": "tool", "tool_call_id": "t", "content": MARKDOWN},
        ]
        second = _add(db, turns)
        db.execute("update requests set conversation_key = 'k' where id in (?, ?)", (first, second))
        for kind in ("pass_through", MARKDOWN):
            db.execute(
                "insert into events (at, kind, message, data) values (1790000000000, ?, ?, ?)",
                (kind, MARKDOWN, json.dumps({"host": MARKDOWN, "client_address": MARKDOWN})),
            )
        yield second


def _add(db: sqlite3.Connection, messages: list[dict[str, object]]) -> str:
    return records.add_call(
        db,
        request={"model": MARKDOWN, "messages": messages, MARKDOWN: MARKDOWN, "tools": [{"name": MARKDOWN}]},
        answer=[(n * 10, b"data: {}\n\n") for n in range(20)],
        state="error",
        error_type=MARKDOWN,
        error_message=MARKDOWN,
        text=MARKDOWN,
        reasoning=MARKDOWN,
        client=MARKDOWN,
        client_version=MARKDOWN,
        model=MARKDOWN,
        response_model=MARKDOWN,
        path=f"/{MARKDOWN}",
        headers=json.dumps([["user-agent", MARKDOWN], [MARKDOWN, MARKDOWN]]),
        tool_calls=json.dumps([{"id": "1", "name": MARKDOWN, "arguments": MARKDOWN}]),
    )


def paths(call_id: str) -> tuple[str, ...]:
    return (
        "/",
        f"/-/calls/{call_id}",
        f"/-/calls/{call_id}?view=written",
        "/-/health",
        f"/-/calls/{call_id}/copy/curl",
    )


async def test_nothing_runs_loads_or_leads_away(browser: Browser, dashboard: Process, call_id: str) -> None:
    base = f"http://{dashboard.status.addresses['dashboard']}"
    context = await browser.new_context()
    asked: list[str] = []
    await context.route("**/*", lambda route: (asked.append(route.request.url), route.continue_())[1])
    for path in paths(call_id):
        page = await context.new_page()
        faults: list[str] = []
        page.on("dialog", lambda d, faults=faults: faults.append(d.message))
        page.on("console", lambda m, faults=faults: faults.append(m.text) if m.type == "error" else None)
        await page.goto(base + path)
        await _open_all(page)
        assert await page.title() != "owned"
        assert page.url == base + path
        assert faults == [], path
        foreign = await page.evaluate(
            "document.querySelectorAll('main script:not([type$=json]), iframe, object, embed, main form, main style, '"
            " + 'base, meta[http-equiv]').length"
        )
        assert foreign == 0, path
        handlers = await page.evaluate(
            "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"
        )
        assert handlers == 0, path
        for link in await page.locator(".prose a").all():
            assert (await link.get_attribute("href") or "").startswith(("http://", "https://"))
            assert await link.get_attribute("rel") == "noopener noreferrer nofollow"
        await page.close()
    assert [url for url in asked if not url.startswith((base, "data:"))] == []
    await context.close()


async def _open_all(page: Page) -> None:
    await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")


async def test_accessible(browser: Browser, dashboard: Process, call_id: str) -> None:
    base = f"http://{dashboard.status.addresses['dashboard']}"
    context = await browser.new_context(bypass_csp=True)
    page = await context.new_page()
    for path in paths(call_id)[:-1]:
        await page.goto(base + path)
        await axe.sound_in_every_look(page)
    await context.close()


async def test_the_keyboard(browser: Browser, dashboard: Process, call_id: str) -> None:
    base = f"http://{dashboard.status.addresses['dashboard']}"
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(base)
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Keyboard")).to_be_hidden()
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    first = await page.locator("#call-rows tr").first.get_attribute("data-id")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/{first}")
    await page.keyboard.press("g")
    await page.keyboard.press("e")
    await page.wait_for_url("**/-/health")
    await context.close()


async def test_copied_to_the_clipboard(browser: Browser, dashboard: Process, call_id: str) -> None:
    base = f"http://{dashboard.status.addresses['dashboard']}"
    context = await browser.new_context()
    await context.grant_permissions(["clipboard-read", "clipboard-write"], origin=base)
    page = await context.new_page()
    await page.goto(f"{base}/-/calls/{call_id}")
    await page.get_by_role("link", name="Copy as curl").click()
    await expect(page.locator("#copied")).to_contain_text("Copied")
    assert (await page.evaluate("navigator.clipboard.readText()")).startswith("curl ")
    await context.close()
