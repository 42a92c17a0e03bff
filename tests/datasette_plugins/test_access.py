"""Every registered route, ours and Datasette's, asked by the local user, by a stranger, and from another site."""

from __future__ import annotations

import sqlite3

import pytest
from datasette.utils import resolve_routes

from datasette_plugins import access, dashboard
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site

# Method, address, what the local user gets, what a stranger gets. The user may read everything and change nothing.
WALK = [
    ("GET", "/", 200, 403),
    ("GET", "/-/live", 200, 403),
    ("GET", "/-/calls/CALL", 200, 403),
    ("GET", "/-/calls/CALL/request", 200, 403),
    ("GET", "/-/calls/CALL/response", 200, 403),
    ("GET", "/-/calls/CALL/copy/curl", 200, 403),
    ("GET", "/-/health", 200, 403),
    ("GET", "/.json", 200, 403),
    ("GET", "/-/", 200, 403),
    ("GET", "/-/.json", 200, 403),
    ("GET", "/-", 301, 301),
    ("GET", "/favicon.ico", 200, 200),
    ("GET", "/-/static/app.css", 200, 200),
    ("GET", "/-/static-plugins/llmitm/llmitm.css", 200, 200),
    ("GET", "/:memory:", 301, 301),
    ("GET", "/-/versions.json", 200, 403),
    ("GET", "/-/plugins.json", 200, 403),
    ("GET", "/-/settings.json", 200, 403),
    ("GET", "/-/config.json", 200, 403),
    ("GET", "/-/threads.json", 403, 403),
    ("GET", "/-/tasks.json", 403, 403),
    ("GET", "/-/databases.json", 200, 403),
    ("GET", "/-/actor.json", 200, 200),
    ("GET", "/-/actions.json", 403, 403),
    ("GET", "/-/auth-token", 403, 403),
    ("GET", "/-/create-token", 403, 403),
    ("GET", "/-/api", 200, 403),
    ("GET", "/-/jump.json", 200, 200),
    ("GET", "/-/queries", 200, 200),
    ("GET", "/-/schema.json", 200, 200),
    ("GET", "/-/logout", 200, 200),
    ("GET", "/-/permissions", 403, 403),
    ("GET", "/-/allowed.json?action=view-table", 200, 403),
    ("GET", "/-/rules.json?action=view-table", 403, 403),
    ("GET", "/-/check.json?action=view-instance", 403, 403),
    ("GET", "/-/messages", 200, 403),
    ("GET", "/-/allow-debug", 200, 200),
    ("GET", "/-/patterns", 200, 403),
    ("GET", "/-/debug/autocomplete", 200, 403),
    ("GET", "/traffic.db", 403, 403),
    ("GET", "/traffic", 200, 403),
    ("POST", "/traffic/-/create", 403, 403),
    ("GET", "/traffic/-/foreign-key-targets", 403, 403),
    ("GET", "/traffic/-/queries", 200, 200),
    ("POST", "/traffic/-/queries/analyze", 405, 405),
    ("GET", "/traffic/-/queries/analyze?sql=select+1", 403, 403),
    ("POST", "/traffic/-/queries/store", 403, 403),
    ("GET", "/traffic/-/execute-write/analyze?sql=select+1", 403, 403),
    ("GET", "/traffic/-/execute-write", 403, 403),
    ("POST", "/traffic/-/execute-write", 403, 403),
    ("GET", "/traffic/-/schema", 200, 403),
    ("GET", "/traffic/-/query/parameters?sql=select+:a", 200, 403),
    ("GET", "/traffic/-/query?sql=select+1", 200, 403),
    ("GET", "/traffic/-/query.json?sql=select+text+from+responses", 200, 403),
    ("GET", "/traffic/q/-/definition", 404, 404),
    ("GET", "/traffic/q/-/edit", 404, 404),
    ("POST", "/traffic/q/-/update", 404, 404),
    ("POST", "/traffic/q/-/delete", 404, 404),
    ("GET", "/traffic/calls", 200, 403),
    ("GET", "/traffic/calls.json", 200, 403),
    ("GET", "/traffic/calls.csv?_stream=1", 200, 403),
    ("GET", "/traffic/requests/1", 200, 403),
    ("POST", "/traffic/requests/-/insert", 403, 403),
    ("POST", "/traffic/requests/-/upsert", 403, 403),
    ("POST", "/traffic/requests/-/alter", 403, 403),
    ("GET", "/traffic/requests/-/foreign-key-suggestions", 403, 403),
    ("POST", "/traffic/requests/-/set-column-type", 403, 403),
    ("POST", "/traffic/requests/-/count", 200, 403),
    ("GET", "/traffic/requests/-/fragment?_row=1", 200, 403),
    ("GET", "/traffic/requests/-/autocomplete?q=a", 200, 403),
    ("POST", "/traffic/requests/-/drop", 403, 403),
    ("GET", "/traffic/requests/-/schema", 200, 403),
    ("POST", "/traffic/requests/1/-/delete", 403, 403),
    ("POST", "/traffic/requests/1/-/update", 403, 403),
    ("GET", "/_memory", 404, 404),
    ("GET", "/_internal", 404, 404),
    ("GET", "/_internal/catalog_tables", 404, 404),
]
SECRET = "the answer nobody else may read"


@pytest.fixture
def call_id(site: Site, db: sqlite3.Connection) -> str:
    dashboard.here(site.datasette).feed.stop()  # so that /-/live ends at once
    return records.add_call(db, text=SECRET)


async def ask(site: Site, method: str, path: str, call_id: str, host: str | None = None) -> tuple[int, str]:
    more = {"json": {}} if method == "POST" else {}
    response = await site.ask(
        method, path.replace("CALL", call_id), **more, **({"host": host} if host else {})
    )  # type: ignore[arg-type]
    return response.status_code, response.text


async def test_the_local_user_reads_and_changes_nothing(
    site: Site, call_id: str, db: sqlite3.Connection
) -> None:
    before = list(db.iterdump())
    got = [(method, path, (await ask(site, method, path, call_id))[0]) for method, path, _, _ in WALK]
    assert got == [(method, path, local) for method, path, local, _ in WALK]
    assert list(db.iterdump()) == before


async def test_a_stranger_reads_nothing(site: Site, call_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "rules", lambda actor, action: None)
    for method, path, _, stranger in WALK:
        status, text = await ask(site, method, path, call_id)
        assert (path, status) == (path, stranger)
        assert SECRET not in text
        assert status != 200 or "create table requests" not in text.lower()


async def test_another_site_reads_nothing(site: Site, call_id: str) -> None:
    for method, path, _, _ in WALK:
        assert (path, (await ask(site, method, path, call_id, host="evil.example"))[0]) == (path, 403)


async def test_the_walk_meets_every_route(site: Site, call_id: str) -> None:
    routes = site.datasette._routes()
    met = set()
    for _, path, _, _ in WALK:
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
