from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from datasette_plugins import calls
from datasette_plugins.feed import Feed
from datasette_plugins.latest import WINDOW
from tests.datasette_plugins import records


@pytest_asyncio.fixture
async def feed(data_dir: Path) -> AsyncIterator[Feed]:
    feed = Feed(data_dir)
    running = asyncio.create_task(feed.run(None))  # type: ignore[arg-type]
    yield feed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def until(feed: Feed, done: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "nothing came"
        await feed.change(0.1)


async def test_nobody_watches_nothing_is_read(feed: Feed, db: sqlite3.Connection) -> None:
    records.add_call(db)
    await asyncio.sleep(0.1)
    assert feed.since(0) == []


async def test_new_and_changed_calls(feed: Feed, db: sqlite3.Connection) -> None:
    first = records.add_call(db, state="pending")
    with feed.watching():
        await until(feed, lambda: len(feed.since(0)) == 1)
        seen = feed.seen(feed.cursor)
        assert feed.since(seen) == []

        second = records.add_call(db)
        await until(feed, lambda: bool(feed.since(seen)))
        assert [row["id"] for row in feed.since(seen)] == [second]

        seen = feed.seen(feed.cursor)
        db.execute("update requests set state = 'complete' where id = ?", (first,))
        await until(feed, lambda: bool(feed.since(seen)))
        assert [(row["id"], row["state"]) for row in feed.since(seen)] == [(first, "complete")]


async def test_a_new_call_is_seen_within_100_ms(feed: Feed, db: sqlite3.Connection) -> None:
    with feed.watching():
        records.add_call(db)
        await until(feed, lambda: bool(feed.since(0)))
        waits = []
        for _ in range(10):
            seen = feed.seen(feed.cursor)
            records.add_call(db)
            committed = time.monotonic()
            await until(feed, lambda seen=seen: bool(feed.since(seen)))  # type: ignore[misc]
            waits.append(time.monotonic() - committed)
    assert sorted(waits)[5] < 0.1


async def test_a_new_viewer_is_not_flooded(feed: Feed, db: sqlite3.Connection) -> None:
    db.execute("begin")
    for n in range(300):
        records.add_call(db, started_at=1_790_000_000_000 + n, commit=False)
    db.execute("commit")
    with feed.watching():
        await until(feed, lambda: bool(feed.since(0)))
        rows = feed.since(0)
    assert len(rows) == WINDOW == 200
    assert [row["started_at"] for row in rows] == list(range(1_790_000_000_100, 1_790_000_000_300))


async def test_what_happened_while_nobody_watched_comes_once(feed: Feed, db: sqlite3.Connection) -> None:
    records.add_call(db)
    with feed.watching():
        await until(feed, lambda: bool(feed.since(0)))
    cursor = feed.cursor
    missed = records.add_call(db)
    with feed.watching():
        await until(feed, lambda: bool(feed.since(feed.seen(cursor))))
    assert [row["id"] for row in feed.since(feed.seen(cursor))] == [missed]


@pytest.mark.parametrize("cursor", [None, "", "x", "-", "--", "deadbeef-4-4", "-4-4", "²-²-²"])
async def test_a_strange_cursor_is_the_beginning(feed: Feed, cursor: str | None) -> None:
    assert feed.seen(cursor) == 0


async def test_a_cursor_from_the_future_is_now(feed: Feed) -> None:
    assert feed.seen(feed.cursor.split("-")[0] + "-999999-0") == 0


async def test_the_database_may_come_later_and_be_replaced(
    feed: Feed, data_dir: Path, tmp_path: Path
) -> None:
    data_dir.mkdir()
    with feed.watching():
        await feed.change(0.1)
        for name in ("one", "two"):
            db = records.make(tmp_path / name)
            call_id = records.add_call(db)
            db.close()
            (tmp_path / name / "traffic.db").replace(data_dir / "traffic.db")
            await until(feed, lambda call_id=call_id: [row["id"] for row in feed.since(0)] == [call_id])  # type: ignore[misc]


async def test_a_mistake_in_showing_does_not_end_the_feed(
    feed: Feed, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown = calls.row
    broken = [True]

    def row(call: Any) -> dict[str, Any]:
        if broken.pop() if broken else False:
            raise TypeError("something nobody thought of")
        return shown(call)

    monkeypatch.setattr(calls, "row", row)
    records.add_call(db)
    with feed.watching():
        await until(feed, lambda: "could not be made ready" in caplog.text)
        records.add_call(db)
        await until(feed, lambda: len(feed.since(0)) == 2)


async def test_problems_are_told(feed: Feed, data_dir: Path) -> None:
    with feed.watching():
        await until(feed, lambda: bool(feed.problems))
    assert feed.problems[0].command == "llmitm up"
