from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from datasette_plugins import limits_page
from intelligence.policy import handed
from intelligence.policy.load import load
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site
from tests.datasette_plugins.records import HOSTILE

RULES = """
rules:
  - {id: calls, action: throttle, when: {provider: openai, limit: {requests: 4, per: day, by: client, soft: 0.5}}}
  - {id: read, action: block, mode: shadow, when: {limit: {tokens: 1k, per: hour}}}
"""


@pytest.fixture
def in_force(data_dir: Path) -> None:
    folder = data_dir.parent / "policies"
    folder.mkdir()
    (folder / "a.yaml").write_text(RULES)
    handed.hand_over(data_dir, load(folder))


@pytest.fixture(autouse=True)
def _counted_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits_page, "AGAIN_SECONDS", 0)
    monkeypatch.setattr(limits_page, "WAIT_SECONDS", 20)


async def test_what_is_used_by_whom(site: Site, db: sqlite3.Connection, in_force: None) -> None:
    for client in ("curl", "curl", "curl", HOSTILE):
        records.add_call(db, client=client)
    records.add_call(db, client="curl", provider="other")
    page = (await site.get("/-/limits")).text
    assert "throttle at 4 requests a day, by client; tells from 2 on" in page
    assert "3 <small>of 4, 75 %" in page and "1 <small>of 4, 25 %" in page
    assert "230 <small>of 1k, 23 %" in page.lower()
    assert "<script>document" not in page
    records.add_call(db, client="curl")
    page = (await site.get("/-/limits")).text
    assert "4 <small>of 4, 100 %, used up" in page and '<div class="over">' in page


async def test_what_to_do_where_there_is_none(site: Site) -> None:
    page = (await site.get("/-/limits")).text
    assert "No rule in force has a limit" in page


async def test_without_a_record_nothing_is_used(site: Site, in_force: None) -> None:
    assert (await site.get("/-/limits")).text.count("Nothing was used in this") == 2
