"""What waits for somebody: a list of functions, each of which gives one line with a count, or nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from datasette_plugins import review_queue
from datasette_plugins.dashboard import Dashboard
from datasette_plugins.overview.content import Content
from datasette_plugins.traffic import connect
from intelligence.store import control, reviews


@dataclass(frozen=True)
class Item:
    """`link` is a path of ours, or a place on this page; `level` is `error`, `warning` or `note`."""

    label: str
    count: int
    link: str
    level: str = "note"


async def problems(here: Dashboard, _content: Content) -> Item | None:
    found = await here.feed.checked_problems()
    worst = "error" if any(p.level == "error" for p in found) else "warning"
    return Item(_of(len(found), "open problem"), len(found), "/-/health", worst)


async def failing(_here: Dashboard, content: Content) -> Item | None:
    count = sum(status.state == "failing" for status in content.statuses)
    return Item(_of(count, "provider") + (" fails" if count == 1 else " fail"), count, "#providers", "error")


async def slow(_here: Dashboard, content: Content) -> Item | None:
    count = sum(status.state == "slow" for status in content.statuses)
    return Item(_of(count, "provider") + " slower than usual", count, "#providers", "warning")


async def unpriced(_here: Dashboard, content: Content) -> Item | None:
    return Item(_of(content.unpriced, "call") + " without a known price", content.unpriced, "#breakdown")


async def detections(here: Dashboard, _content: Content) -> Item | None:
    count = await asyncio.to_thread(_unreviewed, here.data_dir)
    return Item(_of(count, "detection") + " nobody has looked at", count, "/-/decisions", "warning")


def _unreviewed(data_dir: Path) -> int:
    """Nothing where there is nothing to read yet, or just now."""
    try:
        with control.reading(data_dir) as log, closing(connect(data_dir / "traffic.db")) as db:
            return review_queue.open_count(db, reviews.reviewed(log))
    except sqlite3.Error:
        return 0


SOURCES: list[Callable[[Dashboard, Content], Awaitable[Item | None]]] = [
    problems,
    failing,
    slow,
    detections,
    unpriced,
]


async def open_items(here: Dashboard, content: Content) -> list[Item]:
    found = [await source(here, content) for source in SOURCES]
    return [item for item in found if item is not None and item.count]


def _of(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
