"""The pages in a real browser, from a real dashboard process: what is seen, what runs, what is loaded."""

from __future__ import annotations

import json
import sqlite3

import pytest
from playwright.async_api import expect

from tests.datasette_plugins import records
from tests.datasette_plugins.browser import SIZES, base, browser, dashboard, db, open_page, overflow  # noqa: F401

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_first_visit(open_page, base: str) -> None:
    """Before the worker has made anything; then the first call arrives by itself."""
    page = await open_page("/")
    await expect(page.get_by_role("heading", name="No calls yet")).to_be_visible()
    await expect(page.get_by_text("llmitm exec -- claude")).to_be_visible()
    await expect(page.locator("#problems")).to_contain_text("The proxy is not running")
    await expect(page.locator("#live")).to_have_text("live")


async def test_calls_appear_and_change_while_one_looks(open_page, db: sqlite3.Connection) -> None:
    page = await open_page("/")
    await expect(page.locator("#live")).to_have_text("live")
    call_id = records.add_call(db, state="pending", client="claude-code")
    row = page.locator(f'tr[data-id="{call_id}"]')
    await expect(row).to_contain_text("running")
    await expect(row).to_contain_text("claude-code")
    await expect(page.locator("#start")).to_be_hidden()

    db.execute("update requests set state = 'complete' where id = ?", (call_id,))
    db.execute(
        "insert into responses (request, body_redacted, status_code, text, output_tokens, model) "
        "select seq, 0, 200, 'It is done.', 4321, 'gpt-5-2026' from requests where id = ?",
        (call_id,),
    )
    await expect(row).to_contain_text("complete")
    await expect(row).to_contain_text("It is done.")
    await expect(row).to_contain_text("4,321")

    newer = records.add_call(db)
    await expect(page.locator("#call-rows tr").first).to_have_attribute("data-id", newer)
    assert await page.locator("#call-rows tr").count() == 2

    await row.click()
    await expect(page.get_by_role("heading", name="Answer")).to_be_visible()
    assert page.url.endswith(call_id)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
async def test_pages_in_every_size(open_page, db: sqlite3.Connection, size: str, scheme: str) -> None:
    for state in ("complete", "error", "aborted", "blocked", "interrupted", "pending"):
        records.add_call(db, state=state, model="a-model-with-a-very-long-name-" * 4, response_model=None)
    call_id = records.add_call(
        db,
        request={
            "model": "gpt-5",
            "messages": [{"role": "user", "content": "word" * 2000}],
            "temperature": 1,
        },
        answer=[(n * 10, b"data: {}\n\n") for n in range(50)],
        tool_calls=json.dumps([{"id": "1", "name": "Bash", "arguments": '{"command": "' + "x" * 500 + '"}'}]),
    )
    page = await open_page("/", size, scheme)
    await expect(page.locator("#call-rows tr").first).to_be_visible()
    assert await overflow(page) <= 0
    page = await open_page(f"/-/calls/{call_id}", size, scheme)
    await expect(page.locator(".profile .line")).to_be_visible()
    for summary in await page.locator("details > summary").all():
        if await summary.is_visible():
            await summary.click()
    assert await overflow(page) <= 0
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(21, 23, 26)") == (scheme == "dark")


async def test_the_bar_shows_where_one_is_on_a_phone(open_page) -> None:
    for path in ("/", "/-/health", "/-/preferences"):
        page = await open_page(path, "phone")
        await expect(page.locator(".places [aria-current]")).to_be_in_viewport(ratio=1)


async def test_datasettes_own_pages(open_page, db: sqlite3.Connection) -> None:
    records.add_call(db)
    for path in ("/traffic", "/traffic/calls", "/traffic/requests/1", "/traffic/-/query?sql=select+1+as+one"):
        page = await open_page(path)
        await expect(page.get_by_role("link", name="Overview", exact=True)).to_be_visible()
        await expect(page.locator(".places [aria-current]")).to_have_text(
            "SQL" if "query" in path else "Tables"
        )


async def test_hostile_content_is_text(open_page, db: sqlite3.Connection) -> None:
    hostile = records.HOSTILE
    page = await open_page("/")
    await expect(page.locator("#live")).to_have_text("live")
    call_id = records.add_call(
        db,
        request={
            "model": hostile,
            "messages": [{"role": hostile, "content": hostile}],
            "tools": [{"type": "function", "function": {"name": hostile, "description": hostile}}],
            hostile: hostile,
        },
        state="error",
        error_type=hostile,
        error_message=hostile,
        text=hostile,
        reasoning=hostile,
        client=hostile,
        client_version=hostile,
        user=hostile,
        provider=hostile,
        model=hostile,
        response_model=hostile,
        finish_reason=hostile,
        path=f"/{hostile}",
        host=hostile,
        headers=json.dumps([[hostile, hostile]]),
        tool_calls=json.dumps([{"id": hostile, "name": hostile, "arguments": hostile}]),
        usage_raw=json.dumps({hostile: hostile}),
    )
    row = page.locator(f'tr[data-id="{call_id}"]')
    await expect(row).to_contain_text("<script>")
    for path in ("/", f"/-/calls/{call_id}", "/traffic/calls", "/traffic/responses"):
        page = await open_page(path)
        await expect(page.locator("body")).to_contain_text("<script>document.title")
        # Not one element that the text asks for, and none of its scripts ran.
        assert (
            await page.locator(
                "img, main script:not([type$=json]), [onerror], [onload], main a[href^='javascript']"
            ).count()
            == 0
        )
        assert await page.title() != "owned"
