from __future__ import annotations

import sqlite3

from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site, as_user

DARK = {"theme": "dark", "density": "compact", "time_zone": "Asia/Tokyo", "start": "/-/health"}


async def test_they_are_in_force_on_every_page(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, text="hello")
    before = (await site.get(f"/-/calls/{call_id}")).text
    assert 'media="(prefers-color-scheme: dark)"' in before
    assert (await site.ask("POST", "/-/preferences", data=DARK)).status_code == 303
    page = (await site.get(f"/-/calls/{call_id}")).text
    assert 'content="dark"' in page and "prefers-color-scheme" not in page and "dark.css" in page
    assert 'data-density="compact"' in page and 'data-zone="Asia/Tokyo"' in page
    assert "+09:00" in page
    assert 'class="brand" href="/-/health"' in page
    await site.ask("POST", "/-/preferences", data=DARK | {"theme": "light"})
    assert "dark.css" not in (await site.get("/")).text


async def test_each_person_has_their_own(locked: Site, tokens: dict[str, str]) -> None:
    await locked.ask("POST", "/-/preferences", headers=as_user(tokens["viewer"]), data=DARK)
    assert 'data-density="compact"' in (await locked.get("/", headers=as_user(tokens["viewer"]))).text
    assert 'data-density="comfortable"' in (await locked.get("/", headers=as_user(tokens["admin"]))).text


async def test_what_there_is_not(site: Site) -> None:
    for wrong in ({"theme": "pink"}, {"time_zone": "<script>"}, {"start": "//evil.example"}):
        answer = await site.ask("POST", "/-/preferences", data=DARK | wrong)
        assert answer.status_code == 400 and 'role="alert"' in answer.text and "<script>" not in answer.text


async def test_a_lost_control_db_shows_pages_all_the_same(site: Site) -> None:
    for path in site.data_dir.glob("control.db*"):
        path.unlink()
    assert (await site.get("/")).status_code == 200
