"""`/-/sessions/<id>/replay`: a session played again, each answer with the rhythm in which it came.

The page holds the turns and how long each took; what was said in a turn is fetched when it is its time, as text and the moment of
each piece. Where retention took the answer as it came, or it came over a WebSocket, it appears at once, at its end.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import NotFound, Request, Response

from datasette_plugins import calls, dashboard, session_page
from datasette_plugins.access import mask_for, page
from datasette_plugins.mask import NOTHING_HIDDEN, Mask
from intelligence.store import queries
from intelligence.store.added import added
from intelligence.wire.answer import AnswerReader
from intelligence.wire.draft import Draft

if TYPE_CHECKING:
    from datasette.app import Datasette

MOST_TURNS = 2_000
MOST_CHARACTERS = 200_000
MOST_ADDED = 20_000
MOST_RAW_BYTES = 8_000_000
# Pieces that came within so many ms are played as one.
TOGETHER_MS = 15

IN_SESSION = """
    select t.request from sessions s join turns t on t.session = s.seq join requests q on q.seq = t.request
    where q.id = :call and s.id = :session"""

Piece = tuple[float, str, str]
"""Milliseconds from the request on; `text`, `reasoning`, `tool` (its name) or `arguments`; what came."""


@page
async def replay(datasette: Datasette, request: Request) -> Response:
    found, _ = await session_page.read(datasette, request, lambda db, session: None)
    turns = [turn for turn in found.turns if turn.state != "pending"][-MOST_TURNS:]
    context = await session_page.head(datasette, request, found, "replay") | {
        "timeline": {
            "turns": [
                [
                    t.id,
                    t.number,
                    t.started_at,
                    round(t.duration_ms or 0),
                    (t.model or "unknown model")[:80],
                    calls.STATES.get(t.state, t.state),
                ]
                for t in turns
            ]
        },
        "replayed": len(turns),
        "calls_path": datasette.urls.path("/-/calls/"),
    }
    return Response.html(
        await datasette.render_template("llmitm_session_replay.html", context, request=request)
    )


@page
async def replayed_call(datasette: Datasette, request: Request) -> Response:
    session_id, call_id = request.url_vars["id"], request.url_vars["call"]
    mask = await mask_for(datasette, request)
    db = dashboard.here(datasette).traffic.attached(datasette)

    def replayed(conn: sqlite3.Connection) -> dict[str, Any] | None:
        return read(conn, session_id, call_id, mask)

    found = await db.execute_fn(replayed) if db else None
    if found is None:
        raise NotFound("There is no such call in this session.")
    return Response.json(found)


def read(
    db: sqlite3.Connection, session_id: str, call_id: str, mask: Mask = NOTHING_HIDDEN
) -> dict[str, Any] | None:
    """What one turn is played from. `None` without such a call in the session."""
    if db.execute(IN_SESSION, {"call": call_id, "session": session_id}).fetchone() is None:
        return None
    row = queries.call(db, call_id)
    if row is None:
        return None
    asked = added(db, row["seq"])
    pieces = _masked(_arrived(db, row), mask)
    return {
        "asked": [
            {
                "role": message.role or "user",
                "kind": part.type,
                "name": part.name,
                "text": mask.text(part.text)[:MOST_ADDED],
            }
            for message in asked.messages
            for part in message.parts
            if part.text or part.type != "text"
        ],
        "pieces": pieces or _whole(row, mask),
        "as_it_came": bool(pieces),
        "error": mask.text(row["error_message"] or row["error_type"] or "") or None,
    }


def _arrived(db: sqlite3.Connection, row: dict[str, Any]) -> list[Piece]:
    if row["websocket"] or row["status_code"] is None:
        return []
    reader = AnswerReader(
        row["format"],
        row["operation"],
        status_code=row["status_code"],
        headers=row["response_headers"],
        path=row["path"] or "",
    )
    heard = _Heard(reader.draft)
    read = 0
    for piece in queries.pieces(db, row["seq"], "response"):
        reader.feed(piece.data)
        read += len(piece.data)
        heard.at(piece.at_us / 1000)
        if read > MOST_RAW_BYTES or heard.characters > MOST_CHARACTERS:
            break
    reader.finish()
    heard.at(row["duration_ms"] or 0)
    return heard.pieces


def _masked(pieces: list[Piece], mask: Mask) -> list[Piece]:
    """A secret comes in many pieces: those of a kind are looked at as one text. The arguments of a call begin with its name."""
    if not mask:
        return pieces
    texts: dict[tuple[str, int], list[int]] = {}
    called = 0
    for at, (_, kind, _text) in enumerate(pieces):
        called += kind == "tool"
        texts.setdefault((kind, called if kind == "arguments" else 0), []).append(at)
    shown = list(pieces)
    for places in texts.values():
        for n, text in zip(places, mask.pieces([pieces[n][2] for n in places]), strict=True):
            shown[n] = (*pieces[n][:2], text)
    return shown


class _Heard:
    """What is new in a draft each time one looks."""

    def __init__(self, draft: Draft) -> None:
        self.pieces: list[Piece] = []
        self.characters = 0
        self._draft = draft
        self._seen: dict[Any, int] = {}

    def at(self, ms: float) -> None:
        self._more(ms, "reasoning", "reasoning", self._draft.reasoning)
        self._more(ms, "text", "text", self._draft.text)
        for kind, tools in (("tool", self._draft.tools), ("server", self._draft.server_tools)):
            for key, tool in tools.items():
                if (kind, key) not in self._seen and tool.name:
                    self._seen[kind, key] = 0
                    self.pieces.append((round(ms, 1), "tool", tool.name))
                if (kind, key) in self._seen:
                    self._more(ms, (kind, key), "arguments", tool.pieces)

    def _more(self, ms: float, what: Any, kind: str, parts: list[str]) -> None:
        new = "".join(parts[self._seen.get(what, 0) :])
        self._seen[what] = len(parts)
        if not new:
            return
        self.characters += len(new)
        last = self.pieces[-1] if self.pieces else None
        if last and last[1] == kind != "tool" and ms - last[0] <= TOGETHER_MS:
            self.pieces[-1] = (last[0], kind, last[2] + new)
        else:
            self.pieces.append((round(ms, 1), kind, new))


def _whole(row: dict[str, Any], mask: Mask) -> list[Piece]:
    """The stored answer, at its end."""
    at = round(row["duration_ms"] or 0, 1)
    found: list[Piece] = []
    if row["reasoning"]:
        found.append((at, "reasoning", mask.text(row["reasoning"])[:MOST_CHARACTERS]))
    if row["text"]:
        found.append((at, "text", mask.text(row["text"])[:MOST_CHARACTERS]))
    for name in calls.tool_names(row["tool_calls"]):
        found.append((at, "tool", name))
    return found
