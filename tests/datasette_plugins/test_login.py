"""Coming in and going out, as a browser does."""

from __future__ import annotations

import sqlite3

import pytest

from datasette_plugins import login
from intelligence.store import accounts, control, logins
from tests.datasette_plugins.conftest import PASSWORD, Site, as_user

HTML = {"accept": "text/html"}


def cookie(response: object) -> str:
    return response.headers["set-cookie"]  # type: ignore[attr-defined, no-any-return]


async def log_in(site: Site, name: str = "viewer", password: str = PASSWORD, **more: str) -> object:
    return await site.ask("POST", "/-/log-in", data={"name": name, "password": password, **more})


async def test_in_and_out(locked: Site) -> None:
    sent = await locked.get("/-/health?a=b", headers=HTML)
    assert (sent.status_code, sent.headers["location"]) == (303, "/-/log-in?next=%2F-%2Fhealth%3Fa%3Db")
    form = await locked.get(sent.headers["location"])
    assert 'value="/-/health?a=b"' in form.text and "proxy is not running" not in form.text
    answer = await log_in(locked, next="/-/health?a=b")
    assert (answer.status_code, answer.headers["location"]) == (303, "/-/health?a=b")  # type: ignore[attr-defined]
    given = cookie(answer)
    assert "HttpOnly" in given and "SameSite=lax" in given and "Secure" not in given
    token = given.partition("=")[2].partition(";")[0]
    assert (await locked.get("/", headers=as_user(token))).status_code == 200
    gone = await locked.ask("POST", "/-/log-out", headers=as_user(token))
    assert "Max-Age=0" in cookie(gone)
    assert (await locked.get("/", headers=as_user(token))).status_code == 403


@pytest.mark.parametrize("wanted", ["//evil.example", "/\\evil.example", "https://evil.example", "/\r\nx: y"])
async def test_a_log_in_leads_to_our_pages_only(locked: Site, wanted: str) -> None:
    assert (await log_in(locked, next=wanted)).headers["location"] == "/"  # type: ignore[attr-defined]


async def test_wrong_and_unknown_look_the_same(locked: Site) -> None:
    wrong, unknown = await log_in(locked, password="wrong"), await log_in(locked, "nobody")
    assert wrong.status_code == unknown.status_code == 403  # type: ignore[attr-defined]
    assert wrong.text == unknown.text  # type: ignore[attr-defined]
    assert "set-cookie" not in wrong.headers  # type: ignore[attr-defined]


async def test_too_many_attempts(locked: Site) -> None:
    for _ in range(logins.MOST_BY_BOTH):
        await log_in(locked, password="wrong")
    refused = await log_in(locked)
    assert refused.status_code == 429 and "15 minutes" in refused.text  # type: ignore[attr-defined]


async def test_behind_tls_the_cookie_is_secure(locked: Site) -> None:
    answer = await locked.ask(
        "POST",
        "/-/log-in",
        host="llmitm.test",
        headers={"origin": "https://llmitm.test", "sec-fetch-site": "same-origin"},
        data={"name": "viewer", "password": PASSWORD},
    )
    assert answer.status_code == 303 and "Secure" in cookie(answer)
    plain = await locked.ask(
        "POST", "/-/log-in", host="llmitm.test", headers={"origin": "http://llmitm.test"}
    )
    assert plain.status_code == 403


async def test_forms_of_other_sites_are_refused(locked: Site, tokens: dict[str, str]) -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec-fetch-site": "cross-site"}):
        for path in ("/-/log-in", "/-/log-out", "/-/preferences", "/-/password", "/-/users"):
            answer = await locked.ask("POST", path, headers=as_user(tokens["admin"]) | headers)
            assert (path, answer.status_code) == (path, 403)
    assert (await locked.get("/", headers=as_user(tokens["admin"]))).status_code == 200


