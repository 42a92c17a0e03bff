"""`/-/preferences`: how a person likes the dashboard, and what they may do with their own account."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard
from datasette_plugins.reader import in_force
from intelligence.store import control
from intelligence.store.preferences import (
    DEFAULTS,
    DENSITIES,
    THEMES,
    PreferenceError,
    Preferences,
    save,
)

if TYPE_CHECKING:
    from datasette.app import Datasette

START_PAGES = {
    "/": "Overview",
    "/-/live": "Live",
    "/-/sessions": "Sessions",
    "/-/search": "Search",
    "/-/health": "Health",
    "/traffic": "Tables",
}
MOST_FORM_BYTES = 10_000


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
