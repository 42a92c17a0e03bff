"""The dashboard: a Datasette plugin, a module per page. Here are only the hooks, and each does one line of work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from datasette.permissions import Action, PermissionSQL
from datasette.utils.asgi import Request
from jinja2 import Environment
from pluggy import HookimplMarker

from datasette_plugins import (
    access,
    audit_page,
    call,
    cells,
    dashboard,
    decisions_page,
    errors,
    health_page,
    limits_page,
    live,
    login,
    policy_check,
    policy_page,
    preferences,
    reader,
    replay,
    search_page,
    session_export,
    session_page,
    session_tools,
    sessions_page,
    stream,
    tables,
    traffic,
    units,
    users,
)
from datasette_plugins.guard import App, guard
from datasette_plugins.overview import page as overview

if TYPE_CHECKING:
    from datasette.app import Datasette

hookimpl = HookimplMarker("datasette")

ROUTES = [
    (r"^/$", overview.overview),
    (r"^/-/live$", live.live),
    (r"^/-/live/events$", stream.events),
    (r"^/-/health$", health_page.health),
    (r"^/-/calls/(?P<id>[^/]+)$", call.call),
    (r"^/-/calls/(?P<id>[^/]+)/(?P<side>request|response)$", call.body),
    (r"^/-/calls/(?P<id>[^/]+)/copy/(?P<form>curl|python|json)$", call.copy),
    (r"^/-/sessions$", sessions_page.sessions),
    (r"^/-/sessions/(?P<id>[^/]+)$", session_page.session),
    (r"^/-/sessions/(?P<id>[^/]+)/tools$", session_tools.tools),
    (r"^/-/sessions/(?P<id>[^/]+)/replay$", replay.replay),
    (r"^/-/sessions/(?P<id>[^/]+)/replay/(?P<call>[^/]+)$", replay.replayed_call),
    (r"^/-/sessions/(?P<id>[^/]+)/export/(?P<form>markdown|jsonl|openai|anthropic)$", session_export.export),
    (r"^/-/search$", search_page.search),
    (r"^/-/decisions$", decisions_page.decisions),
    (r"^/-/policy$", policy_page.policy),
    (r"^/-/policy/check$", policy_check.check),
    (r"^/-/policy/schema$", policy_check.schema),
    (r"^/-/policy/backtest$", policy_check.backtested),
    (r"^/-/limits$", limits_page.limits),
    (r"^/-/log-in$", login.log_in),
    (r"^/-/log-out$", login.log_out),
    (r"^/-/password$", login.password),
    (r"^/-/preferences$", preferences.preferences),
    (r"^/-/users$", users.users),
    (r"^/-/audit$", audit_page.audit),
    (r"^/-/audit/export/(?P<form>json|csv)$", audit_page.export),
]


@hookimpl
def startup(datasette: Datasette) -> None:
    if here := dashboard.of(datasette):
        here.traffic.attached(datasette)
        datasette.add_background_task(here.feed.run, name="feed")


@hookimpl
def register_routes(datasette: Datasette) -> list[tuple[str, Any]]:
    return ROUTES if dashboard.of(datasette) else []


@hookimpl
def asgi_wrapper(datasette: Datasette) -> Any:
    here = dashboard.of(datasette)

    def wrap(app: App) -> App:
        if here is None:
            return app
        return guard(here.traffic.before(tables.narrowed(app), datasette), here.hosts, here.origins)

    return wrap


@hookimpl
def register_actions(datasette: Datasette) -> list[Action]:
    return access.ACTIONS


@hookimpl(tryfirst=True)
def actor_from_request(datasette: Datasette, request: Request) -> Any:
    return login.actor(datasette, request) if dashboard.of(datasette) else None


@hookimpl
def permission_resources_sql(
    datasette: Datasette, actor: dict[str, Any] | None, action: str
) -> PermissionSQL | None:
    return access.rules(actor, action) if dashboard.of(datasette) else None


@hookimpl
def prepare_jinja2_environment(env: Environment, datasette: Datasette) -> None:
    env.filters.update({f"llmitm_{name}": f for name, f in units.FILTERS.items()})


@hookimpl
def extra_template_vars(datasette: Datasette, request: Request | None) -> Any:
    here = dashboard.of(datasette)

    async def frame() -> dict[str, Any]:
        if here is None:
            return {}
        actor = request.actor if request else None
        inside = access.may(actor, access.SEE_CALLS.name)
        tables = access.may(actor, "view-table") and here.traffic.attached(datasette)
        return {
            "llmitm_problems": await here.feed.checked_problems() if inside else [],
            "llmitm_database": traffic.DATABASE if tables else None,
            "llmitm_user": actor if inside else None,
            "llmitm_users": access.may(actor, access.MANAGE_USERS.name),
            "llmitm_preferences": await reader.in_force(datasette, request),
        }

    return frame


@hookimpl
def extra_css_urls(template: str | None, datasette: Datasette) -> list[str]:
    ours = template is not None and template.startswith("llmitm_")
    return [] if ours or not dashboard.of(datasette) else [datasette.static("llmitm.css", plugin="llmitm")]


@hookimpl
def render_cell(value: Any, column: str, table: str | None, database: str, datasette: Datasette) -> Any:
    return cells.render(datasette, database, table, column, value) if dashboard.of(datasette) else None


@hookimpl
def top_database(datasette: Datasette, request: Request, database: str) -> Any:
    return tables.top_of_database(datasette, request, database) if dashboard.of(datasette) else None


@hookimpl
def top_table(datasette: Datasette, request: Request, database: str, table: str) -> Any:
    return tables.top_of_table(datasette, request, database, table) if dashboard.of(datasette) else None


@hookimpl(tryfirst=True)
def forbidden(datasette: Datasette, request: Request, message: str) -> Any:
    return login.refused(datasette, request, message) if dashboard.of(datasette) else None


@hookimpl(tryfirst=True)
def handle_exception(datasette: Datasette, request: Request, exception: BaseException) -> Any:
    return errors.respond(datasette, request, exception) if dashboard.of(datasette) else None
