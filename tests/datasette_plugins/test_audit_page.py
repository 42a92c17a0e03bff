from __future__ import annotations

import json
import sqlite3
from contextlib import closing

import pytest

from datasette_plugins import audit_page
from intelligence.store import control
from tests.datasette_plugins.conftest import Site, as_user


@pytest.fixture(autouse=True)
def _checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_page, "AGAIN_SECONDS", 0)
    monkeypatch.setattr(audit_page, "WAIT_SECONDS", 20)


async def test_the_chain_is_checked(locked: Site, tokens: dict[str, str]) -> None:
    headers = as_user(tokens["admin"])
    assert "entries, all as written" in (await locked.get("/-/audit", headers=headers)).text
    with closing(sqlite3.connect(locked.data_dir / control.NAME)) as db:
        db.execute("drop trigger audit_log_no_update")
        db.execute("update audit_log set actor = 'nobody' where id = 2")
        db.commit()
    page = (await locked.get("/-/audit", headers=headers)).text
    assert "Not as it was written" in page and "Entry 2:" in page


async def test_filtered_by_who_and_what(locked: Site, tokens: dict[str, str]) -> None:
    with control.changing(locked.data_dir) as db:
        for n in range(150):
            control.audit(db, "rule no-keys", "decision.block", f"call-{n}")
    headers = as_user(tokens["admin"])
    page = (await locked.get("/-/audit", headers=headers)).text
    assert 'name="actor" value=""' in page and ">All</a>" not in page
    page = (await locked.get("/-/audit?actor=test", headers=headers)).text
    assert 'name="actor" value="test"' in page and ">All</a>" in page
    assert "add user" in page
    assert "call-1" not in page
    page = (await locked.get("/-/audit?action=decision.block", headers=headers)).text
    assert page.count("/-/calls/call-") == 100
    older = page.partition("before=")[2].partition("&")[0]
    page = (await locked.get("/-/audit?actor=rule+no-keys", headers=headers)).text
    assert f"before={older}&amp;actor=rule%20no-keys" in page
    page = (await locked.get(f"/-/audit?before={older}&action=decision.block", headers=headers)).text
    assert page.count("/-/calls/call-") == 50


async def test_taken_out(locked: Site, tokens: dict[str, str]) -> None:
    headers = as_user(tokens["admin"])
    whole = json.loads((await locked.get("/-/audit/export/json", headers=headers)).text)
    assert whole["period"]["entries"] == len(whole["entries"]) >= 3
    rows = (await locked.get("/-/audit/export/csv", headers=headers)).text.splitlines()
    assert rows[0].startswith("id,time,actor,action") and len(rows) == len(whole["entries"]) + 1
