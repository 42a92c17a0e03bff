"""`/-/log-in` and `/-/log-out`, and who a request comes from.

The browser holds a token in a cookie that no script can read and no other site can send along; everything else about a
session is in `control.db`, read at each request. A password is checked in a thread, few at a time, as each check takes 64 MiB.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard, errors
from datasette_plugins.reader import in_force
from intelligence.store import accounts, control, logins
from intelligence.store.accounts import AccountError

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

COOKIE = "llmitm_session"
# Of a name or password that anyone could have.
MOST_FORM_BYTES = 10_000
NOBODY = (
    "This takes the role {role}, and nobody has one without log-in. “llmitm user add NAME --role {role}” makes an account, and "
    '“auth = "password"” under [dashboard] in mitm.toml has people log in.'
)
TO_EXPORT = " “llmitm audit export” writes the audit log out without."


async def actor(datasette: Datasette, request: Request) -> dict[str, Any] | None:
    """Who asks, with the role they have now. A session that cannot be looked up counts as none."""
    here = dashboard.of(datasette)
    if here is None:
        return None
    if here.auth == "none":
        return dict(access.LOCAL_USER)
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    try:
        found = await asyncio.to_thread(logins.look, here.data_dir, token)
    except sqlite3.Error as e:
        log.error("sessions cannot be read: %s", e)
        return None
    return {"id": found.user, "role": found.role} if found else None


@access.open_page
async def log_in(datasette: Datasette, request: Request) -> Response:
    here = dashboard.here(datasette)
    wanted = _local(request.args.get("next"))
    if here.auth == "none" or (request.actor and request.method != "POST"):
        return access.see_other(datasette, wanted or "/")
    if request.method != "POST":
        return await _form(datasette, request, wanted)
    form = await access.form(request, MOST_FORM_BYTES)
    wanted = _local(form.get("next"))
    address = _address(request)
    try:
        async with here.password_checks:
            token = await asyncio.to_thread(
                logins.log_in, here.data_dir, form.get("name", ""), form.get("password", ""), address
            )
    except logins.Throttled as e:
        log.warning("too many log-ins tried from %s", address)
        return await _form(datasette, request, wanted, str(e), 429)
    if token is None:
        log.warning("a log-in from %s failed", address)
        return await _form(datasette, request, wanted, "Name or password is wrong.", 403)
    request.scope["actor"] = await _actor_of(here.data_dir, token)
    response = access.see_other(datasette, wanted or (await in_force(datasette, request)).start)
    _set_cookie(here, request, response, token, logins.LONGEST_MS // 1000)
    return response


async def _actor_of(data_dir: Path, token: str) -> dict[str, Any] | None:
    found = await asyncio.to_thread(logins.look, data_dir, token)
    return {"id": found.user, "role": found.role} if found else None


@access.open_page
async def log_out(datasette: Datasette, request: Request) -> Response:
    here = dashboard.here(datasette)
    if request.method != "POST":
        return access.see_other(datasette, "/")
    form = await access.form(request, MOST_FORM_BYTES)
    if token := request.cookies.get(COOKIE):
        await asyncio.to_thread(
            logins.log_out, here.data_dir, token, everywhere=form.get("everywhere") == "yes"
        )
    response = access.see_other(datasette, "/-/log-in")
    _set_cookie(here, request, response, "", 0)
    return response


@access.page
async def password(datasette: Datasette, request: Request) -> Response:
    """A person's own new password; ends all their sessions, so they log in anew."""
    here = dashboard.here(datasette)
    if here.auth == "none" or request.method != "POST":
        return access.see_other(datasette, "/-/preferences")
    form = await access.form(request, MOST_FORM_BYTES)
    name, address = request.actor["id"], _address(request)
    try:
        if form.get("new") != form.get("again"):
            raise AccountError("The two new passwords differ.")
        async with here.password_checks:
            await asyncio.to_thread(
                _change, here.data_dir, name, form.get("old", ""), form.get("new", ""), address
            )
    except (AccountError, logins.Throttled) as e:
        return await errors.page(datasette, request, 400, str(e), "The password is as it was")
    response = access.see_other(datasette, "/-/log-in")
    _set_cookie(here, request, response, "", 0)
    return response


def _change(data_dir: Path, name: str, old: str, new: str, address: str) -> None:
    # By a log-in, so that who finds a browser open cannot try passwords faster than at the door.
    token = logins.log_in(data_dir, name, old, address)
    if token is None:
        raise AccountError("The old password is wrong.")
    with control.changing(data_dir) as db:
        accounts.set_password(db, name, name, new)


async def refused(datasette: Datasette, request: Request, message: str) -> Response:
    """What whoever may not see a page gets: the log-in if that may help, else the reason."""
    here = dashboard.here(datasette)
    html = request.method == "GET" and "text/html" in request.headers.get("accept", "")
    if here.auth == "password" and request.actor is None and html:
        return access.see_other(datasette, f"/-/log-in?{urlencode({'next': request.full_path})}")
    return await errors.page(datasette, request, 403, _why_not(datasette, request, message))


def _why_not(datasette: Datasette, request: Request, message: str) -> str:
    """`message` is the name of an action, or a sentence of Datasette's."""
    role = access.least_role(message)
    if role is None:
        return "Nobody may do this from here." if message in datasette.actions else message
    if dashboard.here(datasette).auth == "none":
        return NOBODY.format(role=role) + (TO_EXPORT if message == access.MANAGE_USERS.name else "")
    if request.actor is None:
        return "Nobody is logged in here, or no longer: log in, and try again."
    return f"This takes the role {role}; yours is {request.actor['role']}."


async def _form(
    datasette: Datasette,
    request: Request,
    wanted: str | None,
    error: str | None = None,
    status: int = 200,
) -> Response:
    here = dashboard.here(datasette)
    context = {
        "next": wanted,
        "error": error,
        "nobody": await asyncio.to_thread(_nobody, here.data_dir),
    }
    html = await datasette.render_template("llmitm_log_in.html", context, request=request)
    return Response.html(html, status=status)


def _nobody(data_dir: Path) -> bool:
    with control.reading(data_dir) as db, closing(db.execute("select 1 from users")) as found:
        return found.fetchone() is None


def _local(path: str | None) -> str | None:
    """A page of ours to go on to; nothing that a browser could take for another site."""
    if path and path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable():
        return path
    return None


def _address(request: Request) -> str:
    """Of the client, as attempts are counted by it: of IPv6 the /64, which one household has to itself."""
    host = (request.scope.get("client") or ("unknown", 0))[0]
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return str(host)
    if parsed.version == 6 and not parsed.ipv4_mapped:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _set_cookie(
    here: dashboard.Dashboard, request: Request, response: Response, token: str, seconds: int
) -> None:
    secure = f"https://{request.host.lower()}" in here.origins
    response.set_cookie(
        COOKIE, token, max_age=seconds, path="/", httponly=True, samesite="lax", secure=secure
    )
