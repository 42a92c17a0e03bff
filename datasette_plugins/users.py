"""`/-/users`: who may come in. For admins."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard, units
from intelligence.store import accounts, control, logins
from intelligence.store.accounts import ROLES, AccountError

if TYPE_CHECKING:
    from datasette.app import Datasette

MOST_FORM_BYTES = 10_000

type Change = Callable[[sqlite3.Connection, str, str, dict[str, str]], None]
CHANGES: dict[str, Change] = {
    "add": lambda db, actor, name, form: accounts.add(
        db,
        actor,
        name,
        form.get("role", ""),  # type: ignore[arg-type]
        form.get("password", ""),
    ),
    "role": lambda db, actor, name, form: accounts.set_role(db, actor, name, form.get("role", "")),  # type: ignore[arg-type]
    "password": lambda db, actor, name, form: accounts.set_password(
        db, actor, name, form.get("password", "")
    ),
    "log out": lambda db, actor, name, form: logins.end_sessions(db, actor, name),
    "remove": lambda db, actor, name, form: accounts.remove(db, actor, name),
}


@access.page_for(access.MANAGE_USERS)
async def users(datasette: Datasette, request: Request) -> Response:
    here = dashboard.here(datasette)
    if request.method != "POST":
        return await _page(datasette, request)
    form = await access.form(request, MOST_FORM_BYTES)
    try:
        async with here.password_checks:
            await asyncio.to_thread(_change, here.data_dir, request.actor["id"], form)
    except AccountError as e:
        return await _page(datasette, request, str(e), 400)
    return access.see_other(datasette, "/-/users")


def _change(data_dir: Path, actor: str, form: dict[str, str]) -> None:
    if (change := CHANGES.get(form.get("do", ""))) is None:
        raise AccountError("this form asks for nothing that can be done")
    with control.changing(data_dir) as db:
        change(db, actor, form.get("name", "").strip().lower(), form)


async def _page(
    datasette: Datasette, request: Request, error: str | None = None, status: int = 200
) -> Response:
    def read() -> list[accounts.User]:
        with control.reading(dashboard.here(datasette).data_dir) as db:
            return accounts.users(db)

    context = {
        "users": [(user, units.clock(user.seen_at)) for user in await asyncio.to_thread(read)],
        "roles": ROLES,
        "least_length": accounts.LEAST_LENGTH,
        "error": error,
    }
    html = await datasette.render_template("llmitm_users.html", context, request=request)
    return Response.html(html, status=status)
