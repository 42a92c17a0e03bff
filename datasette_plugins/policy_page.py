"""`/-/policy`: the rules in force, their files, what they said before, and the kill switch.

Everyone sees; an admin edits. What is saved is tried first, and a fault keeps the file as it was; `policy_check` tells of faults
as one types. The worker puts a saved file in force within a second.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard, policy_lists, units
from datasette_plugins.policy_check import difference
from intelligence.detect.lazily import lazy_detector
from intelligence.policy import handed
from intelligence.policy.panic import panic_of
from intelligence.policy.text_file import MAX_BYTES, PolicyError
from intelligence.store import control, kill_switch, policy_history
from intelligence.store.policy_history import EditError

if TYPE_CHECKING:
    from datasette.app import Datasette

    from datasette_plugins.dashboard import Dashboard

PATH = "/-/policy"
MOST_FORM_BYTES = 4 * MAX_BYTES
HISTORY = 30
FIRST = "# yaml-language-server: $schema=policy.schema.json\nrules:\n"


@access.page
async def policy(datasette: Datasette, request: Request) -> Response:
    if request.method == "POST":
        return await _change(datasette, request)
    here = dashboard.here(datasette)
    name, line = await asyncio.to_thread(_wanted, here, request)
    return await _page(datasette, request, name, line=line)


def _wanted(here: Dashboard, request: Request) -> tuple[str, int]:
    """The file asked for by name, or that of a rule in force; else the first."""
    given, line = request.args.get("file") or "", 0
    if rule := request.args.get("rule"):
        source = (handed.summary(here.data_dir) or {}).get("sources", {}).get(rule, "")
        given, _, at = str(source).partition(":")
        line = int(at) if at.isdigit() else 0
    if not given:
        given = next(iter(policy_history.names(here.policy_dir)), "")
    return given, line


async def _change(datasette: Datasette, request: Request) -> Response:
    await datasette.ensure_permission(action=access.GOVERN.name, actor=request.actor)
    here = dashboard.here(datasette)
    form = await access.form(request, MOST_FORM_BYTES)
    name = form.get("file", "").strip()
    text = re.sub(r"\r\n?", "\n", form["text"]) if "text" in form else None
    try:
        async with here.policy_checks:
            await asyncio.to_thread(_do, here, request.actor["id"], form, name, text)
    except (EditError, PolicyError) as e:
        return await _page(datasette, request, name, text=text, error=str(e), status=400)
    except (sqlite3.Error, OSError) as e:
        return await _page(
            datasette, request, name, text=text, error=f"it could not be written: {e}", status=500
        )
    except kill_switch.NotWrittenDown as e:
        said = f"the kill switch stands as you asked, but {e}"
        return await _page(datasette, request, name, text=text, error=said, status=500)
    here.feed.look_at_health()
    there = (here.policy_dir / name).is_file() if name else False
    return access.see_other(datasette, f"{PATH}?file={name}" if there else PATH)


def _do(here: Dashboard, actor: str, form: dict[str, str], name: str, text: str | None) -> None:
    """Raises `EditError`, `PolicyError`, `sqlite3.Error`, `OSError`."""
    do, reason = form.get("do", ""), form.get("reason", "")
    was = form.get("was", "")
    if do == "save" and text is not None:
        _save(here, actor, name, text, reason, was)
    elif do == "remove":
        _save(here, actor, name, None, reason, was)
    elif do == "roll back":
        id_ = form.get("change", "")
        with control.reading(here.data_dir) as db:
            found = policy_history.change(db, int(id_)) if id_.isascii() and id_.isdigit() else None
        if found is None:
            raise EditError("this change is not in the history")
        now = policy_history.digest(policy_history.text_of(here.policy_dir, found.file))
        _save(here, actor, found.file, found.before, reason or f"back to before change {found.id}", now)
    elif do in ("enable", "disable"):
        _switch(here, actor, form.get("template", ""), do == "enable", reason)
    elif do in ("panic", "resume"):
        _panic(here, actor, form, reason)
    else:
        raise EditError("this form asks for nothing that can be done")


def _save(here: Dashboard, actor: str, name: str, text: str | None, reason: str, was: str) -> None:
    policy_history.save(here.data_dir, here.policy_dir, lazy_detector(), actor, name, text, reason, was)


def _switch(here: Dashboard, actor: str, template: str, on: bool, reason: str) -> None:
    if template not in policy_history.templates(here.policy_dir):
        raise EditError(f"there is no template {template!r}")
    name = f"{template}.yaml"
    there = policy_history.text_of(here.policy_dir, name)
    if on and there is not None:
        raise EditError(f"{name} is there already")
    if not on and (there is None or "rules:" in there):
        raise EditError(f"{name} does more than switch the template on: edit it instead")
    text = policy_history.switched_on(template) if on else None
    _save(
        here,
        actor,
        name,
        text,
        reason or f"template switched {'on' if on else 'off'}",
        policy_history.digest(there),
    )


def _panic(here: Dashboard, actor: str, form: dict[str, str], reason: str) -> None:
    if form["do"] == "panic":
        mode = form.get("mode")
        if mode not in ("block", "observe"):
            raise EditError("the kill switch blocks, or observes")
        kill_switch.throw(here.data_dir, "block" if mode == "block" else "observe", actor, reason[:500])
    elif not kill_switch.release(here.data_dir, actor, reason):
        raise EditError("the kill switch is not thrown")


async def _page(
    datasette: Datasette,
    request: Request,
    name: str,
    *,
    text: str | None = None,
    line: int = 0,
    error: str | None = None,
    status: int = 200,
) -> Response:
    here = dashboard.here(datasette)
    context = await asyncio.to_thread(_context, here, name)
    if text is not None:
        context["text"] = text
    if error:
        context["faults"] = [policy_history.line_of(one) for one in error.splitlines()]
    context |= {
        "line": line,
        "may_govern": access.may(request.actor, access.GOVERN.name),
        "auth": here.auth,
        "now_ms": time.time_ns() // 1_000_000,
    }
    html = await datasette.render_template("llmitm_policy.html", context, request=request)
    return Response.html(html, status=status)


def _context(here: Dashboard, name: str) -> dict[str, Any]:
    folder = here.policy_dir
    faults: list[tuple[str, int, str]] = []
    saved: str | None = None
    if name:
        try:
            saved = policy_history.text_of(folder, name)
        except (EditError, PolicyError) as e:
            faults.append(policy_history.line_of(str(e)))
    in_force = handed.summary(here.data_dir) or {}
    with control.reading(here.data_dir) as db:
        history = policy_history.changes(db, None, HISTORY)
    names, templates = policy_history.names(folder), policy_history.templates(folder)
    sources = in_force.get("sources", {})
    on = {str(source).partition(":")[0] for source in sources.values()}
    wrong = handed.fault(here.data_dir)
    return {
        "folder": folder,
        "names": names,
        "templates": [(t, f"templates/{t}.yaml" in on or f"{t}.yaml" in names) for t in templates],
        "name": name,
        "new": bool(name) and saved is None,
        "text": (saved if saved is not None else FIRST) if name else "",
        "was": policy_history.digest(saved),
        "is_template": name.startswith("templates/"),
        "rules": [(rule, str(sources.get(rule.get("id"), ""))) for rule in in_force.get("rules", [])],
        "lists": policy_lists.read(here.data_dir, in_force),
        "version": in_force.get("version"),
        "made_at": in_force.get("made_at_ms"),
        "wrong": [policy_history.line_of(one) for one in (wrong or "").splitlines()],
        "panic": panic_of(here.data_dir),
        "faults": faults,
        "history": [
            (change, units.clock(change.at), difference(change.before or "", change.after or ""))
            for change in history
        ],
    }
