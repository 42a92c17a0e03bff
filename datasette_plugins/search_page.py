"""`/-/search`: what was said, and calls by what they are. The address holds the whole search, so it can be sent to others.

The box is the truth. What is chosen from the lists below it is written into the box by a redirect, and each filter in
force can be taken away by a link. Words come from traffic, so they are put into the page as text, marks included.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette.database import Database
from datasette.utils.asgi import Request, Response

from datasette_plugins import access, calls, dashboard, units
from datasette_plugins.mask import Mask
from intelligence.store import control, saved_searches
from intelligence.store.finding import COUNTED, RANKED, Found, find
from intelligence.store.finding_shown import find_shown
from intelligence.store.saved_searches import SORTS, SavedSearch, SavedSearchError
from intelligence.store.search import CLOSE, OPEN, ROLES
from intelligence.store.search_plan import names
from intelligence.store.search_query import NAMES, STATES, Query, read, written

if TYPE_CHECKING:
    from datasette.app import Datasette

PATH = "/-/search"
MOST_FORM_BYTES = 10_000
SPANS = {"1h": "the last hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days", "1y": "a year"}
# Of forms: the filters that are written into the box.
CHOSEN = (*NAMES, "role", "state", "tool", "session", "since", "until")
LEAST_AND_MOST = ("cost", "tokens")
FIELDS = (*CHOSEN, *(f"{end}_{name}" for name in LEAST_AND_MOST for end in ("min", "max")))
# What is shown before anything is asked.
FILTERS = (
    ("model:gpt-5", "asked for; a part of a name will do, and a list: model:gpt-5,o3"),
    ("provider:anthropic", "that was called"),
    ("client:claude-code", "the program that called"),
    ("user:ada", "by the name given to the proxy"),
    ("role:user", f"who said it: {', '.join(ROLES)}"),
    ("state:error", f"how it ended: {', '.join(STATES)}"),
    ("tool:Bash", "the model asked for that tool"),
    ("session:0199a2", "an id, or how it begins"),
    ("cost>0.5", "US dollars; cost:0.1..2 is from, to"),
    ("tokens>100k", "in and out together; also input and output"),
    ("duration>30s", "ms, s, min or h"),
    ("since:7d", "min, h, d, w, y, or a day, or a moment"),
    ("until:2026-11-20", "to the end of that day"),
)
UNREAD = "select count(*) from (select 1 from to_read limit 1001)"
RECORDED = "select exists (select 1 from requests)"


@access.page
async def search(datasette: Datasette, request: Request) -> Response:
    if request.method == "POST":
        return await _change(datasette, request)
    if any(
        name in request.args for name in FIELDS
    ):  # also empty ones: the address is to hold nothing but the search
        text = " ".join(filter(None, [request.args.get("q") or "", *_chosen(request)]))
        return Response.redirect(_address(datasette, text, _sort(request.args.get("sort"))), status=303)
    return await _page(datasette, request, request.args.get("q") or "", request.args.get("sort"))


def _chosen(request: Request) -> list[str]:
    """What was chosen from lists and fields, as it is typed."""
    given = {name: (request.args.get(name) or "").strip() for name in CHOSEN}
    found = [written(name, value) for name, value in given.items() if value]
    for name in LEAST_AND_MOST:
        ends = [(request.args.get(f"{end}_{name}") or "").strip() for end in ("min", "max")]
        if any(ends):
            found.append(f"{name}:{'..'.join(ends)}".replace(" ", ""))
    return found


def _sort(given: str | None) -> str:
    return given if given in SORTS else SORTS[0]


def _address(datasette: Datasette, text: str, sort: str, before: str | None = None) -> str:
    given = {"q": text, "sort": sort if sort != SORTS[0] else None, "before": before}
    path: str = datasette.urls.path(PATH)
    query = urlencode({name: value for name, value in given.items() if value})
    return f"{path}?{query}" if query else path


async def _change(datasette: Datasette, request: Request) -> Response:
    here = dashboard.here(datasette)
    form = await access.form(request, MOST_FORM_BYTES)
    text, sort, actor = form.get("q", ""), _sort(form.get("sort")), request.actor

    def change() -> None:
        with control.changing(here.data_dir) as db:
            if form.get("do") == "save":
                saved_searches.save(
                    db, actor["id"], form.get("name", ""), text, sort, form.get("shared") == "yes"
                )
            elif form.get("do") == "remove":
                id_ = form.get("id", "")
                known = int(id_) if id_.isascii() and id_.isdigit() and len(id_) < 19 else 0
                others = access.may(actor, access.MANAGE_USERS.name)
                saved_searches.remove(db, actor["id"], known, of_others=others)
            else:
                raise SavedSearchError("this form asks for nothing that can be done")

    try:
        await asyncio.to_thread(change)
    except SavedSearchError as e:
        return await _page(datasette, request, text, sort, error=str(e), status=400)
    return Response.redirect(_address(datasette, text, sort), status=303)


async def _page(
    datasette: Datasette,
    request: Request,
    text: str,
    sort: str | None,
    *,
    error: str | None = None,
    status: int = 200,
) -> Response:
    here, now_ms = dashboard.here(datasette), time.time_ns() // 1_000_000
    query, sort = read(text, now_ms=now_ms, zone=units.ZONE.get()), _sort(sort)
    before = request.args.get("before") if request.method == "GET" else None
    db = here.traffic.attached(datasette)
    looked = await _look(db, query, await access.mask_for(datasette, request), sort, before)
    found = looked.found
    context: dict[str, Any] = {
        "text": query.text,
        "sort": sort,
        "recorded": looked.recorded,
        "asked": bool(query.terms),
        "problems": [*query.errors, *found.problems],
        "error": error,
        "terms": [(t.raw, _address(datasette, query.without(t), sort)) for t in query.filters],
        "hits": [_hit(row) for row in found.rows],
        "total": None if before else _total(found),
        "back_to": None if found.back_to_ms is None else units.clock(found.back_to_ms),
        "more": found.more and _address(datasette, query.text, sort, found.more),
        "newest": _address(datasette, query.text, "newest"),
        "best": _address(datasette, query.text, "best") if query.match() else None,
        "later": before is not None,
        "ranked": RANKED,
        "lists": looked.names | {"role": list(ROLES), "state": list(STATES)},
        "spans": SPANS,
        "examples": FILTERS,
        "unread": looked.unread,
        "saved": [(s, _address(datasette, s.query, s.sort)) for s in await _saved(datasette, request)],
        "may_remove_others": access.may(request.actor, access.MANAGE_USERS.name),
        "now_ms": now_ms,
    }
    return Response.html(
        await datasette.render_template("llmitm_search.html", context, request=request), status=status
    )


@dataclass(frozen=True)
class Looked:
    """`recorded` is whether there is any call; `unread` tells of calls whose words cannot be searched yet, and may be empty."""

    found: Found = field(default_factory=Found)
    names: dict[str, list[str]] = field(default_factory=dict)
    unread: str = ""
    recorded: bool = False


async def _look(db: Database | None, query: Query, mask: Mask, sort: str, before: str | None) -> Looked:
    if db is None:
        return Looked()

    def look(conn: sqlite3.Connection) -> Looked:
        ranked = sort == "best"
        if mask:
            shown = lambda text, cut: mask.text(text, cut=cut)  # noqa: E731
            found = find_shown(conn, query, shown, ranked=ranked, before=before)
        else:
            found = find(conn, query, ranked=ranked, before=before)
        unread = conn.execute(UNREAD).fetchone()[0]
        return Looked(
            found,
            {name: names(conn, name) for name in NAMES},
            "more than 1,000" if unread > 1000 else str(unread or ""),
            bool(conn.execute(RECORDED).fetchone()[0]),
        )

    try:
        looked: Looked = await db.execute_fn(look)
        return looked
    except sqlite3.Error as e:
        return Looked(Found(problems=(f"The record cannot be searched just now: {e}.",)), recorded=True)


async def _saved(datasette: Datasette, request: Request) -> list[SavedSearch]:
    def kept() -> list[SavedSearch]:
        with control.reading(dashboard.here(datasette).data_dir) as db:
            return saved_searches.of(db, request.actor["id"])

    try:
        return await asyncio.to_thread(kept)
    except sqlite3.Error:  # no reason to search for nothing
        return []


def _total(found: Found) -> str:
    if found.whole:
        return "1 result" if found.total == 1 else f"{found.total:,} results"
    if found.total > COUNTED:
        return f"more than {COUNTED:,} results"
    return f"{found.total:,} so far" if found.back_to_ms else f"more than {found.total:,} results"


def _hit(row: dict[str, Any]) -> dict[str, Any]:
    tokens = [row["input_tokens"], row["output_tokens"]]
    return {
        "call": row["call_id"],
        "role": row["role"],
        "state": row["state"],
        "state_label": calls.state_label(row),
        "parts": _marked(calls.preview(row) if row["snippet"] is None else row["snippet"]),
        "model": row["model"] or row["response_model"] or "unknown model",
        "client": row["client"] or "unknown client",
        "user": row["user"],
        "cost": None if row["cost_usd"] is None else units.money(row["cost_usd"]),
        "tokens": None if None in tokens else f"{units.compact(tokens[0])} → {units.compact(tokens[1])}",
        "duration": None if row["duration_ms"] is None else units.duration(row["duration_ms"]),
        "session": row["session_id"],
        "title": row["session_title"],
        "at": row["started_at"],
        "iso": units.iso(row["started_at"]),
        "clock": units.clock(row["started_at"]),
    }


def _marked(text: str) -> list[tuple[str, bool]]:
    """Pieces of a snippet, and whether they are what was found."""
    pieces = []
    for part in text.split(OPEN):
        found, closed, after = part.partition(CLOSE)
        pieces += [(found, True), (after, False)] if closed else [(part, False)]
    return [(" ".join(piece.split("\0")), mark) for piece, mark in pieces if piece]
