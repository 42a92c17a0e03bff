"""The plugin is installed for every Datasette of the environment, and must leave those that are not ours alone."""

from __future__ import annotations

from pathlib import Path

from datasette.app import Datasette
from datasette.plugins import pm

import datasette_plugins
from datasette_plugins import dashboard
from tests.datasette_plugins.conftest import Site


async def test_another_datasette_does_not_notice(tmp_path: Path) -> None:
    other = Datasette([], memory=True)
    await other.invoke_startup()
    assert dashboard.of(other) is None
    page = await other.client.get("/")
    assert page.status_code == 200
    assert "llmitm" not in page.text
    assert "content-security-policy" not in page.headers
    assert (await other.client.get("/-/actor.json")).json()["actor"] is None
    assert all("calls" not in pattern.pattern for pattern, _ in other._routes())
    await other.invoke_shutdown()


async def test_the_hooks_are_registered(site: Site) -> None:
    callers = pm.get_hookcallers(datasette_plugins)
    assert callers and {"startup", "register_routes", "asgi_wrapper", "render_cell"} <= {
        c.name for c in callers
    }


async def test_an_anonymous_actor_is_the_local_user(site: Site) -> None:
    assert (await site.get("/-/actor.json")).json()["actor"] == {"id": "local"}
