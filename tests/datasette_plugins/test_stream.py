from __future__ import annotations

import asyncio
import json
import sqlite3
from typing import Any

import pytest

from datasette_plugins import dashboard, stream
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import HOST, Site


class Listener:
    """A client of `/-/live/events` that reads events as they come, and can leave."""

    def __init__(
        self, site: Site, query: str = "calls=1", headers: list[tuple[bytes, bytes]] | None = None
    ) -> None:
        self.events: list[tuple[str, str | None, Any]] = []
        self.ended = False
        self._news = asyncio.Event()
        self._left = asyncio.Event()
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/-/live/events",
            "raw_path": b"/-/live/events",
            "query_string": query.encode(),
            "headers": [(b"host", HOST.encode()), *(headers or [])],
        }
        self.task = asyncio.create_task(site.app(scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200
            return
        for event in filter(None, message["body"].decode().split("\n\n")):
            lines = dict(line.split(": ", 1) for line in event.split("\n"))
            if "event" in lines:
                self.events.append((lines["event"], lines.get("id"), json.loads(lines["data"])))
        self.ended = not message.get("more_body")
        self._news.set()

    async def next(self, name: str) -> tuple[str | None, Any]:
        """The next event of this name: its id and data. Earlier ones of other names are let go."""
        async with asyncio.timeout(5):
            while True:
                while self.events:
                    found, event_id, data = self.events.pop(0)
                    if found == name:
                        return event_id, data
                self._news.clear()
                await self._news.wait()

    async def leave(self) -> None:
        self._left.set()
        await asyncio.wait_for(self.task, 5)


@pytest.fixture(autouse=True)
async def reader(site: Site) -> None:
    await site.datasette.start_background_tasks()


async def test_a_new_call_arrives(site: Site, db: sqlite3.Connection) -> None:
    listener = Listener(site, "calls=1")
    await listener.next("problems")
    call_id = records.add_call(db, text="fresh")
    event_id, data = await listener.next("calls")
    assert [(row["id"], row["preview"]) for row in data["rows"]] == [(call_id, "fresh")]
    assert event_id
    await listener.leave()


async def test_a_reconnecting_browser_gets_what_it_missed(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db)
    first = Listener(site)
    event_id, _ = await first.next("calls")
    await first.leave()
    assert event_id
    missed = records.add_call(db)
    second = Listener(site, "calls=1&after=old", [(b"last-event-id", event_id.encode())])
    _, data = await second.next("calls")
    assert [row["id"] for row in data["rows"]] == [missed]
    await second.leave()


async def test_a_page_goes_on_where_it_was_rendered(site: Site, db: sqlite3.Connection) -> None:
    records.add_call(db)
    first = Listener(site)
    event_id, _ = await first.next("calls")
    second = Listener(site, f"calls=1&after={event_id}")
    await second.next("problems")
    call_id = records.add_call(db)
    _, data = await second.next("calls")
    assert [row["id"] for row in data["rows"]] == [call_id]
    await first.leave()
    await second.leave()


async def test_hostile_text_stays_within_its_event(site: Site, db: sqlite3.Connection) -> None:
    listener = Listener(site)
    records.add_call(db, text="a\n\nevent: calls\ndata: {}\n\n" + records.HOSTILE)
    _, data = await listener.next("calls")
    assert "event: calls data: {}" in data["rows"][0]["preview"]
    await listener.leave()


async def test_it_ends_when_the_dashboard_stops(site: Site, db: sqlite3.Connection) -> None:
    listener = Listener(site)
    await listener.next("problems")
    dashboard.here(site.datasette).feed.stop()
    await asyncio.wait_for(listener.task, 1)
    assert listener.ended


async def test_it_ends_by_itself(site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "STREAM_SECONDS", 0.2)
    listener = Listener(site)
    await asyncio.wait_for(listener.task, 2)
    assert listener.ended
