"""`/-/audit`: who changed or decided what, and whether the log is as it was written. For admins.

The chain is checked in a thread, at most once a minute while entries come; the page says what the last check found, and up to
which entry.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard, units
from datasette_plugins.dashboard import Dashboard
from intelligence.store import audit as chain
from intelligence.store import control
from intelligence.store.audit_export import FORMS

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

ENTRIES = 100
EXPORTED = 200_000
AGAIN_SECONDS = 60
# A short log is checked before the page is answered.
WAIT_SECONDS = 0.1
TYPES = {"json": "application/json", "csv": "text/csv; charset=utf-8"}
ACTIONS = """
with recursive a (action) as (
    select min(action) from audit_log union all
    select (select min(action) from audit_log where action > a.action) from a where a.action is not null
) select action from a where action is not null limit 100"""


@dataclass
class Verified:
    """What the last check found; None before the first is through. `at` is of the monotonic clock."""

    report: chain.Report | None = None
    error: str | None = None
    at: float = float("-inf")
    task: asyncio.Task[None] | None = field(default=None, repr=False)


_verified: WeakKeyDictionary[Dashboard, Verified] = WeakKeyDictionary()


@access.page_for(access.MANAGE_USERS)
async def audit(datasette: Datasette, request: Request) -> Response:
    given = request.args.get("before") or ""
    before = int(given) if given.isascii() and given.isdigit() and len(given) < 19 else None
    who, action = ((request.args.get(name) or "").strip() for name in ("actor", "action"))
    here = dashboard.here(datasette)

    def read() -> tuple[list[dict[str, Any]], list[str]]:
        with control.reading(here.data_dir) as db:
            found = control.audited(db, ENTRIES, before, actor=who or None, action=action or None)
            return found, [name for (name,) in db.execute(ACTIONS)]

    entries, actions = await asyncio.to_thread(read)
    context = {
        "entries": [entry | {"clock": units.clock(entry["at"])} for entry in entries],
        "older": entries[-1]["id"] if len(entries) == ENTRIES else None,
        "who": who,  # `actor` is whoever asks, in each of Datasette's templates
        "action": action,
        "actions": actions,
        "verified": await _verify(here),
    }
    return Response.html(await datasette.render_template("llmitm_audit.html", context, request=request))


@access.page_for(access.MANAGE_USERS)
async def export(datasette: Datasette, request: Request) -> Response:
    """The latest entries, as a file."""
    form = request.url_vars["form"]
    here = dashboard.here(datasette)

    def made() -> str:
        with control.reading(here.data_dir) as db:
            (last,) = db.execute("select coalesce(max(id), 0) from audit_log").fetchone()
            found = [one for one in chain.entries(db) if one["id"] > last - EXPORTED]
        return FORMS[form](None, None, found)

    headers = {"content-disposition": f'attachment; filename="audit.{form}"'}
    return Response(await asyncio.to_thread(made), content_type=TYPES[form], headers=headers)


async def _verify(here: Dashboard) -> Verified:
    state = _verified.setdefault(here, Verified())
    if state.task is None and time.monotonic() - state.at > AGAIN_SECONDS:
        state.task = asyncio.create_task(_run(here.data_dir, state))
    if state.task:
        await asyncio.wait({state.task}, timeout=WAIT_SECONDS)
    return state


async def _run(data_dir: Path, state: Verified) -> None:
    def verify() -> chain.Report:
        with control.reading(data_dir) as db:
            return chain.verify(db)

    try:
        state.report, state.error = await asyncio.to_thread(verify), None
    except (sqlite3.Error, OSError) as e:
        state.error = str(e)
    except Exception:  # the boundary of the task: the page must not wait forever
        log.exception("the audit log could not be checked")
        state.error = "the log of the dashboard says why"
    finally:
        state.at, state.task = time.monotonic(), None
