from __future__ import annotations

import asyncio
import re
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from intelligence.policy import handed
from intelligence.policy.load import load
from intelligence.policy.panic import panic_of
from intelligence.store import control
from intelligence.store.policy_history import digest
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site, as_user
from tests.datasette_plugins.records import HOSTILE

RULE = "rules:\n  - {id: no-gpt, action: block, when: {model: gpt-5}, tests: [{given: {model: gpt-5}, expect: block}]}\n"
TEMPLATE = RULE.replace("no-gpt", "from-template")


@pytest.fixture
def folder(data_dir: Path) -> Path:
    folder = data_dir.parent / "policies"
    (folder / "templates").mkdir(parents=True)
    (folder / "templates" / "off.yaml").write_text(TEMPLATE)
    (folder / "a.yaml").write_text(RULE)
    return folder


async def send(site: Site, token: str, path: str = "/-/policy", **form: str) -> Any:
    return await site.ask("POST", path, data=form, headers=as_user(token))


async def save(site: Site, token: str, text: str, was: str = RULE, **more: str) -> int:
    form = {"do": "save", "file": "a.yaml", "text": text, "reason": "because", "was": digest(was)} | more
    return (await send(site, token, **form)).status_code


async def test_saved_by_an_admin_and_rolled_back(locked: Site, folder: Path, tokens: dict[str, str]) -> None:
    other = RULE.replace("gpt-5", "gpt-6")
    assert await save(locked, tokens["reviewer"], other) == 403
    assert await save(locked, tokens["admin"], other.replace("\n", "\r\n")) == 303
    assert (folder / "a.yaml").read_text() == other
    page = (await locked.get("/-/policy", headers=as_user(tokens["admin"]))).text
    change = re.search(r'name="change" value="(\d+)"', page)
    assert change and "because" in page and "gpt-6" in page
    assert (await send(locked, tokens["admin"], do="roll back", change=change[1])).status_code == 303
    assert (folder / "a.yaml").read_text() == RULE


async def test_a_fault_is_told_and_nothing_saved(locked: Site, folder: Path, tokens: dict[str, str]) -> None:
    wrong = RULE.replace("action", "acton")
    form = {"do": "save", "file": "a.yaml", "text": wrong, "reason": "why", "was": digest(RULE)}
    response = await send(locked, tokens["admin"], **form)
    assert response.status_code == 400
    assert "did you mean action" in response.text and "acton: block" in response.text
    assert (folder / "a.yaml").read_text() == RULE


async def test_checked_as_one_types(locked: Site, folder: Path, tokens: dict[str, str]) -> None:
    async def check(text: str) -> dict[str, Any]:
        response = await send(locked, tokens["admin"], "/-/policy/check", file="a.yaml", text=text)
        return dict(response.json())

    good = await check(RULE + "# more\n")
    assert (good["errors"], good["rules"], good["examples"]) == ([], 1, 1)
    assert ["+", "# more"] in good["diff"]
    wrong = await check(RULE.replace("expect: block", "expect: alert"))
    assert [(e["file"], e["line"]) for e in wrong["errors"]] == [("a.yaml", 2)]
    assert "expected alert, got block" in wrong["errors"][0]["message"]


async def test_templates_are_switched(locked: Site, folder: Path, tokens: dict[str, str]) -> None:
    assert (await send(locked, tokens["admin"], do="enable", template="off")).status_code == 303
    assert "from-template" in [rule.id for rule in load(folder).rules]
    assert (await send(locked, tokens["admin"], do="enable", template="off")).status_code == 400
    assert (await send(locked, tokens["admin"], do="disable", template="off")).status_code == 303
    assert not (folder / "off.yaml").exists()
    assert (await send(locked, tokens["admin"], do="enable", template="../a")).status_code == 400


async def test_the_kill_switch(locked: Site, tokens: dict[str, str]) -> None:
    thrown = {"do": "panic", "mode": "block", "reason": "a key is out"}
    assert (await send(locked, tokens["reviewer"], **thrown)).status_code == 403
    assert panic_of(locked.data_dir) is None
    assert (await send(locked, tokens["admin"], **thrown)).status_code == 303
    panic = panic_of(locked.data_dir)
    assert panic and (panic.mode, panic.by, panic.reason) == ("block", "admin", "a key is out")
    for path in ("/-/policy", "/-/health", "/"):
        page = (await locked.get(path, headers=as_user(tokens["viewer"]))).text
        assert "The kill switch is thrown, by admin" in page and "a key is out" in page
        assert 'value="resume"' not in page
    assert (await send(locked, tokens["admin"], do="resume", reason="it is revoked")).status_code == 303
    assert panic_of(locked.data_dir) is None
    with control.reading(locked.data_dir) as db:
        entries = [e for e in control.audited(db, 10) if e["subject"] == "kill switch"]
    assert [e["action"] for e in entries] == ["resume", "panic"]
    assert (await send(locked, tokens["admin"], do="resume", reason="x")).status_code == 400
    assert (await send(locked, tokens["admin"], do="panic", mode="loud", reason="x")).status_code == 400


async def test_what_is_in_force_and_what_is_not(site: Site, folder: Path) -> None:
    assert "No set of rules has been tried yet" in (await site.get("/-/policy")).text
    handed.hand_over(site.data_dir, load(folder))
    handed.refuse(site.data_dir, "v", f"a.yaml:7: {HOSTILE}")
    page = (await site.get("/-/policy?rule=no-gpt")).text
    assert "1 rule in force" in page and 'data-line="2"' in page
    assert "The files are not in force" in page and "<script>document" not in page
    assert "readonly" in page and "llmitm user add" in page


async def test_hostile_names_and_texts(site: Site, folder: Path) -> None:
    (folder / "a.yaml").write_text(f"</textarea>{HOSTILE}".replace("\0", "").replace("\x1b", ""))
    page = (await site.get("/-/policy?file=a.yaml")).text
    assert "<script>document" not in page
    for name in ("../../etc/passwd", "%3Cscript%3E", "/etc/hosts", "templates/../../x.yaml"):
        response = await site.get(f"/-/policy?file={name}")
        assert response.status_code == 200 and "no name of a policy file" in response.text


async def test_a_backtest_over_the_record(
    locked: Site, db: sqlite3.Connection, folder: Path, tokens: dict[str, str]
) -> None:
    call_id = records.add_call(db)
    headers = as_user(tokens["admin"])
    found = (await send(locked, tokens["admin"], "/-/policy/backtest", file="a.yaml", text=RULE)).json()
    while found["running"]:
        await asyncio.sleep(0.02)
        found = (await locked.get("/-/policy/backtest", headers=headers)).json()
    assert found["error"] is None
    assert found["report"]["stopped"] == 1
    (rule,) = found["report"]["rules"]
    assert (rule["rule"], rule["actions"], rule["calls"]) == ("no-gpt", {"block": 1}, [f"/-/calls/{call_id}"])