async def test_a_role_counts_at_the_next_request(locked: Site, tokens: dict[str, str], db: object) -> None:
    ask = as_user(tokens["viewer"])
    assert (await locked.get("/traffic", headers=ask)).status_code == 403
    with control.changing(locked.data_dir) as changing:
        accounts.set_role(changing, "test", "viewer", "reviewer")
    assert (await locked.get("/traffic", headers=ask)).status_code == 200
    with control.changing(locked.data_dir) as changing:
        accounts.remove(changing, "test", "viewer")
    assert (await locked.get("/", headers=ask)).status_code == 403


async def test_datasettes_own_cookie_is_no_way_in(locked: Site) -> None:
    forged = locked.datasette.sign({"a": {"id": "admin", "role": "admin"}}, "actor")
    answer = await locked.get("/-/actor.json", headers={"cookie": f"ds_actor={forged}"})
    assert answer.json()["actor"] is None


async def test_a_new_password(locked: Site, tokens: dict[str, str]) -> None:
    ask = as_user(tokens["viewer"])
    new = "another " + PASSWORD
    for fields in ({"old": "wrong", "new": new, "again": new}, {"old": PASSWORD, "new": new, "again": "x"}):
        assert (await locked.ask("POST", "/-/password", headers=ask, data=fields)).status_code == 400
    fields = {"old": PASSWORD, "new": new, "again": new}
    assert (await locked.ask("POST", "/-/password", headers=ask, data=fields)).status_code == 303
    assert (await locked.get("/", headers=ask)).status_code == 403
    assert (await log_in(locked, password=new)).status_code == 303  # type: ignore[attr-defined]


async def test_no_sessions_to_read_is_no_way_in(locked: Site, tokens: dict[str, str]) -> None:
    for path in locked.data_dir.glob("control.db*"):
        path.unlink()
    assert (await locked.get("/", headers=as_user(tokens["admin"]))).status_code == 403


def test_addresses_are_counted_by_household() -> None:
    class Asked:
        def __init__(self, host: str) -> None:
            self.scope = {"client": (host, 1)}

    said = {host: login._address(Asked(host)) for host in ("10.0.0.1", "2001:db8::1", "2001:db8::2", "odd")}  # type: ignore[arg-type]
    assert said["10.0.0.1"] == "10.0.0.1" and said["odd"] == "odd"
    assert said["2001:db8::1"] == said["2001:db8::2"] == "2001:db8::/64"


@pytest.mark.parametrize(
    ("who", "method", "path", "why"),
    [
        (None, "POST", "/-/policy", "Nobody is logged in here, or no longer"),
        ("viewer", "GET", "/traffic/-/query?sql=select+1", "This takes the role reviewer; yours is viewer."),
        ("viewer", "POST", "/-/decisions", "This takes the role reviewer; yours is viewer."),
        ("reviewer", "POST", "/-/policy", "This takes the role admin; yours is reviewer."),
        ("reviewer", "GET", "/-/users", "This takes the role admin; yours is reviewer."),
        ("admin", "GET", "/-/permissions", "Nobody may do this from here."),
    ],
    ids=lambda value: str(value).partition("?")[0].replace(" ", "-"),
)
async def test_who_may_not_is_told_who_may(
    locked: Site,
    db: sqlite3.Connection,
    tokens: dict[str, str],
    who: str | None,
    method: str,
    path: str,
    why: str,
) -> None:
    headers = as_user(tokens[who] if who else None) | {"accept": "text/html"}
    response = await locked.ask(method, path, headers=headers)
    assert response.status_code == 403 and why in response.text, response.text


async def test_without_log_in_roles_are_explained(site: Site) -> None:
    for path, role in (("/-/policy", "admin"), ("/-/decisions", "reviewer")):
        page = await site.ask("POST", path)
        assert page.status_code == 403 and f"llmitm user add NAME --role {role}" in page.text
    page = await site.get("/-/audit", headers={"accept": "text/html"})
    assert page.status_code == 403 and "llmitm audit export" in page.text
