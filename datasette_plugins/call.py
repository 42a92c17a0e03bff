"""`/-/calls/<id>`: one call, whole: what was asked, what came back, how long it took. And its bodies as they are.

The page is built from the record alone; nothing in it is trusted. A body is sent as plain text in a sandbox of its own.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from typing import TYPE_CHECKING, Any

from datasette.utils.asgi import NotFound, Request, Response

from datasette_plugins import (
    calls,
    compare,
    conversation,
    copies,
    dashboard,
    governed,
    record,
    units,
    usage,
    waterfall,
)
from datasette_plugins.access import SEE_SECRETS, mask_for, page, page_for
from datasette_plugins.guard import RAW_CSP
from datasette_plugins.mask import Mask
from datasette_plugins.profile import Profile, profile
from intelligence.wire.answer import AnswerReader
from intelligence.wire.request import Request as Asked
from intelligence.wire.request import read_request

if TYPE_CHECKING:
    from datasette.app import Datasette

RAW_BYTES = 64_000_000
# What a raw body is shown as on the page itself.
RAW_EXCERPT = 20_000

# Of the row of a call: what strangers wrote, apart from the answer itself.
_TEXTS = ("path", "reason", "error_type", "error_message", "usage_raw")
_HEADERS = ("request_headers", "response_headers")

type Whole = tuple[record.Record, Asked, compare.Changes | None, usage.Costs | None, governed.Governed]


@page
async def call(datasette: Datasette, request: Request) -> Response:
    as_written = request.args.get("view") == "written"
    mask = await mask_for(datasette, request)

    def whole(db: sqlite3.Connection, call_id: str) -> Whole | None:
        return _whole(db, call_id, mask)

    found, asked, changes, costs, policy = await _read(datasette, request, whole)
    # Reading Markdown takes its time; the event loop has others to serve.
    context = await asyncio.to_thread(_context, found, asked, changes, mask, as_written=as_written)
    context |= {
        "base": datasette.urls.path(f"/-/calls/{found.row['id']}"),
        "calls_path": datasette.urls.path("/-/calls/"),
        "as_written": as_written,
        "costs": costs,
        "policy": policy,
    }
    return Response.html(await datasette.render_template("llmitm_call.html", context, request=request))


@page_for(SEE_SECRETS)
async def body(datasette: Datasette, request: Request) -> Response:
    side = request.url_vars["side"]
    data = await _read(datasette, request, lambda db, call_id: record.body(db, call_id, side, RAW_BYTES))
    return Response(
        data.decode("utf-8", "backslashreplace"),
        content_type="text/plain; charset=utf-8",
        headers={"content-security-policy": RAW_CSP},
    )


@page_for(SEE_SECRETS)
async def copy(datasette: Datasette, request: Request) -> Response:
    form = request.url_vars["form"]
    row, sent = await _read(datasette, request, record.request_of)
    return Response(
        copies.copy(form, row, sent),
        content_type="text/plain; charset=utf-8",
        headers={"content-security-policy": RAW_CSP},
    )


def _whole(db: sqlite3.Connection, call_id: str, mask: Mask) -> Whole | None:
    found = record.read(db, call_id)
    if found is None:
        return None
    row = found.row
    row["first_byte_ms"] = waterfall.first_byte_ms(db, row["seq"])
    asked = read_request(row["format"] or "", row["operation"] or "", row["path"] or "", found.request_body)
    return (
        found,
        asked,
        compare.with_previous(db, row, asked, mask),
        usage.read(db, row),
        governed.read(db, row["seq"], found.request_body, mask),
    )


async def _read(datasette: Datasette, request: Request, reader: Any) -> Any:
    """What `reader` finds of the call in the address. Raises `NotFound`."""
    call_id = request.url_vars["id"]
    db = dashboard.here(datasette).traffic.attached(datasette)

    def read(conn: sqlite3.Connection) -> Any:
        return reader(conn, call_id)

    read.__qualname__ = reader.__qualname__  # what a slow query is known by
    found = await db.execute_fn(read) if db else None
    if found is None:
        raise NotFound("There is no such call in the record. It may have been pruned.")
    return found


def _context(
    found: record.Record, asked: Asked, changes: compare.Changes | None, mask: Mask, *, as_written: bool
) -> dict[str, Any]:
    row = _masked(found.row, mask)
    shown = calls.row(row)
    reader = conversation.Reader(as_written=as_written, mask=mask)
    answer = _answer(found, reader)
    return {
        "call": row,
        "row": shown,
        "now_ms": time.time_ns() // 1_000_000,
        "understood": asked.understood,
        "said": conversation.of_request(asked, reader, changes.first_new if changes else None),
        "changes": changes,
        "answer": answer,
        "parameters": conversation.parameters(asked, mask),
        "usage": usage.tokens(row, shown),
        "usage_raw": conversation.pretty(row["usage_raw"] or ""),
        "timing": _timing(row),
        "waterfall": [] if row["websocket"] else waterfall.steps(row),
        "profile": _profile(found),
        "headers": {"Request headers": row["request_headers"], "Response headers": row["response_headers"]},
        # In pieces of a stream no secret is known for one, so who must not see it sees no bytes.
        "masked": bool(mask),
        "bodies": []
        if mask
        else [
            _excerpt("request", found.request_body, row["request_bytes"]),
            _excerpt("response", found.response_body, row["response_bytes"]),
        ],
        "messages": [] if mask else found.messages,
        "cut": found.cut,
    }


def _masked(row: dict[str, Any], mask: Mask) -> dict[str, Any]:
    if not mask:
        return row
    texts = {name: row[name] and mask.text(row[name]) for name in _TEXTS}
    headers = {name: [(n, mask.text(value)) for n, value in row[name]] for name in _HEADERS}
    return row | texts | headers


def _answer(found: record.Record, reader: conversation.Reader) -> conversation.Turn:
    """The stored answer; of a call that still runs, what has come of it."""
    row = found.row
    if row["state"] != "pending" or row["websocket"] or row["status_code"] is None:
        return conversation.of_answer(
            row["text"],
            row["reasoning"],
            _tools(row["tool_calls_json"]),
            _tools(row["server_tool_calls"]),
            reader,
        )
    if reader.mask:  # what is only begun is not known for a secret
        return conversation.of_answer(None, None, [], [], reader)
    answer_reader = AnswerReader(
        row["format"],
        row["operation"],
        status_code=row["status_code"],
        headers=row["response_headers"],
        path=row["path"] or "",
    )
    answer_reader.feed(found.response_raw)
    answer = answer_reader.finish()
    calls_so_far = [(tool.name, tool.arguments) for tool in answer.tool_calls]
    return conversation.of_answer(answer.text, answer.reasoning, calls_so_far, [], reader)


def _tools(raw: str | None) -> list[tuple[str, str]]:
    """Names and arguments, of the columns `tool_calls` and `server_tool_calls`."""
    return [(tool.get("name") or "", tool.get("arguments") or "") for tool in json.loads(raw or "[]")]


def _timing(row: dict[str, Any]) -> list[tuple[str, str]]:
    steps = (
        ("Connect", "connect_ms"),
        ("TLS handshake", "tls_ms"),
        ("Request sent", "request_ms"),
        ("First token", "ttft_ms"),
        ("Whole call", "duration_ms"),
    )
    return [(label, units.duration(row[column])) for label, column in steps if row[column] is not None]


def _profile(found: record.Record) -> Profile | None:
    """Of a WebSocket it is that of the whole connection, in which one answer's first token has no place."""
    if found.row["websocket"]:
        return profile(found.arrivals, None, None)
    return profile(found.arrivals, found.row["ttft_ms"], found.row["duration_ms"])


def _excerpt(side: str, data: bytes, stored: int | None) -> dict[str, Any]:
    """`stored` is the size as it was on the wire, where that is known."""
    return {
        "side": side,
        "text": data[:RAW_EXCERPT].decode("utf-8", "backslashreplace"),
        "cut": len(data) > RAW_EXCERPT,
        "size": units.size(len(data) if stored is None else stored),
        "empty": not data,
    }
