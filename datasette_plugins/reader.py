"""How the person who asks for a page likes it. Read once a request, before the page is made, as it decides on times in it."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from datasette.utils.asgi import Request

from datasette_plugins import dashboard, units
from intelligence.store import control
from intelligence.store.preferences import DEFAULTS, Preferences, of

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

SCOPE = "llmitm_preferences"


async def in_force(datasette: Datasette, request: Request | None) -> Preferences:
    """Those of who asks, read once a request. `control.db` out of order is no reason to show no page."""
    if request is None or request.actor is None:
        return DEFAULTS
    if SCOPE not in request.scope:
        try:
            here = dashboard.here(datasette)
            request.scope[SCOPE] = await asyncio.to_thread(_read, here.data_dir, request.actor["id"])
        except sqlite3.Error as e:
            log.warning("preferences cannot be read: %s", e)
            request.scope[SCOPE] = DEFAULTS
    found: Preferences = request.scope[SCOPE]
    with suppress(ValueError, OSError):  # a zone that the system has no longer
        units.ZONE.set(ZoneInfo(found.time_zone) if found.time_zone else None)
    return found


def _read(data_dir: Path, user: str) -> Preferences:
    with control.reading(data_dir) as db:
        return of(db, user)
