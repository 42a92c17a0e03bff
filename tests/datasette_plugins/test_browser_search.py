"""The search in a real browser: typed, narrowed, saved, gone through with the keyboard; hostile words are words."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from intelligence.store.search import PUT, ROLES
from tests.datasette_plugins import axe, records
from tests.datasette_plugins.browser import base, browser, dashboard, open_page, overflow  # noqa: F401
from tests.datasette_plugins.hostile import MARKDOWN
from tests.rig.processes import Process

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def calls(dashboard: Process) -> Iterator[list[str]]:
    """40 calls about a heron, one of them hostile in every word."""
    with closing(records.make(dashboard.data_dir)) as db:
        found = [_say(db, "user", f"Where does the heron number {n} live?", "plain-model") for n in range(39)]
        yield [*found, _say(db, "assistant", f"heron {MARKDOWN}", MARKDOWN)]


def _say(db: sqlite3.Connection, role: str, words: str, model: str) -> str:
    call_id = records.add_call(db, user="ada", text=words)
    (seq,) = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
    db.execute("update requests set model = ? where seq = ?", (model, seq))
    db.execute(PUT, (len(ROLES) * seq + ROLES.index(role), seq, role, words))
    db.execute(
        "insert into sessions (id, title, started_at, last_at, requests, last_request, scope) values (?, ?, 0, 0, 1, ?, x'')",
        (call_id, words, seq),
    )
    db.execute("insert into turns (request, session) values (?, (select max(seq) from sessions))", (seq,))
    return call_id


@pytest_asyncio.fixture(loop_scope="module")
async def page(open_page, calls: list[str]) -> AsyncIterator[Page]:
    yield await open_page("/-/search")


async def test_a_search_from_beginning_to_call(page: Page, calls: list[str]) -> None:
    box = page.get_by_role("searchbox")
    await expect(box).to_be_focused()
    await expect(page.get_by_text("Find what was said")).to_be_visible()
    await box.fill('heron "number 7"')
    await box.press("Enter")
    await expect(page.locator(".hit")).to_have_count(1)
    await expect(page.locator(".hit mark").first).to_have_text("heron")
    await expect(page.locator(".count")).to_have_text("1 result")
    assert page.url.endswith("/-/search?q=heron+%22number+7%22")
    await page.locator(".hit .go").click()
    await page.wait_for_url(f"**/-/calls/{calls[7]}")


async def test_narrowed_by_a_list_and_back(page: Page) -> None:
    await page.get_by_role("searchbox").fill("heron")
    await page.get_by_text("Filters", exact=True).click()
    await page.get_by_label("Model").select_option("plain-model")
    await page.get_by_label("Said by").select_option("user")
    await page.get_by_role("button", name="Add to the search").click()
    await expect(page.get_by_role("searchbox")).to_have_value("heron model:plain-model role:user")
    await expect(page.locator(".count")).to_have_text("39 results")
    await page.get_by_role("link", name="Take role:user away").click()
    await expect(page.get_by_role("searchbox")).to_have_value("heron model:plain-model")
    await page.get_by_role("link", name="More").click()
    await expect(page.locator(".hit")).to_have_count(14)
    await page.get_by_role("link", name="Best match").click()
    await expect(page.locator(".hit")).to_have_count(25)


async def test_a_slip_is_explained_under_the_box(page: Page) -> None:
    await page.get_by_role("searchbox").fill("modle:x")
    await page.get_by_role("searchbox").press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Was model: meant")
    await expect(page.get_by_role("searchbox")).to_have_value("modle:x")


async def test_saved_and_removed(page: Page) -> None:
    await page.get_by_role("searchbox").fill("heron -number")
    await page.get_by_role("searchbox").press("Enter")
    await page.get_by_text("Save this search").click()
    await page.get_by_label("Name of the search").fill("No numbers")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.goto(page.url.partition("?")[0])
    await page.get_by_role("link", name="No numbers").click()
    await expect(page.get_by_role("searchbox")).to_have_value("heron -number")
    await expect(page.locator(".hit")).to_have_count(1)
    await page.get_by_text("Remove saved ones").click()
    await page.get_by_role("button", name="Remove “No numbers”").click()
    await expect(page.get_by_role("link", name="No numbers")).to_have_count(0)


async def test_the_keyboard(open_page, calls: list[str]) -> None:
    page = await open_page("/-/health")
    await page.keyboard.press("/")
    await page.wait_for_url("**/-/search")
    page = await open_page("/-/health")
    await page.keyboard.press("g")
    await page.keyboard.press("f")
    await page.wait_for_url("**/-/search")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("heron role:user")
    await page.keyboard.press("Enter")
    await expect(page.locator(".hit")).to_have_count(25)
    for key in ("j", "j", "k"):
        await page.keyboard.press(key)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/-/calls/{calls[38]}")


async def test_hostile_words_are_words(open_page, calls: list[str]) -> None:
    for path in (
        "/-/search?q=heron+elsewhere",
        "/-/search?q=output%3E0",
        "/-/search?q=%3Cimg+src%3Dx+onerror%3Dalert(1)%3E",
    ):
        page = await open_page(path)
        if "img" not in path:
            await expect(page.locator("main")).to_contain_text("<script>")
        assert await page.title() != "owned"
        assert (
            await page.locator("main script, main img, iframe, main style, main [onerror], base").count() == 0
        )
    await expect(page.get_by_role("searchbox")).to_have_value("<img src=x onerror=alert(1)>")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_in_every_size(open_page, calls: list[str], size: str, scheme: str) -> None:
    for path in ("/-/search", "/-/search?q=heron", "/-/search?q=modle:x", f"/-/search?q={'w' * 300}"):
        page = await open_page(path, size, scheme)
        for summary in await page.locator("details > summary").all():
            await summary.click()
        assert await overflow(page) <= 0, path
    background = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(21, 23, 26)") == (scheme == "dark")


async def test_accessible(browser, base: str, calls: list[str]) -> None:
    context = await browser.new_context(bypass_csp=True)
    page = await context.new_page()
    for path in ("/-/search", "/-/search?q=heron+role:user", "/-/search?q=modle:x"):
        await page.goto(base + path)
        await axe.sound_in_every_look(page)
    await context.close()


async def test_an_address_is_all_one_sends(open_page, calls: list[str]) -> None:
    page = await open_page("/-/search?q=heron+role:user&sort=best")
    again = await open_page(re.sub(r"^https?://[^/]+", "", page.url))
    assert (
        await again.locator(".hit .go").all_inner_texts() == await page.locator(".hit .go").all_inner_texts()
    )
    await expect(again.locator(".hit")).to_have_count(25)
