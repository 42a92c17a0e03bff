from __future__ import annotations

import sqlite3

from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site


async def test_an_empty_record_says_what_to_do(site: Site) -> None:
    page = (await site.get("/")).text
    for hint in ("llmitm exec -- claude", "llmitm demo", "eval &#34;$(llmitm env)&#34;", "llmitm doctor"):
        assert hint in page or hint.replace("&#34;", '"') in page
    assert 'id="start" aria' in page
    assert 'id="latest" hidden' in page


async def test_calls_and_counts(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, text="Rayleigh scattering.", input_tokens=12345)
    page = (await site.get("/")).text
    assert f'href="/-/calls/{call_id}"' in page
    assert "Rayleigh scattering." in page
    assert ">12,345<" in page
    assert ">12.3k<" in page
    assert 'id="start" hidden' in page


async def test_the_span_is_of_the_counts(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db, started_at=1_600_000_000_000)
    assert '<dd data-f="calls">0</dd>' in (await site.get("/")).text
    page = (await site.get("/?span=all")).text
    assert '<dd data-f="calls">1</dd>' in page
    assert 'data-events="/-/live/events?calls=1&amp;span=all&amp;after=' in page


async def test_the_latest_come_first_and_are_limited(site: Site, db: sqlite3.Connection) -> None:
    now = 1_790_000_000_000
    ids = [records.add_call(db, started_at=now + n) for n in range(60)]
    page = (await site.get("/")).text
    shown = [page.index(call_id) for call_id in reversed(ids[-50:])]
    assert shown == sorted(shown)
    assert ids[9] not in page


async def test_a_problem_is_on_every_page(site: Site, db: sqlite3.Connection) -> None:
    for path in ("/", "/traffic", "/traffic/calls", "/nowhere"):
        assert "The proxy is not running" in (await site.get(path)).text, path
