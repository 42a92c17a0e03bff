from __future__ import annotations

import sqlite3
import time

import pytest

from datasette_plugins import dashboard
from datasette_plugins.overview import content
from datasette_plugins.overview.asked import DIMENSIONS, SPANS, Asked
from datasette_plugins.overview.page import LATEST_CALLS
from tests.datasette_plugins.conftest import Site
from tests.datasette_plugins.overview.records import DAY, HOUR, add_call, add_session
from tests.datasette_plugins.records import HOSTILE


async def test_an_empty_record_says_what_to_do(site: Site) -> None:
    for _ in range(2):
        page = (await site.get("/")).text
        for hint in ("llmitm exec -- claude", "llmitm demo", "$(llmitm env)", "llmitm doctor"):
            assert hint in page
        assert 'id="start" aria' in page
        assert 'id="counted" hidden' in page and 'id="latest" data-events' in page
        assert "<figure" not in page
        site.datasette.databases.pop("traffic", None)


async def test_everything_of_every_span(site: Site, db: sqlite3.Connection) -> None:
    calls = [add_call(db, usd=1.25, input_tokens=1000, model="gpt-5", user="ann") for _ in range(3)]
    add_call(db, age_ms=HOUR // 2, state="error", model="other", input_tokens=None, output_tokens=None)
    add_session(db, "one", calls, title="Fix the build")
    for span in SPANS:
        for by in DIMENSIONS:
            answer = await site.get(f"/?span={span}&by={by}")
            assert answer.status_code == 200
            page = answer.text
            assert page.count("<figure") == 6
            assert ">$3.75<" in page and ">25 %<" in page
            assert f'<h2 id="breakdown-title">By {by}</h2>' in page
            assert 'href="/-/sessions/one"' in page and "Fix the build" in page
            assert 'id="start" hidden' in page


async def test_the_latest_calls_are_few_and_links(site: Site, db: sqlite3.Connection) -> None:
    ids = [add_call(db, age_ms=1000 * (20 - n)) for n in range(20)]
    page = (await site.get("/")).text
    shown = [page.index(f'href="/-/calls/{call_id}"') for call_id in reversed(ids[-LATEST_CALLS:])]
    assert shown == sorted(shown)
    assert ids[-LATEST_CALLS - 1] not in page


async def test_calls_of_long_ago_are_no_first_visit(site: Site, db: sqlite3.Connection) -> None:
    add_call(db, age_ms=3 * DAY)
    page = (await site.get("/?span=1h")).text
    assert 'id="start" hidden' in page
    assert "No call has ended in the last hour." in page
    assert '<section class="trends" id="charts" aria-label="Charts, the last hour" hidden' in page


async def test_rows_lead_to_these_calls_alone(site: Site, db: sqlite3.Connection) -> None:
    add_call(db, client="a&b", usd=1.0)
    add_call(db, client=None, usd=7.0)
    page = (await site.get("/?by=client&span=1h")).text
    assert 'href="/?span=1h&amp;by=client&amp;client=a%26b"' in page
    assert 'href="/-/search?q=client%3Aa%26b+since%3A1h"' in page
    assert page.count('aria-label="Search calls') == 1  # what is unknown cannot be searched for
    alone = (await site.get("/?by=client&client=")).text.partition('<section id="latest"')[0]
    assert ">$7.00<" in alone and ">$8.00<" not in alone and ">$1.00<" not in alone
    assert "client <bdi>unknown</bdi>" in alone


async def test_open_items_have_counts_and_lead_there(site: Site, db: sqlite3.Connection) -> None:
    for _ in range(6):
        add_call(db)
        add_call(db, state="error")
    page = (await site.get("/")).text
    assert '<a href="/-/health">1 open problem</a>' in page  # no proxy runs here
    assert '<a href="#providers">1 provider fails</a>' in page
    assert '<a href="#breakdown">6 calls without a known price</a>' in page


async def test_hostile_names_are_text(site: Site, db: sqlite3.Connection) -> None:
    call_id = add_call(db, model=HOSTILE, provider=HOSTILE, client=HOSTILE, user=HOSTILE, usd=1.0)
    add_session(db, "one", [call_id], title=HOSTILE)
    page = (await site.get("/")).text
    assert "<script>document" not in page and "<img" not in page
    answer = await site.get("/", params={"model": HOSTILE.replace("\x00", "")})
    assert answer.status_code == 200 and "<script>document" not in answer.text


async def test_who_looks_together_shares_what_was_read(
    site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached = dashboard.here(site.datasette).traffic.attached(site.datasette)
    contents = content.Contents()
    add_call(db)
    first = await contents.of(attached, Asked())
    add_call(db)
    assert (await contents.of(attached, Asked())).figures is first.figures
    assert (await contents.of(attached, Asked("7d"))).requests == 2
    monkeypatch.setattr(content, "LEAST_SECONDS", 0)
    monkeypatch.setattr(content, "REST", 0)
    assert (await contents.of(attached, Asked())).requests == 2


async def test_slow_reading_rests_and_little_is_kept(
    site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached = dashboard.here(site.datasette).traffic.attached(site.datasette)
    monkeypatch.setattr(content, "LEAST_SECONDS", 0)
    monkeypatch.setattr(content, "KEPT", 3)
    contents = content.Contents()
    read = 0

    def slow(conn: sqlite3.Connection, asked: Asked, now_ms: int) -> None:
        nonlocal read
        read += 1
        time.sleep(0.05)

    monkeypatch.setattr(content, "read_span", slow)
    for _ in range(5):
        await contents.of(attached, Asked())
    assert read == 1
    for n in range(6):
        await contents.of(attached, Asked(where=(("user", str(n)),)))
    await contents.of(attached, Asked())
    assert read == 8
    assert len(contents._kept) == len(contents._reading) == 3
