"""The overview in a real browser: what is counted and drawn, kept fresh without a reload, in every size and scheme."""

from __future__ import annotations

import sqlite3

import pytest
from playwright.async_api import Browser, expect

from intelligence.store import accounts, control
from tests.datasette_plugins import axe, records
from tests.datasette_plugins.browser import base, browser, dashboard, db, open_page, overflow  # noqa: F401
from tests.datasette_plugins.conftest import PASSWORD
from tests.datasette_plugins.overview.records import DAY, HOUR, add_call, add_session
from tests.rig.processes import environment, process

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def filled(db: sqlite3.Connection) -> sqlite3.Connection:
    """Two spans of 24 hours: twelve models, some of which fail, one with a hostile name, one with a very long one."""
    names = [*(f"model-{n}" for n in range(10)), records.HOSTILE, "a-model-with-a-very-long-name-" * 4]
    calls = []
    for n, model in enumerate(names):
        for age in (0, HOUR, 5 * HOUR, 26 * HOUR, 2 * DAY):
            call = add_call(
                db, age_ms=age, usd=1.0 + n, model=model, provider=f"provider-{n % 3}", client=model
            )
            calls.append(call)
        add_call(db, model=model, provider=f"provider-{n % 3}", state="error")
    add_session(db, "dearest", calls[:3], title=records.HOSTILE)
    add_session(db, "other", calls[10:12], title="Fix the build " * 20)
    return db


async def test_from_nothing_to_figures_without_a_reload(open_page, base: str, request) -> None:
    page = await open_page("/")
    await expect(page.get_by_role("heading", name="No calls yet")).to_be_visible()
    await expect(page.locator("#counted")).to_be_hidden()
    await page.evaluate("window.stayed = true")
    db = request.getfixturevalue("db")
    call = add_call(db, usd=2.0, text="the first")
    await expect(page.locator(f'#call-rows tr[data-id="{call}"]')).to_contain_text(
        "the first", timeout=10_000
    )
    await expect(page.locator('[data-name="requests"] .value')).to_have_text("1", timeout=15_000)
    await expect(page.get_by_role("heading", name="No calls yet")).to_be_hidden()
    await expect(page.locator("#requests canvas")).to_be_visible()
    await expect(page.locator("#breakdown-rows")).to_contain_text("gpt-5")

    summary = page.locator("#cost details summary")
    await summary.click()
    add_call(db, usd=3.0)
    await expect(page.locator('[data-name="cost"] .value')).to_have_text("$5.00", timeout=30_000)
    await expect(page.locator("#cost .says")).to_contain_text("$5.00")
    await expect(page.locator("#cost table")).to_contain_text("$5.00")
    assert await page.evaluate("window.stayed")


async def test_every_size_and_scheme(open_page, filled: sqlite3.Connection) -> None:
    page = await open_page("/?span=7d", bypass_csp=True)
    for chart in ("requests", "cost", "tokens", "duration", "ttft", "cache"):
        await expect(page.locator(f"#{chart} canvas")).to_be_attached()
    assert await overflow(page) <= 0
    await axe.sound_in_every_look(page)


async def test_a_chart_follows_the_scheme_and_the_window(open_page, filled: sqlite3.Connection) -> None:
    page = await open_page("/?span=7d")
    canvas = page.locator("#requests canvas")
    await expect(canvas).to_be_attached()
    drawn = "document.querySelector('#requests canvas').toDataURL()"
    light = await page.evaluate(drawn)
    await page.emulate_media(color_scheme="dark")
    await page.wait_for_function(f"(light) => {drawn} !== light", arg=light)
    wide = (await canvas.bounding_box())["width"]
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.wait_for_function(
        f"(wide) => document.querySelector('#requests canvas').clientWidth !== {wide}", arg=wide
    )
    assert await overflow(page) <= 0


