"""Datasette's own pages in our frame, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from playwright.async_api import expect

from tests.datasette_plugins import records
from tests.datasette_plugins.browser import base, browser, dashboard, open_page, overflow  # noqa: F401
from tests.datasette_plugins.hostile import MARKDOWN
from tests.rig.processes import Process

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Of the card that a row is on a phone: its ground, and how far the names of columns stand out of it.
STACKED = """() => {
  const row = document.querySelector(".rows-and-columns tbody tr"), cell = row.querySelector("td");
  return [getComputedStyle(row).backgroundColor, getComputedStyle(cell, "::before").marginLeft];
}"""


@pytest.fixture(scope="module")
def call_id(dashboard: Process) -> Iterator[str]:
    with closing(records.make(dashboard.data_dir)) as db:
        records.add_call(
            db, text=MARKDOWN, error_message=MARKDOWN, client=MARKDOWN, usage_raw=f'["{MARKDOWN}"]'
        )
        db.execute("insert into search_texts values (4, 1, 'user', 'the heron')")
        yield records.add_call(
            db, state="error", error_message="slow down", usage_raw='{"a": {"b": 1}, "c": [2]}'
        )


async def test_from_a_question_to_a_call(open_page, call_id: str) -> None:
    page = await open_page("/traffic")
    await page.get_by_role("link", name="The dearest calls").scroll_into_view_if_needed()
    await page.get_by_role("link", name="The latest calls that failed").click()
    await expect(page.locator("table")).to_contain_text("slow down")
    page = await open_page("/traffic/calls")
    await page.get_by_role("link", name=call_id).click()
    await page.wait_for_url(f"**/-/calls/{call_id}")


async def test_all_columns_and_what_is_folded(open_page, call_id: str) -> None:
    page = await open_page("/traffic/calls")
    await expect(page.locator("th", has_text="usage_raw")).to_have_count(0)
    await page.get_by_role("link", name="Show all columns").click()
    await expect(page.locator("th", has_text="usage_raw")).to_have_count(1)
    cell = page.locator("details.cell", has_text="2 members: a, c")
    await cell.locator("summary").click()
    await expect(cell.locator("pre")).to_be_visible()


async def test_words_are_searched_in_the_texts(open_page, call_id: str) -> None:
    page = await open_page("/traffic/search_texts")
    await page.locator("input[name=_search]").fill("heron")
    await page.locator("input[name=_search]").press("Enter")
    await expect(page.locator("table")).to_contain_text("the heron")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
async def test_in_every_size(open_page, call_id: str, size: str, scheme: str) -> None:
    for path in (
        "/traffic",
        "/traffic/calls",
        "/traffic/requests/1",
        "/traffic/-/query?sql=select+id,text+from+calls",
    ):
        page = await open_page(path, size, scheme)
        await expect(page.get_by_role("link", name="Search", exact=True)).to_be_visible()
        assert await page.title() != "owned"
        assert await page.locator("section.content :is(img, iframe, [onerror])").count() == 0
        if size == "phone":
            assert await overflow(page) <= 0, path
            if await page.locator(".rows-and-columns").count():
                assert await page.evaluate(STACKED) == [
                    {"light": "rgb(255, 255, 255)", "dark": "rgb(27, 30, 34)"}[scheme],
                    "0px",
                ], path
