"""Govern in a real browser, logged in: the queue from the keyboard, the editor, the kill switch; every size and colour scheme."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, Route, expect

from intelligence.policy import handed
from intelligence.policy.feeds import FeedError, Feeds
from intelligence.policy.load import PolicySet, load
from intelligence.policy.panic import panic_of
from intelligence.store import accounts, control, logins, opinions
from intelligence.store.opinions import Opinion
from intelligence.store.policy_history import digest
from tests.datasette_plugins import axe, governed_records, records
from tests.datasette_plugins.browser import Watched, base, browser, overflow, visit, watch  # noqa: F401
from tests.datasette_plugins.conftest import PASSWORD
from tests.datasette_plugins.governed_records import KEY_TEXT
from tests.datasette_plugins.hostile import MARKDOWN
from tests.rig.processes import Process, environment, process

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULE = """# yaml-language-server: $schema=policy.schema.json
rules:
  - id: no-gpt
    description: One model is not for us
    when: {model: gpt-5}
    action: block
    tests:
      - {given: {model: gpt-5}, expect: block}
  - id: daily
    when: {limit: {requests: 4, per: day, by: client}}
    action: alert
lists:
  bad: {kind: hosts, url: "https://feeds.example/hosts"}
"""
WRONG = f"it shrank; say in the policy file: sha256: {'ab' * 32}"
WHY = f"It asks for the system prompt. {MARKDOWN}"
PATHS = (
    "/-/decisions",
    "/-/decisions?show=decisions",
    "/-/decisions?state=all&kind=secret",
    "/-/policy",
    "/-/policy?file=templates/secrets.yaml",
    "/-/policy?rule=no-gpt",
    "/-/limits",
    "/-/audit",
    "/-/health",
)


@pytest.fixture(scope="module")
def dashboard(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    folder = tmp_path_factory.mktemp("govern")
    (folder / "policies" / "templates").mkdir(parents=True)
    (folder / "policies" / "rules.yaml").write_text(RULE)
    (folder / "policies" / "templates" / "secrets.yaml").write_text(
        RULE.replace("no-gpt", "t").replace("daily", "u")
    )
    settings = {"dashboard__port": 0, "dashboard__auth": "password", "policy__dir": str(folder / "policies")}
    with process(
        folder, "dashboard", ["-m", "datasette_plugins"], environment(folder, **settings)
    ) as started:
        _feed_that_fails(started.data_dir, load(folder / "policies"))
        yield started


def _feed_that_fails(data_dir: Path, policies: PolicySet) -> None:
    """Hand the set over, with what its feed brought before it began to fail."""
    says = iter([b"evil.example\n"])
    hours_ago = iter([2.5, 2.5, 0])

    def fetch(url: str) -> bytes:
        for found in says:
            return found
        raise FeedError(WRONG)

    feeds = Feeds(data_dir, fetch, lambda: time.time() - 3600 * next(hours_ago))
    feeds.want(policies.lists)
    assert feeds.look() and not feeds.look()
    handed.hand_over(data_dir, policies)


@pytest.fixture(scope="module")
def policies(dashboard: Process) -> Path:
    return dashboard.folder / "policies"


@pytest.fixture(scope="module")
def db(dashboard: Process) -> Iterator[sqlite3.Connection]:
    with closing(records.make(dashboard.data_dir)) as connection:
        for n in range(6):
            governed_records.add_detection(
                connection, dashboard.data_dir, seen=f"ghp_secret_{n}", type="github_pat"
            )
        governed_records.add_detection(connection, dashboard.data_dir)
        governed_records.add_detection(
            connection, dashboard.data_dir, seen=MARKDOWN, kind="injection", type="orders", rule="no-gpt"
        )
        ((doubted,),) = connection.execute("select id from detections where kind = 'injection'")
        opinions.store(
            connection, Opinion(doubted, time.time_ns() // 1_000_000, "attack", WHY, "claude", 0.001)
        )
        yield connection


@pytest.fixture(scope="module")
def tokens(dashboard: Process, db: sqlite3.Connection) -> dict[str, str]:
    with control.changing(dashboard.data_dir) as log:
        for role in reversed(accounts.ROLES):
            accounts.add(log, "test", role, role, PASSWORD)
    found = {role: logins.log_in(dashboard.data_dir, role, PASSWORD, "127.0.0.1") for role in accounts.ROLES}
    return {role: token for role, token in found.items() if token}


@pytest_asyncio.fixture(loop_scope="module")
async def open_page(browser: Browser, base: str, tokens: dict[str, str]) -> AsyncIterator[object]:
    """As `browser.open_page`, logged in as a role."""
    opened: list[Watched] = []

    async def open_page(path: str, role: str = "admin", size: str = "desktop", scheme: str = "light") -> Page:
        watched = await watch(browser, base, size, scheme)
        opened.append(watched)
        await _log_in(watched.page.context, base, tokens[role])
        return await visit(watched.page, base + path)

    yield open_page
    for watched in opened:
        assert watched.faults == [], watched.page.url
        await watched.page.context.close()


async def _log_in(context: BrowserContext, base: str, token: str) -> None:
    await context.add_cookies([{"name": "llmitm_session", "value": token, "url": base}])


async def test_the_queue_from_the_keyboard(open_page, dashboard: Process) -> None:
    page = await open_page("/-/decisions", "reviewer")
    await expect(page.locator(".item")).to_have_count(8)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(page.locator(".item").nth(1)).to_contain_text(KEY_TEXT)
    await page.keyboard.press("n")
    await expect(page.locator(".item")).to_have_count(7)
    assert [entry.kind for entry in handed.allowed_by_people(dashboard.data_dir)] == ["secret"]
    await expect(page.locator(".item").nth(1).locator("[data-step]")).to_be_focused()
    await page.keyboard.press("x")
    await expect(page.locator(".item")).to_have_count(6)
    await page.keyboard.press("a")
    await expect(page.locator(".item")).to_have_count(5)
    await page.get_by_label("State").select_option("done")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.locator(".item")).to_have_count(3)
    for said in ("allowed", "dismissed", "confirmed"):
        await expect(page.locator(f".said-{said}")).to_have_count(1)
    await page.locator(".item", has_text="allowed by").get_by_role("button", name="Reopen").click()
    await expect(page.locator(".item")).to_have_count(2)
    assert handed.allowed_by_people(dashboard.data_dir) == ()


async def test_several_are_dismissed_at_once(open_page) -> None:
    page = await open_page("/-/decisions?kind=secret", "reviewer")
    count = await page.locator(".item").count()
    await page.locator(".item input[type=checkbox]").nth(0).check()
    await page.locator(".item input[type=checkbox]").nth(1).check()
    await page.get_by_label("because").fill("from the tests")
    await page.locator(".bulk").get_by_role("button", name="Dismiss").click()
    await expect(page.locator(".item")).to_have_count(count - 2)


async def test_a_viewer_decides_nothing_and_sees_no_secret(open_page) -> None:
    page = await open_page("/-/decisions?state=all", "viewer")
    await expect(page.locator(".item")).to_have_count(8)
    await expect(page.get_by_role("button", name="Dismiss")).to_have_count(0)
    assert "ghp_secret" not in await page.content() and KEY_TEXT not in await page.content()
    page = await open_page("/-/policy", "viewer")
    await expect(page.locator("#text")).to_have_attribute("readonly", "")
    await expect(page.get_by_role("button", name="Save")).to_have_count(0)


async def test_hostile_words_are_words(open_page) -> None:
    page = await open_page("/-/decisions?state=all&kind=injection")
    await expect(page.locator(".item")).to_have_count(1)
    assert await page.title() != "owned"
    assert await page.locator("main script, main img, iframe, main style, main [onerror], base").count() == 0


async def test_what_claude_says_stands_beside_what_it_was_asked_about(open_page) -> None:
    for role in ("reviewer", "viewer"):
        page = await open_page("/-/decisions?state=all", role)
        said = page.locator(".item", has_text="injection").locator(".opinion")
        await expect(said).to_contain_text("Claude says attack: It asks for the system prompt. ")
        await expect(page.locator(".opinion")).to_have_count(1)
        # An opinion may quote what it judges: it is text too, and it decides nothing.
        assert await said.locator("a, img, script, iframe, style, h1").count() == 0
        assert await page.locator(".item", has_text="injection").get_attribute("data-said") == ""
    page = await open_page("/-/decisions?show=decisions&state=all")
    await expect(page.locator(".opinion")).to_have_count(0)


async def test_a_feed_that_fails_is_told_above_every_page(open_page) -> None:
    page = await open_page("/-/policy", "viewer")
    row = page.get_by_role("group", name="Lists").get_by_role("row", name="bad")
    await expect(row).to_contain_text("hosts1")
    await expect(row).to_contain_text("https://feeds.example/hosts")
    await expect(row).to_contain_text("not up to date it shrank")
    for path in ("/-/health", "/-/limits"):
        page = await open_page(path)
        await expect(page.locator("#problems .warning")).to_contain_text("The list bad is not up to date")


async def test_a_broken_edit_cannot_be_saved(open_page, policies: Path) -> None:
    page = await open_page("/-/policy")
    await expect(page.locator("#told")).to_contain_text("All is right: 2 rules, 1 example")
    broken = RULE.replace("action: block", "acton: block")
    await page.locator("#text").fill(broken)
    await expect(page.locator("#told")).to_contain_text("did you mean action")
    await expect(page.locator(".numbers .bad").first).to_be_visible()
    await expect(page.locator("#changed")).to_be_visible()
    form = {"do": "save", "file": "rules.yaml", "text": broken, "reason": "a slip", "was": digest(RULE)}
    response = await page.request.post(page.url, form=form)
    assert response.status == 400
    assert (policies / "rules.yaml").read_text() == RULE


async def test_saved_with_a_reason_and_rolled_back(open_page, policies: Path) -> None:
    page = await open_page("/-/policy?file=rules.yaml")
    await page.locator("#text").fill(RULE.replace("gpt-5", "gpt-6"))
    await expect(page.locator("#told")).to_contain_text("All is right")
    await page.locator("#changed summary").click()
    await expect(page.locator("#difference .plus").first).to_contain_text("gpt-6")
    await page.get_by_label("because").fill("another model")
    await page.get_by_role("button", name="Save").click()
    await expect(page.locator("#text")).to_have_value(RULE.replace("gpt-5", "gpt-6"))
    assert (policies / "rules.yaml").read_text() == RULE.replace("gpt-5", "gpt-6")
    await expect(page.locator("#history ~ .queue .item").first).to_contain_text("another model")
    await page.get_by_role("button", name="Back to before").first.click()
    await expect(page.locator("#text")).to_have_value(RULE)
    assert (policies / "rules.yaml").read_text() == RULE


async def test_keys_complete_by_the_schema(open_page) -> None:
    page = await open_page("/-/policy?file=fresh.yaml")
    text = page.locator("#text")
    await text.fill("rules:\n  - id: x\n    ")
    await text.press("End")
    await text.press_sequentially("act")
    await expect(page.locator("#completions [role=option]")).to_have_count(1)
    await text.press("Enter")
    await text.press_sequentially("blo")
    await expect(page.locator("#completions b")).to_have_text(["block"])
    await text.press("Tab")
    await expect(text).to_have_value("rules:\n  - id: x\n    action: block")
    await text.press("Enter")
    await text.press_sequentially("when: {detection: {ki")
    await expect(page.locator("#completions b")).to_have_text(["kind"])
    await text.press("Enter")
    await text.press_sequentially("pi")
    await expect(page.locator("#completions b")).to_have_text(["pii"])
    await text.press("Escape")
    await expect(page.locator("#completions")).to_be_hidden()


async def test_a_schema_that_comes_late_opens_no_list_anew(open_page) -> None:
    page = await open_page("/-/policy?file=fresh.yaml")
    late, asked = asyncio.Event(), 0

    async def held(route: Route) -> None:
        nonlocal asked
        asked += 1
        await late.wait()
        await route.continue_()

    schema = await page.locator("#editor").get_attribute("data-schema")
    await page.route(f"**{schema}", held)
    text = page.locator("#text")
    await text.fill("rules:\n  - id: x\n    ")
    await text.press("End")
    await text.press_sequentially("act")
    await text.evaluate("text => text.blur()")
    async with page.expect_response(f"**{schema}"):
        late.set()
    await text.press("End")
    assert asked == 1
    await expect(page.locator("#completions")).to_be_hidden()
    await text.press_sequentially("i")
    await expect(page.locator("#completions b")).to_have_text(["action"])


async def test_the_backtest_button(open_page) -> None:
    page = await open_page("/-/policy?file=rules.yaml")
    await page.get_by_role("button", name="Backtest").click()
    await expect(page.locator("#backtested")).to_contain_text("8 calls of 7 days: 8 would have been stopped")
    await expect(page.locator("#backtested a").first).to_be_visible()


async def test_who_is_logged_out_while_typing_is_told(
    browser: Browser, base: str, tokens: dict[str, str]
) -> None:
    context = await browser.new_context()
    await _log_in(context, base, tokens["admin"])
    page = await context.new_page()
    await visit(page, f"{base}/-/policy?file=rules.yaml")
    await expect(page.locator("#told")).to_contain_text("All is right")
    await context.clear_cookies()
    await page.locator("#text").press("Space")
    await expect(page.locator("#told")).to_contain_text("Copy the text before you leave")
    await page.get_by_role("button", name="Backtest").click()
    await expect(page.locator("#backtested")).to_contain_text("Copy the text before you leave")
    await expect(page.get_by_role("button", name="Backtest")).to_be_enabled()
    await context.close()


async def test_panic_and_release(open_page, dashboard: Process) -> None:
    other = await open_page("/", "viewer")
    page = await open_page("/-/health")
    await page.get_by_text("Kill switch…").click()
    await page.get_by_label("Why (clients are told)").fill("a key is out")
    await page.get_by_role("button", name="Throw the kill switch").click()
    await expect(page.locator("#problems .error").first).to_contain_text(
        "The kill switch is thrown, by admin"
    )
    await expect(other.locator("#problems")).to_contain_text("a key is out")
    panic = panic_of(dashboard.data_dir)
    assert panic and (panic.mode, panic.reason) == ("block", "a key is out")
    await page.get_by_label("Why").fill("revoked")
    await page.get_by_role("button", name="Release").click()
    await expect(page.locator("#problems")).not_to_contain_text("kill switch")
    await expect(other.locator("#problems")).not_to_contain_text("kill switch")
    assert panic_of(dashboard.data_dir) is None


async def test_in_every_size_and_accessible(browser: Browser, base: str, tokens: dict[str, str]) -> None:
    context = await browser.new_context(bypass_csp=True)
    await _log_in(context, base, tokens["admin"])
    page = await context.new_page()
    for path in PATHS:
        await visit(page, base + path)
        await axe.sound_in_every_look(page)
    await context.close()