async def test_the_pointer_tells_values(open_page, filled: sqlite3.Connection) -> None:
    page = await open_page("/?span=24h")
    plot = page.locator("#requests .u-over")
    await plot.hover(position={"x": 150, "y": 80})
    await expect(page.locator("#requests .tip")).to_contain_text("failed")
    await page.mouse.move(0, 0)
    await expect(page.locator("#requests .tip")).to_be_hidden()


async def test_from_all_calls_to_some(open_page, filled: sqlite3.Connection) -> None:
    page = await open_page("/?span=7d")
    visible = page.locator("#breakdown-rows tr:visible")
    await expect(visible).to_have_count(8)
    await page.get_by_role("button", name="Show all").click()
    await expect(page.locator("#breakdown-rows")).to_contain_text("model-9")
    assert await visible.count() > 8
    await page.get_by_role("link", name="Provider", exact=True).click()
    await page.wait_for_url("**/?span=7d&by=provider#breakdown")
    await expect(page.locator("#breakdown-rows")).to_contain_text("provider-2")
    await page.locator("#breakdown-rows").get_by_role("link", name="provider-1", exact=True).click()
    await page.wait_for_url("**provider=provider-1")
    await expect(page.locator(".chips")).to_contain_text("provider-1")
    await expect(visible).to_have_count(1)
    await page.get_by_role("link", name="24 h").click()
    await page.wait_for_url("**/?by=provider&provider=provider-1")
    await page.get_by_role("link", name="Any provider").click()
    await page.wait_for_url("**/?by=provider")
    await expect(page.locator(".chips")).to_have_count(0)


async def test_nothing_of_a_name_runs(open_page, filled: sqlite3.Connection) -> None:
    for path in ("/?span=7d", "/?span=7d&by=client"):
        page = await open_page(path)
        await page.get_by_role("button", name="Show all").click()
        await expect(page.locator("#breakdown-rows")).to_contain_text("<script>document.title")
        await expect(page.locator("#counted")).to_contain_text("onerror=")
        found = "img, main script:not([type=application\\/json]), [onerror], main a[href^='javascript']"
        assert await page.locator(found).count() == 0
        assert await page.title() == "Overview · llmitm"


async def test_the_bar_fits_a_phone_and_its_keys_lead_there(open_page, filled: sqlite3.Connection) -> None:
    page = await open_page("/-/health", "phone")
    assert await overflow(page) <= 0
    for name in ("Overview", "Live", "Sessions", "Search", "Health", "Tables", "SQL", "Preferences"):
        link = page.get_by_role("link", name=name, exact=True).first
        await link.scroll_into_view_if_needed()
        await expect(link).to_be_in_viewport()
    await page.keyboard.press("g")
    await page.keyboard.press("o")
    await page.wait_for_url("**/")
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_datasettes_own_pages_follow_the_scheme(
    open_page, filled: sqlite3.Connection, scheme: str
) -> None:
    for path in (
        "/traffic",
        "/traffic/calls?_size=5",
        "/traffic/requests/1",
        "/traffic/-/query?sql=select+1+as+one",
    ):
        page = await open_page(path, "desktop", scheme)
        colors = await page.evaluate(
            """[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector("h1")).color]"""
        )
        assert (colors == ["rgb(21, 23, 26)", "rgb(228, 229, 227)"]) == (scheme == "dark"), path


async def test_accounts_are_accessible(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The pages around log-in, which need a dashboard that asks for one."""
    folder = tmp_path_factory.mktemp("accounts")
    env = environment(folder, dashboard__port=0, dashboard__auth="password")
    with process(folder, "dashboard", ["-m", "datasette_plugins"], env) as started:
        with control.changing(started.data_dir) as accounts_db:
            accounts.add(accounts_db, "test", "ada", "admin", PASSWORD)
        base = f"http://{started.status.addresses['dashboard']}"
        context = await browser.new_context(bypass_csp=True)
        page = await context.new_page()
        await page.goto(base)
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        await axe.sound_in_every_look(page)
        await page.get_by_label("Name").fill("ada")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        for path in ("/-/users", "/-/preferences", "/-/audit"):
            await page.goto(base + path)
            await axe.sound_in_every_look(page)
        await context.close()
