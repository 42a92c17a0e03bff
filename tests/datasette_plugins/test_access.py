"""Every registered route, ours and Datasette's, asked by everyone there is, and from another site."""

from __future__ import annotations

import sqlite3
from typing import Any

import pytest
from datasette.utils import resolve_routes

from datasette_plugins import dashboard
from intelligence.store import logins
from tests.datasette_plugins.conftest import PASSWORD, Site, as_user
from tests.datasette_plugins.session_records import Talk, user

# Method, address, and what answers: the local user of a dashboard without log-in; with log-in a stranger, a viewer, a reviewer,
# an admin. All may read what is theirs to see, and nobody may change the record.
WALK = [
    ("GET", "/", 200, 403, 200, 200, 200),
    ("GET", "/-/live", 200, 403, 200, 200, 200),
    ("GET", "/-/live/events", 200, 403, 200, 200, 200),
    ("GET", "/-/calls/CALL", 200, 403, 200, 200, 200),
    ("GET", "/-/calls/CALL/request", 200, 403, 403, 200, 200),
    ("GET", "/-/calls/CALL/response", 200, 403, 403, 200, 200),
    ("GET", "/-/calls/CALL/copy/curl", 200, 403, 403, 200, 200),
    ("GET", "/-/sessions", 200, 403, 200, 200, 200),
    ("GET", "/-/sessions/CALL", 200, 403, 200, 200, 200),
    ("GET", "/-/sessions/CALL/tools", 200, 403, 200, 200, 200),
    ("GET", "/-/sessions/CALL/replay", 200, 403, 200, 200, 200),
    ("GET", "/-/sessions/CALL/replay/CALL", 200, 403, 200, 200, 200),
    ("GET", "/-/sessions/CALL/export/markdown", 200, 403, 403, 200, 200),
    ("GET", "/-/health", 200, 403, 200, 200, 200),
    ("GET", "/-/search?q=answer", 200, 403, 200, 200, 200),
    ("POST", "/-/search", 400, 403, 400, 400, 400),
    ("GET", "/-/decisions", 200, 403, 200, 200, 200),
    ("POST", "/-/decisions", 403, 403, 403, 400, 400),
    ("GET", "/-/policy", 200, 403, 200, 200, 200),
    ("POST", "/-/policy", 403, 403, 403, 403, 400),
    ("GET", "/-/policy/schema", 200, 403, 200, 200, 200),
    ("GET", "/-/policy/check", 403, 403, 403, 403, 405),
    ("POST", "/-/policy/check", 403, 403, 403, 403, 200),
    ("GET", "/-/policy/backtest", 403, 403, 403, 403, 200),
    ("POST", "/-/policy/backtest", 403, 403, 403, 403, 200),
    ("GET", "/-/limits", 200, 403, 200, 200, 200),
    ("GET", "/-/log-in", 303, 200, 303, 303, 303),
    ("POST", "/-/log-in", 303, 403, 403, 403, 403),
    ("GET", "/-/log-out", 303, 303, 303, 303, 303),
    ("POST", "/-/log-out", 303, 303, 303, 303, 303),
    ("GET", "/-/preferences", 200, 403, 200, 200, 200),
    ("POST", "/-/preferences", 303, 403, 303, 303, 303),
    ("GET", "/-/password", 303, 403, 303, 303, 303),
    ("POST", "/-/password", 303, 403, 400, 400, 400),
    ("GET", "/-/users", 403, 403, 403, 403, 200),
    ("POST", "/-/users", 403, 403, 403, 403, 400),
    ("GET", "/-/audit", 403, 403, 403, 403, 200),
    ("GET", "/-/audit/export/csv", 403, 403, 403, 403, 200),
    ("GET", "/.json", 200, 403, 403, 200, 200),
    ("GET", "/-/", 200, 403, 403, 200, 200),
    ("GET", "/-/.json", 200, 403, 403, 200, 200),
    ("GET", "/-", 301, 301, 301, 301, 301),
    ("GET", "/favicon.ico", 200, 200, 200, 200, 200),
    ("GET", "/-/static/app.css", 200, 200, 200, 200, 200),
    ("GET", "/-/static-plugins/llmitm/llmitm.css", 200, 200, 200, 200, 200),
    ("GET", "/:memory:", 301, 301, 301, 301, 301),
    ("GET", "/-/versions.json", 200, 403, 403, 200, 200),
    ("GET", "/-/plugins.json", 200, 403, 403, 200, 200),
    ("GET", "/-/settings.json", 200, 403, 403, 200, 200),
    ("GET", "/-/config.json", 200, 403, 403, 200, 200),
    ("GET", "/-/threads.json", 403, 403, 403, 403, 403),
    ("GET", "/-/tasks.json", 403, 403, 403, 403, 403),
    ("GET", "/-/databases.json", 200, 403, 403, 200, 200),
    ("GET", "/-/actor.json", 200, 200, 200, 200, 200),
    ("GET", "/-/actions.json", 403, 403, 403, 403, 403),
    ("GET", "/-/auth-token", 403, 403, 403, 403, 403),
    ("GET", "/-/create-token", 403, 403, 403, 403, 403),
    ("GET", "/-/api", 200, 403, 403, 200, 200),
    ("GET", "/-/jump.json", 200, 200, 200, 200, 200),
    ("GET", "/-/queries", 200, 200, 200, 200, 200),
    ("GET", "/-/schema.json", 200, 200, 200, 200, 200),
    ("GET", "/-/logout", 200, 302, 200, 200, 200),
    ("GET", "/-/permissions", 403, 403, 403, 403, 403),
    ("GET", "/-/allowed.json?action=view-table", 200, 403, 403, 200, 200),
    ("GET", "/-/rules.json?action=view-table", 403, 403, 403, 403, 403),
    ("GET", "/-/check.json?action=view-instance", 403, 403, 403, 403, 403),
    ("GET", "/-/messages", 200, 403, 403, 200, 200),
    ("GET", "/-/allow-debug", 200, 200, 200, 200, 200),
    ("GET", "/-/patterns", 200, 403, 403, 200, 200),
    ("GET", "/-/debug/autocomplete", 200, 403, 403, 200, 200),
    ("GET", "/traffic.db", 403, 403, 403, 403, 403),
    ("GET", "/traffic", 200, 403, 403, 200, 200),
    ("POST", "/traffic/-/create", 403, 403, 403, 403, 403),
    ("GET", "/traffic/-/foreign-key-targets", 403, 403, 403, 403, 403),
    ("GET", "/traffic/-/queries", 200, 200, 200, 200, 200),
    ("POST", "/traffic/-/queries/analyze", 405, 405, 405, 405, 405),
    ("GET", "/traffic/-/queries/analyze?sql=select+1", 403, 403, 403, 403, 403),
    ("POST", "/traffic/-/queries/store", 403, 403, 403, 403, 403),
    ("GET", "/traffic/-/execute-write/analyze?sql=select+1", 403, 403, 403, 403, 403),
    ("GET", "/traffic/-/execute-write", 403, 403, 403, 403, 403),
    ("POST", "/traffic/-/execute-write", 403, 403, 403, 403, 403),
    ("GET", "/traffic/-/schema", 200, 403, 403, 200, 200),
    ("GET", "/traffic/-/query/parameters?sql=select+:a", 200, 403, 403, 200, 200),
    ("GET", "/traffic/-/query?sql=select+1", 200, 403, 403, 200, 200),
    ("GET", "/traffic/-/query.json?sql=select+text+from+responses", 200, 403, 403, 200, 200),
    ("GET", "/traffic/q/-/definition", 404, 404, 404, 404, 404),
    ("GET", "/traffic/q/-/edit", 404, 404, 404, 404, 404),
    ("POST", "/traffic/q/-/update", 404, 404, 404, 404, 404),
    ("POST", "/traffic/q/-/delete", 404, 404, 404, 404, 404),
    ("GET", "/traffic/calls", 200, 403, 403, 200, 200),
    ("GET", "/traffic/calls.json", 200, 403, 403, 200, 200),
    ("GET", "/traffic/calls.csv?_stream=1", 200, 403, 403, 200, 200),
    ("GET", "/traffic/requests/1", 200, 403, 403, 200, 200),
    ("POST", "/traffic/requests/-/insert", 403, 403, 403, 403, 403),
    ("POST", "/traffic/requests/-/upsert", 403, 403, 403, 403, 403),
    ("POST", "/traffic/requests/-/alter", 403, 403, 403, 403, 403),
    ("GET", "/traffic/requests/-/foreign-key-suggestions", 403, 403, 403, 403, 403),
    ("POST", "/traffic/requests/-/set-column-type", 403, 403, 403, 403, 403),
    ("POST", "/traffic/requests/-/count", 200, 403, 403, 200, 200),
    ("GET", "/traffic/requests/-/fragment?_row=1", 200, 403, 403, 200, 200),
    ("GET", "/traffic/requests/-/autocomplete?q=a", 200, 403, 403, 200, 200),
    ("POST", "/traffic/requests/-/drop", 403, 403, 403, 403, 403),
    ("GET", "/traffic/requests/-/schema", 200, 403, 403, 200, 200),
    ("POST", "/traffic/requests/1/-/delete", 403, 403, 403, 403, 403),
    ("POST", "/traffic/requests/1/-/update", 403, 403, 403, 403, 403),
    ("GET", "/_memory", 404, 404, 404, 404, 404),
    ("GET", "/_internal", 404, 404, 404, 404, 404),
    ("GET", "/_internal/catalog_tables", 404, 404, 404, 404, 404),
]
SECRET = "the answer nobody else may read"


