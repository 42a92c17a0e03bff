"""`/-/decisions`: what detectors saw and rules decided, for people to say what it was worth.

Approve, dismiss, or "not a secret", which is in force within a second: one at a time, several at once, or from the keyboard. What
was said holds for every call that repeats the text. The address holds the filters.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from datasette.utils.asgi import Request, Response

from datasette_plugins import access, dashboard, review_queue, units
from datasette_plugins.excerpt import Excerpts
from datasette_plugins.mask import Mask
from datasette_plugins.review_queue import Asked
from intelligence.store import control, opinions, reviews
from intelligence.store.ids import install_key
from intelligence.store.reviews import Review, ReviewError, Subject

if TYPE_CHECKING:
    from datasette.app import Datasette

PATH = "/-/decisions"
MOST_FORM_BYTES = 50_000
MOST_ITEMS = 200
# Bodies are put together for this long at most; what is left of the page shows no words.
EXCERPT_SECONDS = 0.12
SAYING = {"confirm": "confirmed", "dismiss": "dismissed", "allow": "allowed", "reopen": None}
LASTING = {"": None, "30": 30, "90": 90, "365": 365}


@access.page
async def decisions(datasette: Datasette, request: Request) -> Response:
    asked = _asked({name: request.args.get(name) or "" for name in request.args})
    if request.method == "POST":
        return await _say(datasette, request, asked)
    return await _page(datasette, request, asked)


def _asked(given: dict[str, str]) -> Asked:
    """Of the address; what it has no sense for counts as not given."""

    def chosen(name: str, known: tuple[str, ...], default: str = "") -> str:
        return given[name] if given.get(name) in known else default

    at, _, id_ = given.get("before", "").partition("-")
    show = chosen("show", ("detections", "decisions"), "detections")
    return Asked(
        show,
        chosen("state", review_queue.STATES, "open" if show == "detections" else "all"),
        chosen("kind", review_queue.KINDS),
        given.get("rule", "").strip(),
        chosen("action", review_queue.ACTIONS),
        given.get("client", "").strip(),
        given.get("user", "").strip(),
        (int(at), int(id_)) if _number(at) and _number(id_) else None,
    )


def _number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


def _address(datasette: Datasette, asked: Asked) -> str:
    given = {name: value for name, value in vars(asked).items() if value and name != "before"}
    if asked.before:
        given["before"] = f"{asked.before[0]}-{asked.before[1]}"
    defaults = Asked()
    query = urlencode({name: value for name, value in given.items() if value != getattr(defaults, name)})
    path: str = datasette.urls.path(PATH)
    return f"{path}?{query}" if query else path


async def _say(datasette: Datasette, request: Request, asked: Asked) -> Response:
    """The form: `item` are those chosen; a button of one item has `do` with its id after a space."""
    await datasette.ensure_permission(action=access.REVIEW.name, actor=request.actor)
    given = await access.fields(request, MOST_FORM_BYTES)
    form = dict(given)
    do, _, single = form.get("do", "").partition(" ")
    ids = [single] if single else [value for name, value in given if name == "item"]
    here = dashboard.here(datasette)
    db = here.traffic.attached(datasette)
    try:
        if do not in SAYING:
            raise ReviewError("this form asks for nothing that can be done")
        wanted = [int(id_) for id_ in ids[:MOST_ITEMS] if _number(id_)]
        if not wanted or db is None:
            raise ReviewError("choose something first: tick it, or use the buttons beside it")
        found = await db.execute_fn(lambda conn: [review_queue.one(conn, asked.show, id_) for id_ in wanted])
        subjects = [_subject(asked.show, row) for row in found if row]
        days = LASTING.get(form.get("days", ""))
        until = (datetime.now(UTC) + timedelta(days=days)).date() if days else None

        def change() -> None:
            with control.changing(here.data_dir) as log:
                reviews.say(log, request.actor["id"], subjects, SAYING[do], form.get("reason", ""), until)
            reviews.hand_over(here.data_dir)

        await asyncio.to_thread(change)
    except ReviewError as e:
        return await _page(datasette, request, asked, str(e), 400)
    place = form.get("place", "")
    return Response.redirect(
        _address(datasette, asked) + (f"#item-{place}" if _number(place) else ""), status=303
    )


def _subject(show: str, row: dict[str, Any]) -> Subject:
    if show == "decisions":
        return reviews.subject_of_decision(row["call"], row["direction"], row["rule"])
    return Subject(row["digest"], row["kind"], row["type"], row["call"])


async def _page(
    datasette: Datasette, request: Request, asked: Asked, error: str | None = None, status: int = 200
) -> Response:
    here = dashboard.here(datasette)
    db = here.traffic.attached(datasette)
    seen, key = await asyncio.to_thread(_reviewed, here.data_dir)
    mask = await access.mask_for(datasette, request)
    page, rules = review_queue.Page(), []
    if db is not None:
        page, rules = await db.execute_fn(lambda conn: _read(conn, asked, seen, key, mask))
    said = await asyncio.to_thread(_said, here.data_dir, [row["digest"] for row in page.rows])
    context: dict[str, Any] = {
        "asked": asked,
        "rows": [
            row | {"said": said.get(row["digest"]), "clock": units.clock(row["at"])} for row in page.rows
        ],
        "next": page.next and _address(datasette, replace(asked, before=page.next)),
        "newest": asked.before and _address(datasette, replace(asked, before=None)),
        "whole": page.whole,
        "here": _address(datasette, asked),
        "shows": {
            show: _address(datasette, Asked(show=show, state="open" if show == "detections" else "all"))
            for show in ("detections", "decisions")
        },
        "filtered": asked != Asked(asked.show, asked.state, before=asked.before),
        "kinds": review_queue.KINDS,
        "actions": review_queue.ACTIONS,
        "states": review_queue.STATES,
        "rules": rules,
        "may_review": access.may(request.actor, access.REVIEW.name),
        "calls_path": datasette.urls.path("/-/calls/"),
        "now_ms": time.time_ns() // 1_000_000,
        "error": error,
        "auth": here.auth,
    }
    html = await datasette.render_template("llmitm_decisions.html", context, request=request)
    return Response.html(html, status=status)


def _reviewed(data_dir: Path) -> tuple[set[str], bytes]:
    with control.reading(data_dir) as log:
        return reviews.reviewed(log), install_key(data_dir)


def _said(data_dir: Path, digests: list[str]) -> dict[str, Review]:
    with control.reading(data_dir) as log:
        return reviews.of(log, digests)


def _read(
    db: sqlite3.Connection, asked: Asked, seen: set[str], key: bytes, mask: Mask
) -> tuple[review_queue.Page, list[str]]:
    page = review_queue.read(db, asked, seen)
    if asked.show == "detections":
        until = time.monotonic() + EXCERPT_SECONDS
        excerpts = Excerpts(db, key, mask)
        for row in page.rows:
            row["late"] = time.monotonic() > until
            row["pieces"] = None if row["late"] else excerpts.of(row)
            if opinion := opinions.of(db, row["digest"]):
                row["opinion"] = (opinion[0], mask.text(opinion[1]))
    else:
        for row in page.rows:
            row["reason"] = row["reason"] and mask.text(row["reason"])
    return page, review_queue.rules(db)
