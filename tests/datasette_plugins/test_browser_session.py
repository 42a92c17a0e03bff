"""Sessions in a real browser: found, read, walked through by keyboard, replayed, taken along; and nothing in them acts."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.datasette_plugins import axe
from tests.datasette_plugins.browser import SIZES, base, browser, dashboard, db, open_page, overflow  # noqa: F401
from tests.datasette_plugins.hostile import MARKDOWN
from tests.datasette_plugins.session_records import Talk, assistant, call, coding, result, user
from tests.intelligence.store.traffic import delta

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def long(db: sqlite3.Connection) -> str:
    """A session of 120 turns."""
    return coding(Talk(db, {"client": "codex", "user": "ada"}), 120, "Rewrite the lexer of the parser")[0]


@pytest.fixture(scope="module")
def forked(db: sqlite3.Connection) -> str:
    """One with an edit, a retry, a tool that failed, and a sub-agent; an answer of it streamed."""
    talk = Talk(db, {"client": "claude-code"})
    task = call("t", "Task", prompt="Find out how long the train takes")
    words = ["Fjo", "rds ", "and ", "rain."]
    first = talk.say([user("Plan a holiday")], "Where to?")
    history = [user("Plan a holiday"), assistant("Where to?")]
    answer = [(200.0 * n + 100, delta(word)) for n, word in enumerate(words)]
    talk.say([*history, user("Bergen")], "".join(words), answer=answer)
    talk.say([*history, user("Oslo")], "", state="error", error_type="overloaded", error_message="later")
    talk.say([*history, user("Oslo")], "I ask.", [task])
    talk.say([user("Find out how long the train takes")], "Seven hours.")
    talk.say([*history, user("Oslo"), assistant("I ask.", [task]), result("t", "Error: no time")], "Done.")
    return first


@pytest.fixture(scope="module")
def hostile(db: sqlite3.Connection) -> str:
    talk = Talk(db)
    columns = dict.fromkeys(
        ("client", "client_version", "user", "response_model", "error_message", "error_type"), MARKDOWN
    )
    calls = [call("h", MARKDOWN[:300], file_path=MARKDOWN, command=MARKDOWN, url=MARKDOWN)]
    answer = [(n * 5.0, delta(MARKDOWN)) for n in range(3)]
    first = talk.say([user(MARKDOWN)], MARKDOWN, calls, reasoning=MARKDOWN, answer=answer, **columns)
    history = [user(MARKDOWN), assistant(MARKDOWN, calls), result("h", MARKDOWN)]
    talk.say(history, MARKDOWN, state="error", **columns)
    return first


async def test_a_session_is_found_and_walked_through(open_page, long: str, forked: str) -> None:
    page = await open_page("/-/sessions")
    await expect(page.get_by_role("link", name="Sessions", exact=True)).to_have_attribute(
        "aria-current", "page"
    )
    await expect(page.locator(".sessions tbody tr")).to_have_count(3)
    await expect(page.get_by_text("sub-agent", exact=True)).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.type("LEXER")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**title=LEXER**")
    await expect(page.locator(".sessions tbody tr")).to_have_count(1)
    await page.get_by_role("heading", name="Sessions").click()
    await page.keyboard.press("j")
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"**/-/sessions/{long}")
    await expect(page.get_by_role("heading", name="Rewrite the lexer")).to_be_visible()
    await expect(page.locator("figure.chart canvas")).to_have_count(2)
    await expect(page.locator(".step")).to_have_count(50)
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await page.keyboard.press("k")
    await page.keyboard.press("j")
    await expect(page.get_by_role("link", name="Turn 2", exact=True)).to_be_focused()
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/-/calls/*")
    await page.keyboard.press("g")
    await page.keyboard.press("s")
    await page.wait_for_url("**/-/sessions")


async def test_to_a_turn_of_a_long_session(open_page, long: str) -> None:
    page = await open_page(f"/-/sessions/{long}")
    form = page.get_by_label("Pages of turns", exact=True)
    await form.get_by_label("Turn").fill("73")
    await form.get_by_role("button", name="Go").click()
    turn = page.get_by_role("link", name="Turn 73", exact=True)
    await expect(turn).to_be_in_viewport()
    await expect(turn).to_be_focused()
    await expect(page.get_by_text("Turns 51–100 of 120").first).to_be_visible()
    await page.get_by_role("link", name="Later").first.click()
    await expect(page.locator(".step")).to_have_count(20)
    await expect(page.get_by_text("The lexer dropped the last token.")).to_be_visible()


async def test_forks_results_and_sub_agents(open_page, forked: str) -> None:
    page = await open_page(f"/-/sessions/{forked}")
    await expect(page.locator("#t3")).to_contain_text("takes another way from turn 1")
    await expect(page.locator("#t4")).to_contain_text("asks again, after turn 3")
    await expect(page.locator("#t3")).to_contain_text("overloaded")
    await page.locator("#t4 summary").click()
    await expect(page.locator("#t4")).to_contain_text("Error: no time")
    await expect(page.locator("#t1 .across")).to_have_count(1)
    await page.locator("#t4").get_by_role("link", name="Find out how long").click()
    await page.get_by_role("link", name="Plan a holiday").click()
    await page.wait_for_url(f"**/{forked}")
    await page.get_by_role("link", name="Tools and files").click()
    row = page.locator(".tools tbody tr")
    await expect(row).to_contain_text("Task")
    await expect(row.locator(".bad")).to_have_text("1")
    await row.get_by_role("link", name="turn 4").click()
    await expect(page.get_by_role("link", name="Turn 4", exact=True)).to_be_focused()


async def test_replay(open_page, forked: str) -> None:
    page = await open_page(f"/-/sessions/{forked}/replay")
    stage = page.locator("#stage")
    await expect(stage).to_contain_text("Plan a holiday")
    await expect(stage).not_to_contain_text("Where to?")
    await page.get_by_role("button", name="Next").click()
    await expect(page.locator("#now")).to_contain_text("Turn 2")
    await expect(stage).to_contain_text("Where to?")
    await expect(stage).not_to_contain_text("Fjo")
    await page.get_by_label("Speed").select_option("16")
    await page.get_by_role("button", name="Play").click()
    await expect(stage).to_contain_text("Done.", timeout=15_000)
    await expect(stage).to_contain_text("Fjords and rain.")
    await expect(stage).to_contain_text("later")
    await expect(page.get_by_role("button", name="Play")).to_be_visible()  # it stopped at the end
    # Back to within the second answer: what came later is gone, what had come by then is there.
    total = await page.evaluate("document.getElementById('clock').textContent.split('/')[1].trim()")
    minutes, seconds = total.split(":")
    middle = round((2000 + 350) / ((int(minutes) * 60 + int(seconds)) * 1000) * 1000)
    await page.locator("#scrub").evaluate(
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')) }", str(middle)
    )
    await expect(stage).to_contain_text("Fjo")
    await expect(stage).not_to_contain_text("rain.")
    await expect(stage).not_to_contain_text("Oslo")
    await page.locator("#stage").focus()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Pause")).to_be_visible()
    await page.keyboard.press("Space")
    await expect(page.get_by_role("button", name="Play")).to_be_visible()


async def test_taken_along(open_page, long: str, tmp_path: Path) -> None:
    page = await open_page(f"/-/sessions/{long}")
    async with page.expect_download() as waiting:
        await page.get_by_role("link", name="JSONL").click()
    file = tmp_path / "session.jsonl"
    download = await waiting.value
    assert download.suggested_filename == f"session-{long}.jsonl"
    await download.save_as(file)
    lines = file.read_text("utf-8").splitlines()
    assert len(lines) == 120 and json.loads(lines[0])["id"] == long


PLACES = ("/-/sessions", "/-/sessions/{}", "/-/sessions/{}/tools", "/-/sessions/{}/replay")


async def test_every_size_and_accessible(open_page, long: str, forked: str, hostile: str) -> None:
    for place, session in [(p, s) for s in (forked, hostile, long) for p in PLACES]:
        if "{}" in place or session == long:
            page = await open_page(place.format(session), bypass_csp=True)
            if session == forked or "{}" not in place:
                await axe.sound_in_every_look(page)
                continue
            await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
            assert await axe.serious(page) == [], place
            for width, height in SIZES.values():
                await page.set_viewport_size({"width": width, "height": height})
                assert await overflow(page) <= 0, place


async def test_nothing_runs_loads_or_leads_away(open_page, base: str, hostile: str) -> None:
    for place in PLACES:
        page = await open_page(place.format(hostile))
        if place.endswith("replay"):
            await page.get_by_label("Speed").select_option("16")
            await page.get_by_role("button", name="Play").click()
            await expect(page.locator("#stage")).to_contain_text("<script>", timeout=10_000)
            await expect(page.get_by_role("button", name="Play")).to_be_visible()
        await page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
        await expect(page.locator("main")).to_contain_text("<script>")
        assert await page.title() != "owned" and page.url == base + place.format(hostile)
        foreign = "main script:not([type='application/json']), iframe, object, embed, main style, base, meta[http-equiv]"
        assert await page.locator(foreign).count() == 0, place
        forms = await page.evaluate(
            "[...document.querySelectorAll('main form')].map(f => new URL(f.action).origin)"
        )
        assert set(forms) <= {base}
        handlers = await page.evaluate(
            "[...document.querySelectorAll('*')].filter(e => [...e.attributes].some(a => a.name.startsWith('on'))).length"
        )
        assert handlers == 0, place
