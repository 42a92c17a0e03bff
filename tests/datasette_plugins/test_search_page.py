from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from intelligence.store import control, saved_searches
from intelligence.store.search import PUT, ROLES
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import HOST, Site, as_user

ORIGIN = {"origin": f"http://{HOST}"}


def say(db: sqlite3.Connection, role: str, text: str, **columns: Any) -> str:
    """One call in which `role` says `text`."""
    call_id = records.add_call(db, **columns)
    (seq,) = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
    db.execute(PUT, (len(ROLES) * seq + ROLES.index(role), seq, role, text))
    return call_id


async def page(site: Site, q: str = "", **more: Any) -> str:
    response = await site.get("/-/search", params={"q": q, **more})
    assert response.status_code == 200, response.text
    return response.text


def found(html: str) -> list[str]:
    return re.findall(r'<a class="go" data-step href="/-/calls/([^"]+)"', html)


async def test_words_are_found_and_marked(site: Site, db: sqlite3.Connection) -> None:
    one = say(db, "user", "where is the <b>heron</b> now", user="ada")
    two = say(db, "assistant", "the heron is here")
    html = await page(site, "heron")
    assert found(html) == [two, one]
    assert "where is the &lt;b&gt;<mark>heron</mark>&lt;/b&gt; now" in html
    assert "2 results" in html and "<bdi>ada</bdi>" in html
    assert found(await page(site, "heron role:user")) == [one]
    assert "Nothing found" in await page(site, "okapi")


async def test_without_words_calls_are_listed(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db)
    failed = records.add_call(db, state="error", status_code=429, error_message="slow down")
    html = await page(site, "state:error")
    assert found(html) == [failed]
    assert "slow down" in html and "error 429" in html and "1 result" in html


async def test_what_is_chosen_from_the_lists_comes_into_the_box(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db, client="curl")
    db.execute("update requests set model = 'my model'")
    html = await page(site)
    assert "<option>my model</option>" in html and "<option>curl</option>" in html
    asked = {
        "q": "heron",
        "model": "my model",
        "role": "user",
        "min_cost": "0.1",
        "max_tokens": "5k",
        "user": "",
    }
    response = await site.get("/-/search", params=asked | {"sort": "best"})
    assert response.status_code == 303
    given = parse_qs(urlsplit(response.headers["location"]).query)
    assert given == {"q": ['heron model:"my model" role:user cost:0.1.. tokens:..5k'], "sort": ["best"]}
    html = await page(site, given["q"][0])
    assert 'aria-label="Take role:user away"' in html and "/-/search?q=heron+role%3Auser" in html


@pytest.mark.parametrize(
    ("q", "says"),
    [
        ("modle:x", "Was model: meant"),
        ("model:none", "No call has the model none"),
        ("cost>x", "is no number for cost"),
        ("-a", "add a word"),
        ("a" * 501, "at most 500 characters"),
    ],
)
async def test_what_cannot_be_meant_is_said_under_the_box(
    site: Site, db: sqlite3.Connection, q: str, says: str
) -> None:
    records.add_call(db)
    html = await page(site, q)
    assert re.search(rf'id="problems-here"[^ß]*{says}', html) and found(html) == []


@pytest.mark.parametrize(
    "q", ['"', "*", "^a", "a NEAR(b", "{x}:y", "' or 1=1 --", "\x00", "a:b:c", "-", '-"', "(", "\\", "\ud800"]
)
async def test_any_signs_are_borne(site: Site, db: sqlite3.Connection, q: str) -> None:
    say(db, "user", "heron")
    for sort in ("newest", "best", "x"):
        given = {"q": q.encode("utf-8", "replace"), "before": q[:1].encode("utf-8", "replace")}
        response = await site.get(f"/-/search?sort={sort}", params=given)
        assert response.status_code == 200


