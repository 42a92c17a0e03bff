"""The live page in a real browser: calls come, tick, end; one filters, pauses, goes on, comes back."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from intelligence.store.bodies import Piece, pack
from tests.datasette_plugins import axe, records
from tests.datasette_plugins.browser import SIZES, base, browser, dashboard, db, open_page, overflow  # noqa: F401

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROWS = "#call-rows tr"


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def empty(db: sqlite3.Connection) -> AsyncIterator[None]:
    yield
    db.execute("delete from requests")


def grow(db: sqlite3.Connection, call_id: str, *texts: str) -> None:
    """What the worker writes while an answer comes."""
    (seq,) = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
    pieces = [
        Piece(
            100_000 * (n + 1),
            b"data: "
            + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()
            + b"\n\n",
        )
        for n, text in enumerate(texts)
    ]
    db.execute("begin immediate")
    db.execute("replace into open_calls values (?, 0, ?, ?, ?, 0)", (seq, 900_000, len(texts), 100))
    db.execute("insert into open_chunks (request, data, arrivals) values (?, ?, ?)", (seq, *pack(pieces)))
    db.execute("commit")


def end(db: sqlite3.Connection, call_id: str, state: str = "complete") -> None:
    db.execute("begin immediate")
    db.execute("update requests set state = ? where id = ?", (state, call_id))
    db.execute(
        "update responses set output_tokens = 4321 where request = (select seq from requests where id = ?)",
        (call_id,),
    )
    db.execute("delete from open_calls")
    db.execute("delete from open_chunks")
    db.execute("commit")


def row_of(page: Page, call_id: str) -> Locator:
    return page.locator(f'tr[data-id="{call_id}"]')


async def test_an_empty_record_and_its_first_call(open_page, db: sqlite3.Connection) -> None:
    page = await open_page("/-/live")
    await expect(page.get_by_role("heading", name="No calls yet")).to_be_visible()
    await expect(page.get_by_text("llmitm exec -- claude")).to_be_visible()
    await expect(page.locator("#latest")).to_be_hidden()
    call_id = records.add_call(db)
    await expect(row_of(page, call_id)).to_contain_text("complete")
    await expect(page.locator("#start")).to_be_hidden()
    db.execute("delete from requests where id = ?", (call_id,))
    await expect(page.locator(ROWS)).to_have_count(0)  # forgotten calls leave open pages too


async def test_a_stream_ticks_and_ends(open_page, db: sqlite3.Connection) -> None:
    page = await open_page("/-/live")
    call_id = records.add_call(db, state="pending", status_code=200, output_tokens=None)
    row = row_of(page, call_id)
    await expect(row).to_contain_text("running")
    grow(db, call_id, "Because light", " is scattered")
    await expect(row).to_contain_text("Because light is scattered")
    await expect(row).to_contain_text("≈ 7")
    await expect(row).to_contain_text("2 pieces, 100 B")
    before = await row.locator('[data-f="duration"]').text_content()
    await expect(row.locator('[data-f="duration"]')).not_to_have_text(before)
    end(db, call_id)
    await expect(row).to_contain_text("complete")
    await expect(row).to_contain_text("4,321")
    await expect(row).not_to_contain_text("≈")
    await expect(row).not_to_contain_text("pieces")
    await row.click()
    await expect(page.get_by_role("heading", name="Answer")).to_be_visible()
    assert page.url.endswith(call_id)


async def test_filtering_as_one_types(open_page, db: sqlite3.Connection) -> None:
    page = await open_page("/-/live")
    haiku = records.add_call(db, response_model="claude-haiku", client="claude-code", text="ocean waves")
    failed = records.add_call(db, state="error", error_message="overloaded", response_model="gpt-5")
    await expect(page.locator(f"{ROWS}:visible")).to_have_count(2)
    field = page.get_by_label("Filter by model")
    for words in ("HAIKU", "claude-code ocean", "waves complete"):
        await field.fill(words)
        await expect(page.locator(f"{ROWS}:visible")).to_have_count(1)
        await expect(row_of(page, haiku)).to_be_visible()
    later = records.add_call(db, text="no such thing")
    await expect(row_of(page, later)).to_be_attached()
    await expect(row_of(page, later)).to_be_hidden()
    await field.fill("")
    await page.get_by_role("button", name="Errors 1").click()
    await expect(page.locator(f"{ROWS}:visible")).to_have_count(1)
    await expect(row_of(page, failed)).to_be_visible()
    await field.fill("ocean")
    await expect(page.get_by_text("No call here fits.")).to_be_visible()
    assert page.url.endswith("?state=error&q=ocean")
    await page.reload()
    await expect(page.get_by_text("No call here fits.")).to_be_visible()
    await page.get_by_role("button", name="Show all").click()
    await expect(page.locator(f"{ROWS}:visible")).to_have_count(3)
    assert page.url.endswith("/-/live")


async def test_the_keyboard_pauses_and_goes_through_the_calls(open_page, db: sqlite3.Connection) -> None:
    page = await open_page("/-/live")
    first = records.add_call(db, state="pending")
    await expect(row_of(page, first)).to_contain_text("running")
    await expect(page.locator(ROWS)).to_have_count(1)  # those of the test before have gone
    await page.keyboard.press("Space")
    await expect(page.locator("#counted")).to_have_text("Paused")
    newer = [records.add_call(db) for _ in range(3)]
    end(db, first)
    await expect(page.locator("#counted")).to_have_text("Paused · 3 new calls waiting")
    assert await page.locator(ROWS).count() == 1
    await expect(row_of(page, first)).to_contain_text("running")
    await page.keyboard.press("Space")
    await expect(page.locator(ROWS)).to_have_count(4)
    await expect(row_of(page, first)).to_contain_text("complete")
    await expect(page.locator("#counted")).to_have_text("")
    for key in "jjjk":
        await page.keyboard.press(key)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/{sorted(newer)[1]}")


async def test_a_burst_is_bounded_and_in_order(open_page, db: sqlite3.Connection) -> None:
    page = await open_page("/-/live")
    running = records.add_call(db, state="pending", status_code=200)
    await expect(row_of(page, running)).to_be_visible()
    for _ in range(6):
        db.execute("begin immediate")
        ids = [records.add_call(db, commit=False) for _ in range(50)]
        db.execute("commit")
    await expect(row_of(page, ids[-1])).to_be_attached()
    read = "[...document.querySelectorAll('#call-rows tr')].map(tr => tr.dataset.id)"
    near = await page.evaluate(read)
    await page.mouse.wheel(0, 400)
    await expect(page.locator(ROWS)).to_have_count(200)
    shown = await page.evaluate(read)
    assert len(set(shown)) == 200 and near == shown[: len(near)] and len(near) < 200
    assert shown == sorted(shown, reverse=True)
    assert shown[-1] == running, "one that runs stays"


async def hide(page: Page, hidden: bool) -> None:
    """As if one looked at another tab."""
    await page.evaluate(
        """hidden => {
            Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
            document.dispatchEvent(new Event('visibilitychange'));
        }""",
        hidden,
    )


async def test_coming_back_loses_and_doubles_nothing(open_page, db: sqlite3.Connection) -> None:
    page = await open_page("/-/live")
    ids = [records.add_call(db, state="pending")]
    await expect(page.locator(ROWS)).to_have_count(1)
    for _ in range(3):
        await hide(page, True)
        ids += [records.add_call(db) for _ in range(5)]
        await hide(page, False)
        await expect(page.locator(ROWS)).to_have_count(len(ids))
    shown = await page.evaluate("[...document.querySelectorAll('#call-rows tr')].map(tr => tr.dataset.id)")
    assert sorted(shown) == sorted(ids)
    await expect(page.locator("#missed")).to_be_hidden()


async def test_what_came_and_went_unseen_is_said(open_page, db: sqlite3.Connection) -> None:
    page = await open_page("/-/live")
    running = records.add_call(db, state="pending")
    await expect(page.locator(ROWS)).to_have_count(1)
    await hide(page, True)
    end(db, running)
    db.execute("begin immediate")
    for _ in range(230):
        records.add_call(db, commit=False)
    db.execute("commit")
    await hide(page, False)
    await expect(page.locator("#missed")).to_contain_text("30 calls came and ended while this page was away")
    await page.mouse.wheel(0, 400)
    await expect(page.locator(ROWS)).to_have_count(200)
    await expect(page.locator(ROWS).last).to_contain_text("complete")


async def test_every_size_and_accessible(open_page, db: sqlite3.Connection) -> None:
    for state in ("complete", "error", "aborted", "blocked", "interrupted", "pending"):
        hostile = records.HOSTILE if state == "error" else "plain"
        records.add_call(db, state=state, model="a-model-with-a-long-name-" * 4, client=hostile, text=hostile)
    call_id = records.add_call(db, state="pending", status_code=200, response_model=records.HOSTILE)
    grow(db, call_id, records.HOSTILE)
    page = await open_page("/-/live", bypass_csp=True)
    await expect(page.locator(ROWS)).to_have_count(7)
    await expect(row_of(page, call_id)).to_contain_text("1 piece")
    await axe.sound_in_every_look(page)
    assert await page.locator("img, main script, [onerror], [onload]").count() == 0
    assert await page.title() == "Live · llmitm"
