"""`/-/sessions/<id>/export/<form>`: a session as a file, sent call by call, so that neither a long one nor a slow reader takes
memory or holds the worker's log. What cannot be read of a call is left out; calls that have not ended are."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import NotFound, Request

from datasette_plugins import dashboard
from datasette_plugins.access import SEE_SECRETS, stream_for
from datasette_plugins.guard import RAW_CSP, Receive, Send
from intelligence.store import exporting, finetuning, jsonl, queries
from intelligence.store.transcript import Transcript

if TYPE_CHECKING:
    from datasette.app import Datasette

log = logging.getLogger(__name__)

MAX_BODY_BYTES = 64 * 1024 * 1024

# Of fine-tuning data only calls that nothing goes on from: each holds all that was said before it.
CALLS = """
    select q.id from sessions s join turns t on t.session = s.seq join requests q on q.seq = t.request
    where s.id = :session and q.state <> 'pending' and (:last_only = 0 or t.claimed = 0) order by t.request"""
EXISTS = "select 1 from sessions where id = :session"

type Written = Callable[[sqlite3.Connection, str], str]
"""A call's part of the file."""

ENDINGS = {"markdown": "md", "jsonl": "jsonl", "openai": "openai.jsonl", "anthropic": "anthropic.jsonl"}


@stream_for(SEE_SECRETS)
async def export(datasette: Datasette, request: Request, send: Send, receive: Receive) -> None:
    session_id, form = request.url_vars["id"], request.url_vars["form"]
    db = dashboard.here(datasette).traffic.attached(datasette)

    def wanted(conn: sqlite3.Connection) -> list[str] | None:
        if conn.execute(EXISTS, {"session": session_id}).fetchone() is None:
            return None
        values = {"session": session_id, "last_only": form in ("openai", "anthropic")}
        return [row["id"] for row in conn.execute(CALLS, values)]

    ids = await db.execute_fn(wanted) if db else None
    if db is None or ids is None:
        raise NotFound("There is no such session in the record. It may have been forgotten.")
    name = f"session-{session_id}.{ENDINGS[form]}"
    kind = "text/markdown" if form == "markdown" else "application/jsonl"
    headers = {
        "content-type": f"{kind}; charset=utf-8",
        "content-disposition": f'attachment; filename="{name}"',
        "content-security-policy": RAW_CSP,
        "cache-control": "private, no-store",
    }
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(k.encode(), v.encode()) for k, v in headers.items()],
        }
    )
    write = _writer(form)
    for call_id in ids:

        def written(conn: sqlite3.Connection, call_id: str = call_id) -> str:
            return write(conn, call_id)

        try:
            text = await db.execute_fn(written)
        except sqlite3.Error as e:
            log.warning("call %s cannot be exported: %s", call_id, e)
            continue
        if text:
            await send(
                {"type": "http.response.body", "body": text.encode("utf-8", "replace"), "more_body": True}
            )
    await send({"type": "http.response.body", "body": b""})


def _writer(form: str) -> Written:
    if form == "markdown":
        return _markdown(Transcript())
    if form == "jsonl":
        return _jsonl()
    return _training(finetuning.openai if form == "openai" else finetuning.anthropic)


def _markdown(transcript: Transcript) -> Written:
    def write(db: sqlite3.Connection, call_id: str) -> str:
        row = queries.call(db, call_id)
        return (
            ""
            if row is None
            else "".join(transcript.call(row, exporting.request_body(db, row, MAX_BODY_BYTES)))
        )

    return write


def _jsonl() -> Written:
    told: set[str] = set()

    def write(db: sqlite3.Connection, call_id: str) -> str:
        """Further responses on a WebSocket come with the first."""
        whole = call_id[:36]
        found = None if whole in told else queries.call(db, whole)
        row = db.execute("select * from calls where id = ?", (whole,)).fetchone()
        if found is None or row is None:
            return ""
        told.add(whole)
        return jsonl.line_of(exporting.exchange_of(db, found), dict(row))

    return write


def _training(shape: Any) -> Written:
    def write(db: sqlite3.Connection, call_id: str) -> str:
        row = queries.call(db, call_id)
        if row is None:
            return ""
        made = finetuning.example(row, exporting.request_body(db, row, MAX_BODY_BYTES), shape)
        return "" if made is None else finetuning.line_of(made)

    return write