async def test_page_after_page(site: Site, db: sqlite3.Connection) -> None:
    calls = [say(db, "user", f"heron {n}") for n in range(60)]
    for sort in ("newest", "best"):
        seen: list[str] = []
        path = f"/-/search?q=heron&sort={sort}"
        while path:
            html = (await site.get(path)).text
            seen += found(html)
            more = re.search(r'rel="next" href="([^"]+)"', html)
            path = more[1].replace("&amp;", "&") if more else ""
        assert sorted(seen) == sorted(calls) and len(seen) == 60


async def test_before_there_is_a_record(site: Site) -> None:
    for query in ("", "heron"):
        assert "Nothing is recorded yet" in await page(site, query)
    records.make(site.data_dir).close()  # the worker runs, and nobody called
    for query in ("", "heron"):
        assert "Nothing is recorded yet" in await page(site, query)
    with closing(records.make(site.data_dir)) as db:
        records.add_call(db)
    for query in ("", "heron"):
        assert "Nothing is recorded yet" not in await page(site, query)


async def test_a_record_of_an_older_version_is_no_error(site: Site, db: sqlite3.Connection) -> None:
    db.execute("drop table search_texts_fts")
    assert "cannot be searched just now" in await page(site, "heron")


async def test_calls_still_to_be_read_are_told_of(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db)
    db.execute("insert into to_read (request, settled) values (1, 1)")
    assert "The words of 1 calls are still to be read" in await page(site, "heron")


async def save(site: Site, token: str | None = None, **form: str) -> int:
    data = {"do": "save", "name": "mine", "q": "heron", "sort": "newest", **form}
    return (await site.ask("POST", "/-/search", data=data, headers=as_user(token) | ORIGIN)).status_code


def kept(site: Site, user: str) -> list[str]:
    with control.reading(site.data_dir) as db:
        return [s.name for s in saved_searches.of(db, user)]


async def test_a_search_is_saved_listed_and_removed(site: Site, db: sqlite3.Connection) -> None:
    assert await save(site, name="<b>mine", q='"two words" cost>1', sort="best") == 303
    html = await page(site)
    assert "<bdi>&lt;b&gt;mine</bdi>" in html and "%22two+words%22+cost%3E1&amp;sort=best" in html
    with control.reading(site.data_dir) as settings:
        (search,) = saved_searches.of(settings, "local")
        (entry,) = control.audited(settings, 9)
    assert (entry["actor"], entry["action"]) == ("local", "save search")
    assert json.loads(entry["after"])["query"] == '"two words" cost>1'
    assert await save(site, do="remove", id=str(search.id)) == 303
    assert kept(site, "local") == []


@pytest.mark.parametrize(
    "form", [{"name": ""}, {"q": ""}, {"do": "x"}, {"do": "remove", "id": "7"}, {"do": "remove", "id": "²"}]
)
async def test_a_form_that_cannot_be_done_is_said(site: Site, form: dict[str, str]) -> None:
    assert await save(site, **form) == 400
    assert kept(site, "local") == []


async def test_another_site_saves_nothing(site: Site) -> None:
    response = await site.ask(
        "POST",
        "/-/search",
        data={"do": "save", "name": "n", "q": "q"},
        headers={"origin": "http://evil.example"},
    )
    assert response.status_code == 403 and kept(site, "local") == []


async def test_people_share_searches(locked: Site, tokens: dict[str, str]) -> None:
    assert await save(locked, tokens["viewer"], name="own") == 303
    assert await save(locked, tokens["viewer"], name="for all", shared="yes") == 303
    assert kept(locked, "reviewer") == ["for all"]
    with control.reading(locked.data_dir) as db:
        id_ = str(saved_searches.of(db, "reviewer")[0].id)
    assert await save(locked, tokens["reviewer"], do="remove", id=id_) == 400
    assert await save(locked, tokens["admin"], do="remove", id=id_) == 303
    assert kept(locked, "viewer") == ["own"]
