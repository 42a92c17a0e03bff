from __future__ import annotations

import re
import sqlite3

from intelligence.policy import handed
from intelligence.store import control, reviews
from tests.datasette_plugins import governed_records as governed
from tests.datasette_plugins.conftest import Site, as_user
from tests.datasette_plugins.governed_records import KEY_TEXT
from tests.datasette_plugins.records import HOSTILE


def items(html: str) -> list[str]:
    return re.findall(r'<li class="item" data-item="(\d+)"', html)


async def say(site: Site, token: str, do: str, path: str = "/-/decisions", **form: str | list[str]) -> int:
    headers = as_user(token)
    response = await site.ask("POST", path, data={"do": do, **form}, headers=headers)
    return response.status_code


async def test_what_comes_again_is_one_item(
    locked: Site, db: sqlite3.Connection, tokens: dict[str, str]
) -> None:
    for _ in range(3):
        newest = governed.add_detection(db, locked.data_dir)
    other = governed.add_detection(db, locked.data_dir, seen="ghp_other", type="github_pat", client="curl")
    html = (await locked.get("/-/decisions", headers=as_user(tokens["reviewer"]))).text
    assert len(items(html)) == 2
    assert "seen 3 times" in html and newest in html and other in html
    assert f"<mark>{KEY_TEXT}</mark>" in html
    only = (await locked.get("/-/decisions?client=curl", headers=as_user(tokens["reviewer"]))).text
    assert len(items(only)) == 1 and other in only
    for path in ("?kind=pii", "?rule=other", "?action=block", "?user=eve", "?state=done"):
        got = (await locked.get(f"/-/decisions{path}", headers=as_user(tokens["reviewer"]))).text
        assert items(got) == [], path


async def test_a_second_opinion_is_shown(
    locked: Site, db: sqlite3.Connection, tokens: dict[str, str]
) -> None:
    """Of the text, whichever of its calls it was asked for; and told by a model, so it may say anything."""
    for _ in range(2):
        governed.add_detection(db, locked.data_dir, kind="injection", seen="do as I say")
    db.execute(
        "insert into opinions (detection, at, verdict, reason, model, cost_usd) values (1, 1, 'harmless', ?, 'claude', 0.001)",
        (f"a quotation {HOSTILE}",),
    )
    html = (await locked.get("/-/decisions", headers=as_user(tokens["reviewer"]))).text
    assert "Claude says <b>harmless</b>: a quotation" in html and HOSTILE not in html


async def test_a_viewer_sees_no_secret(locked: Site, db: sqlite3.Connection, tokens: dict[str, str]) -> None:
    governed.add_detection(db, locked.data_dir, words="before {} after")
    html = (await locked.get("/-/decisions", headers=as_user(tokens["viewer"]))).text
    assert KEY_TEXT not in html and "before" in html
    assert '<button class="button" type="submit" name="do"' not in html


async def test_allowing_takes_effect(locked: Site, db: sqlite3.Connection, tokens: dict[str, str]) -> None:
    governed.add_detection(db, locked.data_dir)
    html = (await locked.get("/-/decisions", headers=as_user(tokens["reviewer"]))).text
    (item,) = items(html)
    assert await say(locked, tokens["viewer"], f"allow {item}") == 403
    assert handed.allowed_by_people(locked.data_dir) == ()
    assert await say(locked, tokens["reviewer"], f"allow {item}", days="30", reason="documented") == 303
    (entry,) = handed.allowed_by_people(locked.data_dir)
    assert entry.kind == "secret" and entry.until is not None
    html = (await locked.get("/-/decisions", headers=as_user(tokens["reviewer"]))).text
    assert items(html) == []
    done = (await locked.get("/-/decisions?state=done", headers=as_user(tokens["reviewer"]))).text
    assert "allowed by" in done
    assert await say(locked, tokens["reviewer"], f"reopen {item}") == 303
    assert handed.allowed_by_people(locked.data_dir) == ()


async def test_several_at_once(locked: Site, db: sqlite3.Connection, tokens: dict[str, str]) -> None:
    for n in range(30):
        governed.add_detection(db, locked.data_dir, seen=f"ghp_{n:04}", at=1000 + n)
    first = (await locked.get("/-/decisions", headers=as_user(tokens["reviewer"]))).text
    older = re.search(r'href="([^"]*before=[^"]*)"', first)
    assert older and len(items(first)) == 25
    second = (await locked.get(older[1].replace("&amp;", "&"), headers=as_user(tokens["reviewer"]))).text
    assert len(items(second)) == 5 and not set(items(first)) & set(items(second))
    assert await say(locked, tokens["reviewer"], "dismiss", item=items(first)[:10]) == 303
    with control.reading(locked.data_dir) as log:
        assert len(reviews.reviewed(log)) == 10
    assert await say(locked, tokens["reviewer"], "dismiss") == 400
    assert await say(locked, tokens["reviewer"], "explode", item=items(first)[:1]) == 400


async def test_decisions_are_approved_too(
    locked: Site, db: sqlite3.Connection, tokens: dict[str, str]
) -> None:
    governed.add_detection(db, locked.data_dir)
    html = (await locked.get("/-/decisions?show=decisions", headers=as_user(tokens["reviewer"]))).text
    (item,) = items(html)
    path = "/-/decisions?show=decisions"
    assert await say(locked, tokens["reviewer"], f"allow {item}", path) == 400
    assert await say(locked, tokens["reviewer"], f"confirm {item}", path) == 303
    html = (await locked.get(path, headers=as_user(tokens["reviewer"]))).text
    assert "confirmed by" in html


async def test_hostile_words_are_words(site: Site, db: sqlite3.Connection) -> None:
    governed.add_detection(db, site.data_dir, seen=HOSTILE, type=HOSTILE, rule=HOSTILE, words="{}")
    for path in ("/-/decisions", "/-/decisions?show=decisions", "/-/decisions?client=%3Cscript%3E"):
        assert "<script>document" not in (await site.get(path)).text


async def test_what_is_not_kept_is_said(site: Site, db: sqlite3.Connection) -> None:
    governed.add_detection(db, site.data_dir)
    db.execute("update detections set start = start + 1")
    html = (await site.get("/-/decisions")).text
    assert "What stood there is not kept." in html and KEY_TEXT not in html


async def test_open_ones_are_told_on_the_overview(site: Site, db: sqlite3.Connection) -> None:
    governed.add_detection(db, site.data_dir)
    governed.add_detection(db, site.data_dir, seen="ghp_other")
    assert "2 detections nobody has looked at" in (await site.get("/")).text
