"""`/-/sessions/<id>`: one session, as a conversation: its turns with their forks, what each cost, and how its context grew.

Turns come in pages of `PAGE`; `?turn=<number>`, or `?call=<id>`, gives the page on which that one is.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import NotFound, Request, Response

from datasette_plugins import (
    dashboard,
    lanes,
    session_charts,
    session_record,
    session_words,
    sessions_page,
    units,
)
from datasette_plugins.access import mask_for, page, sees_secrets
from datasette_plugins.calls import STATES
from datasette_plugins.mask import Mask
from datasette_plugins.session_record import Session, Turn
from datasette_plugins.session_words import Said, Words

if TYPE_CHECKING:
    from datasette.app import Datasette

PAGE = 50
LABELS = {
    "retry": "asks again, after",
    "edit": "takes another way from",
    "fork": "runs beside others, from",
    "subagent": "sub-agent, started in",
    "compaction": "history made shorter, after",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A turn as the page shows it. `cells` are of the drawing beside it, `from_turn` is the turn it goes on from where that is
    not the one before."""

    turn: Turn
    cells: list[lanes.Cell]
    label: str
    from_turn: int | None
    words: Words
    figures: list[tuple[str, str]]
    state_label: str
    started: list[dict[str, Any]]


@page
async def session(datasette: Datasette, request: Request) -> Response:
    def reader(db: sqlite3.Connection, found: Session) -> list[Said]:
        return session_words.read(db, found.turns, shown(found, wanted(request, found)))

    mask = await mask_for(datasette, request)
    found, said = await read(datasette, request, reader)
    # Reading Markdown takes its time; the event loop has others to serve.
    rows = await asyncio.to_thread(_rows, found, said, mask)
    first, last = (said[0].turn.number, said[-1].turn.number) if said else (0, 0)
    whole = found.left_out + len(found.turns)
    context = await head(datasette, request, found, "conversation") | {
        "rows": rows,
        "charts": session_charts.charts(found.turns),
        "wanted": wanted(request, found),
        "first": first,
        "last": last,
        "whole": whole,
        "earlier": first - PAGE if first > found.left_out + 1 else None,
        "later": last + 1 if last < whole else None,
        "first_turn": found.left_out + 1,
        "calls_path": datasette.urls.path("/-/calls/"),
    }
    return Response.html(await datasette.render_template("llmitm_session.html", context, request=request))


async def read(datasette: Datasette, request: Request, reader: Any) -> tuple[Session, Any]:
    """The session in the address, and what `reader` finds in the database for it. Raises `NotFound`."""
    session_id = request.url_vars["id"]
    db = dashboard.here(datasette).traffic.attached(datasette)

    def whole(conn: sqlite3.Connection) -> tuple[Session, Any] | None:
        found = session_record.read(conn, session_id)
        return None if found is None else (found, reader(conn, found))

    whole.__qualname__ = f"session and {reader.__qualname__}"  # what a slow query is known by
    result = await db.execute_fn(whole) if db else None
    if result is None:
        raise NotFound("There is no such session in the record. It may have been forgotten.")
    session, more = result
    return session, more


async def head(datasette: Datasette, request: Request, found: Session, place: str) -> dict[str, Any]:
    """What all pages of a session begin with."""
    mask = await mask_for(datasette, request)
    row, sums = sessions_page.masked(found.row, mask), session_record.sums(found.turns)
    base = datasette.urls.path(f"/-/sessions/{row['id']}")
    ended = sums.ended_at or row["last_at"]
    return {
        "session": row,
        "title": sessions_page.title(row),
        "sums": sums,
        "base": base,
        "place": place,
        "places": [
            ("conversation", "Conversation", base),
            ("tools", "Tools and files", f"{base}/tools"),
            ("replay", "Replay", f"{base}/replay"),
        ],
        "sessions_path": datasette.urls.path("/-/sessions"),
        "duration": sessions_page.duration(row["started_at"], ended),
        "started": [sessions_page.masked(one, mask) for one in found.started],
        "may_export": sees_secrets(request.actor),
        "left_out": found.left_out,
        "now_ms": time.time_ns() // 1_000_000,
    }


def wanted(request: Request, found: Session) -> int | None:
    """The number of the turn that the address asks for."""
    if call := request.args.get("call"):
        return next((turn.number for turn in found.turns if turn.id == call), None)
    text = request.args.get("turn") or ""
    return int(text) if text.isdecimal() and len(text) < 9 else None


def shown(found: Session, asked: int | None) -> list[Turn]:
    """The turns of the page on which the turn `asked` for is."""
    if asked is None or not found.turns:
        return found.turns[:PAGE]
    at = min(max(asked - found.left_out - 1, 0), len(found.turns) - 1)
    start = at // PAGE * PAGE
    return found.turns[start : start + PAGE]


def _rows(found: Session, said: Sequence[Said], mask: Mask) -> list[Row]:
    cells = dict(zip((t.seq for t in found.turns), lanes.layout(found.turns), strict=True))
    numbers = {t.seq: t.number for t in found.turns}
    started: dict[int | None, list[dict[str, Any]]] = {}
    for sub in found.started:
        started.setdefault(sub["parent"], []).append(sub)
    wide = _width([cells[one.turn.seq] for one in said])
    rows = []
    for one, words in zip(said, session_words.blocks(said, mask), strict=True):
        turn = one.turn
        parent = numbers.get(turn.parent) if turn.parent is not None else None
        rows.append(
            Row(
                turn,
                cells[turn.seq][:wide],
                *label(turn, parent),
                words,
                _figures(turn),
                STATES.get(turn.state, turn.state),
                started.get(turn.seq, []),
            )
        )
    return rows


def _width(cells: Sequence[Sequence[lanes.Cell]]) -> int:
    """Columns in which something is drawn on this page."""
    used = [n for row in cells for n, cell in enumerate(row, 1) if cell != lanes.Cell()]
    return max(used, default=0)


def label(turn: Turn, parent: int | None) -> tuple[str, int | None]:
    """How a turn came to be where it is: words, and the number of the turn they lead to. `parent` is that of the turn it goes on
    from, if that is of this session. Nothing where it just goes on."""
    if parent is None:
        return ("starts anew" if turn.link in ("start", "subagent") and turn.number > 1 else ""), None
    if turn.link == "continue":
        return ("", None) if parent == turn.number - 1 else ("goes on from", parent)
    return LABELS.get(turn.link, "goes on from"), parent


def _figures(turn: Turn) -> list[tuple[str, str]]:
    """What is known of a turn; of the rest nothing is said."""
    cached = f" ({units.compact(turn.cache_read_tokens)} cached)" if turn.cache_read_tokens else ""
    known = (
        ("cost", turn.cost_usd, units.money),
        ("in", turn.input_tokens, lambda n: units.compact(n) + cached),
        ("out", turn.output_tokens, units.compact),
        ("first token", turn.ttft_ms, units.duration),
        ("took", turn.duration_ms, units.duration),
    )
    return [(name, show(value)) for name, value, show in known if value is not None]
