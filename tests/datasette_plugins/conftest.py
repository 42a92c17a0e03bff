"""A dashboard without a server: the ASGI application, asked as a browser at its own address would."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from datasette.app import Datasette

from datasette_plugins import server
from intelligence.store import accounts, control, logins
from tests.datasette_plugins import records
from tests.rig.passwords import cheap_passwords  # noqa: F401

HOST = "127.0.0.1:8001"
PASSWORD = "correct horse battery"


class Site:
    """`get` and `post` go through the whole application, guard and permissions included."""

    def __init__(self, datasette: Datasette, data_dir: Path) -> None:
        self.datasette = datasette
        self.data_dir = data_dir
        self.app = datasette.app()

    async def ask(self, method: str, path: str, host: str = HOST, **more: Any) -> httpx.Response:
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}") as client:
            headers = {"host": host, **more.pop("headers", {})}
            return await client.request(method, path, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> httpx.Response:
        return await self.ask("GET", path, **more)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def db(data_dir: Path) -> Iterator[sqlite3.Connection]:
    """The worker's connection to an empty record."""
    connection = records.make(data_dir)
    yield connection
    connection.close()


@pytest_asyncio.fixture
async def site(data_dir: Path) -> AsyncIterator[Site]:
    data_dir.mkdir(exist_ok=True)
    datasette = server.build(data_dir, frozenset({HOST}))
    await datasette.invoke_startup()
    yield Site(datasette, data_dir)
    await datasette.invoke_shutdown()


@pytest_asyncio.fixture
async def locked(data_dir: Path) -> AsyncIterator[Site]:
    """The same with `dashboard.auth = "password"`; of each role there is one user, named like it."""
    data_dir.mkdir(exist_ok=True)
    datasette = server.build(data_dir, frozenset({HOST}), "password", frozenset({"https://llmitm.test"}))
    with control.changing(data_dir) as db:
        for role in reversed(accounts.ROLES):
            accounts.add(db, "test", role, role, PASSWORD)
    await datasette.invoke_startup()
    yield Site(datasette, data_dir)
    await datasette.invoke_shutdown()


@pytest.fixture
def tokens(locked: Site) -> dict[str, str]:
    """By role, that of a session."""
    found = {role: logins.log_in(locked.data_dir, role, PASSWORD, "127.0.0.1") for role in accounts.ROLES}
    return {role: token for role, token in found.items() if token}


def as_user(token: str | None) -> dict[str, str]:
    return {"cookie": f"llmitm_session={token}"} if token else {}
