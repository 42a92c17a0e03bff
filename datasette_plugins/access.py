"""Who may see what. One place, so that log-ins and roles can take it over without touching a page.

Datasette asks `rules` for every action on every resource and denies what nobody allows (`default_deny`). Plugin routes are not
covered by that, so each of ours is made by `page` or `stream`, which ask first. On loopback there is one user, who may read
everything and change nothing: only the worker writes the record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from datasette.permissions import Action, PermissionSQL
from datasette.utils.asgi import Request, Response

from datasette_plugins.guard import STRICT_CSP, Receive, Send
from datasette_plugins.traffic import DATABASE

if TYPE_CHECKING:
    from datasette.app import Datasette

SEE_CALLS = Action(name="see-calls", description="See calls: counts, requests, answers")
LOCAL_USER = {"id": "local"}
READING = frozenset({SEE_CALLS.name, "view-instance", "view-database", "view-table", "view-query"})
# `default_allow_sql` is off, which denies SQL everywhere; only a rule for one database, being nearer, can allow it there.
SQL_HERE = (
    """select :llmitm_database as parent, null as child, 1 as allow, 'the user of this machine' as reason"""
)

type Page = Callable[[Datasette, Request], Awaitable[Response]]
type Stream = Callable[[Datasette, Request, Send, Receive], Awaitable[None]]


def rules(actor: dict[str, Any] | None, action: str) -> PermissionSQL | None:
    """What Datasette is told when it asks whether `actor` may do `action`."""
    if actor != LOCAL_USER:
        return None
    if action == "execute-sql":
        return PermissionSQL(sql=SQL_HERE, params={"llmitm_database": DATABASE})
    return PermissionSQL.allow(reason="the user of this machine") if action in READING else None


def page(view: Page) -> Callable[..., Awaitable[Response]]:
    """A route that answers a whole page, for those who may see calls."""

    async def checked(datasette: Datasette, request: Request) -> Response:
        await datasette.ensure_permission(action=SEE_CALLS.name, actor=request.actor)
        response = await view(datasette, request)
        response.headers.setdefault("content-security-policy", STRICT_CSP)
        response.headers.setdefault("cache-control", "private, no-store")
        return response

    return checked


def stream(view: Stream) -> Callable[..., Awaitable[None]]:
    """A route that sends its answer by itself, for those who may see calls."""

    async def checked(datasette: Datasette, request: Request, send: Send, receive: Receive) -> None:
        await datasette.ensure_permission(action=SEE_CALLS.name, actor=request.actor)
        await view(datasette, request, send, receive)

    return checked
