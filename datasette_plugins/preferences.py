"""`/-/preferences`: how a person likes the dashboard, and what they may do with their own account."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, available_timezones

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard, units
from intelligence.store import control
from intelligence.store.preferences import (
    DEFAULTS,
    DENSITIES,
    THEMES,
    PreferenceError,
    Preferences,
    of,
    save,
)

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

SCOPE = "llmitm_preferences"
START_PAGES = {"/": "Calls", "/-/health": "Health", "/traffic": "Tables"}
MOST_FORM_BYTES = 10_000


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


@access.page
async def preferences(datasette: Datasette, request: Request) -> Response:
    if request.method != "POST":
        return await _form(datasette, request)
    given = await access.form(request, MOST_FORM_BYTES)
    chosen = Preferences(**{name: given.get(name, getattr(DEFAULTS, name)) for name in vars(DEFAULTS)})
    try:
        if chosen.start not in START_PAGES:
            raise PreferenceError(f"{chosen.start!r} is no page to start with")
        await asyncio.to_thread(_save, dashboard.here(datasette).data_dir, request.actor["id"], chosen)
    except PreferenceError as e:
        return await _form(datasette, request, error=str(e), status=400)
    return access.see_other(datasette, "/-/preferences")


def _save(data_dir: Path, user: str, chosen: Preferences) -> None:
    with control.changing(data_dir) as db:
        save(db, user, chosen)


async def _form(
    datasette: Datasette, request: Request, *, error: str | None = None, status: int = 200
) -> Response:
    context: dict[str, Any] = {
        "chosen": await in_force(datasette, request),
        "themes": THEMES,
        "densities": DENSITIES,
        "zones": sorted(available_timezones()),
        "starts": {
            path: label
            for path, label in START_PAGES.items()
            if path != "/traffic" or access.may(request.actor, "view-table")
        },
        "error": error,
    }
    html = await datasette.render_template("llmitm_preferences.html", context, request=request)
    return Response.html(html, status=status)
