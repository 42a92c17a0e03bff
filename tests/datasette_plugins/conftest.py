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
from tests.datasette_plugins import records

HOST = "127.0.0.1:8001"


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
