"""Who may see what. One place, so that no page decides it.

Datasette asks `rules` for every action on every resource and denies what nobody allows (`default_deny`). Plugin routes are not
covered by that, so each of ours is made by `page`, `page_for` or `stream_for`, which ask first; only the log-in is an
`open_page`. Without log-in there is one user, who may read everything and decide nothing: on a machine of several people anyone
could be that user. With log-in, people have roles. A viewer sees our pages with what is secret or private replaced (`mask`), but
no raw bytes, no export, no table and no SQL: there, what a page leaves out could be asked for piece by piece. A reviewer also
says what detections are worth; an admin also edits policy and throws the kill switch. Nobody writes the record: only the worker
does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from datasette.permissions import Action, PermissionSQL
from datasette.utils.asgi import Request, Response

from datasette_plugins import dashboard
from datasette_plugins.guard import STRICT_CSP, Receive, Send
from datasette_plugins.mask import NOTHING_HIDDEN, Mask
from datasette_plugins.reader import in_force
from datasette_plugins.traffic import DATABASE

if TYPE_CHECKING:
    from datasette.app import Datasette

SEE_CALLS = Action(name="see-calls", description="See calls: counts, requests, answers")
MANAGE_USERS = Action(name="manage-users", description="Say who may log in; read the audit log")
SEE_SECRETS = Action(
    name="see-secrets", description="Read calls as they were recorded, secrets and private data included"
)
REVIEW = Action(name="review", description="Say what detections and decisions are worth")
GOVERN = Action(name="govern", description="Edit policy files; throw the kill switch")
ACTIONS = [SEE_CALLS, SEE_SECRETS, MANAGE_USERS, REVIEW, GOVERN]
LOCAL_USER = {"id": "local"}

VIEWING = frozenset({SEE_CALLS.name})
READING = VIEWING | {
    SEE_SECRETS.name,
    "view-instance",
    "view-database",
    "view-table",
    "view-query",
    "execute-sql",
}
REVIEWING = READING | {REVIEW.name}
BY_ROLE = {
    "viewer": VIEWING,
    "reviewer": REVIEWING,
    "admin": REVIEWING | {MANAGE_USERS.name, GOVERN.name},
}
# `default_allow_sql` is off, which denies SQL everywhere; only a rule for one database, being nearer, can allow it there.
SQL_HERE = "select :llmitm_database as parent, null as child, 1 as allow, 'may use SQL' as reason"

type Page = Callable[[Datasette, Request], Awaitable[Response]]
type Stream = Callable[[Datasette, Request, Send, Receive], Awaitable[None]]


def may(actor: dict[str, Any] | None, action: str) -> bool:
    """Whether `actor` may do `action` somewhere. Everything else here follows from it."""
    if actor == LOCAL_USER:
        return action in READING
    return actor is not None and action in BY_ROLE.get(actor.get("role", ""), ())


def least_role(action: str) -> str | None:
    """The first of the roles that may do `action`; None where no role may, or where it is no action."""
    return next((role for role, allowed in BY_ROLE.items() if action in allowed), None)


def rules(actor: dict[str, Any] | None, action: str) -> PermissionSQL | None:
    """What Datasette is told when it asks whether `actor` may do `action`."""
    if not may(actor, action):
        return None
    if action == "execute-sql":
        return PermissionSQL(sql=SQL_HERE, params={"llmitm_database": DATABASE})
    return PermissionSQL.allow(reason="the user's role")


def sees_secrets(actor: dict[str, Any] | None) -> bool:
    return may(actor, SEE_SECRETS.name)


async def mask_for(datasette: Datasette, request: Request) -> Mask:
    """What is to be hidden from who asks, of every text that is shown or searched."""
    if sees_secrets(request.actor):
        return NOTHING_HIDDEN
    return await asyncio.to_thread(dashboard.here(datasette).masking.mask)


def page_for(action: Action) -> Callable[[Page], Callable[..., Awaitable[Response]]]:
    """A route that answers a whole page, for those who may do `action`."""

    def made(view: Page) -> Callable[..., Awaitable[Response]]:
        async def checked(datasette: Datasette, request: Request) -> Response:
            await datasette.ensure_permission(action=action.name, actor=request.actor)
            await in_force(datasette, request)
            return _guarded(await view(datasette, request))

        return checked

    return made


# A route that answers a whole page, for those who may see calls.
page = page_for(SEE_CALLS)


def open_page(view: Page) -> Callable[..., Awaitable[Response]]:
    """A route for everybody who reaches the dashboard: it must say nothing about what is in it."""

    async def answered(datasette: Datasette, request: Request) -> Response:
        return _guarded(await view(datasette, request))

    return answered


def stream_for(action: Action) -> Callable[[Stream], Callable[..., Awaitable[None]]]:
    """A route that sends its answer by itself, for those who may do `action`."""

    def made(view: Stream) -> Callable[..., Awaitable[None]]:
        async def checked(datasette: Datasette, request: Request, send: Send, receive: Receive) -> None:
            await datasette.ensure_permission(action=action.name, actor=request.actor)
            await view(datasette, request, send, receive)

        return checked

    return made


def see_other(datasette: Datasette, path: str) -> Response:
    """After a form: the page to look at, so that reloading sends nothing twice. `path` is one of ours."""
    return Response.redirect(datasette.urls.path(path), status=303)


async def fields(request: Request, most_bytes: int) -> list[tuple[str, str]]:
    """As `form`, of a form in which a name may come more than once."""
    body = await request.post_body(max_bytes=most_bytes)
    return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)


async def form(request: Request, most_bytes: int) -> dict[str, str]:
    """The fields of a posted form; of damaged bytes what can be read."""
    body = await request.post_body(max_bytes=most_bytes)
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _guarded(response: Response) -> Response:
    response.headers.setdefault("content-security-policy", STRICT_CSP)
    response.headers.setdefault("cache-control", "private, no-store")
    return response