@pytest.fixture
def call_id(site: Site, db: sqlite3.Connection) -> str:
    dashboard.here(site.datasette).feed.stop()  # so that /-/live/events ends at once
    return Talk(db).say([user("hello")], SECRET)


ROLES = [None, "viewer", "reviewer", "admin"]


async def ask(site: Site, method: str, path: str, call_id: str, **more: Any) -> tuple[int, str]:
    if method == "POST":
        more["data" if path.startswith("/-/") else "json"] = {}
    response = await site.ask(method, path.replace("CALL", call_id), **more)
    return response.status_code, response.text


async def test_the_local_user_reads_and_changes_nothing(
    site: Site, call_id: str, db: sqlite3.Connection
) -> None:
    before = list(db.iterdump())
    got = [(method, path, (await ask(site, method, path, call_id))[0]) for method, path, *_ in WALK]
    assert got == [(method, path, local) for method, path, local, *_ in WALK]
    assert list(db.iterdump()) == before


@pytest.mark.parametrize("role", ROLES)
async def test_each_role_gets_what_the_table_says(
    locked: Site, tokens: dict[str, str], db: sqlite3.Connection, role: str | None
) -> None:
    dashboard.here(locked.datasette).feed.stop()
    call_id = Talk(db).say([user("hello")], SECRET)
    before = list(db.iterdump())
    got = []
    for method, path, *_ in WALK:
        token = tokens[role] if role else None
        if path == "/-/log-out" and role:  # which ends the session
            token = logins.log_in(locked.data_dir, role, PASSWORD, "127.0.0.2")
        status, text = await ask(locked, method, path, call_id, headers=as_user(token))
        got.append((method, path, status))
        if role is None:
            assert SECRET not in text and call_id not in text
        if role in (None, "viewer"):
            assert "create table requests" not in text.lower()
    column = 3 + ROLES.index(role)
    assert got == [(row[0], row[1], row[column]) for row in WALK]
    assert list(db.iterdump()) == before


async def test_another_site_reads_nothing(site: Site, call_id: str) -> None:
    for method, path, *_ in WALK:
        assert (path, (await ask(site, method, path, call_id, host="evil.example"))[0]) == (path, 403)


async def test_the_walk_meets_every_route(site: Site, call_id: str) -> None:
    routes = site.datasette._routes()
    met = set()
    for _, path, *_ in WALK:
        match, _ = resolve_routes(routes, path.replace("CALL", call_id).partition("?")[0])
        met.add(match.re.pattern)
    assert {pattern.pattern for pattern, _ in routes} - met == set()


async def test_sql_cannot_write_or_reach_other_files(site: Site, call_id: str) -> None:
    for sql in ("delete from requests", "attach 'x.db' as x", "pragma journal_mode = delete"):
        response = await site.get("/traffic/-/query.json", params={"sql": sql})
        assert response.status_code >= 400, sql


async def test_a_write_by_datasette_itself_is_refused_by_the_file(site: Site, call_id: str) -> None:
    await site.get("/")
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await site.datasette.get_database("traffic").execute_write("delete from requests")
