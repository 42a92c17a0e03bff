"""A small `traffic.db`, made with the product's own schema, and hostile content to put into it."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from intelligence.store.bodies import Piece, compress, pack
from intelligence.store.ids import id_text, uuid7
from intelligence.store.migrations import open_database
from intelligence.store.rollups import add

HOSTILE = (
    "<script>document.title = 'owned'</script><img src=x onerror=\"document.title = 'owned'\">"
    "</td></table></pre></textarea>'\"`${7*7} {{7*7}} {% raw %} javascript:alert(1) \u202etxt.exe\u202c \x00\x1b[31m"
)
QUESTION = {"role": "user", "content": "Why is the sky blue?"}


def make(data_dir: Path) -> sqlite3.Connection:
    """The database, empty, and a connection that writes to it."""
    return open_database(data_dir / "traffic.db")


def add_call(
    db: sqlite3.Connection,
    *,
    request: dict[str, Any] | bytes | None = None,
    answer: Sequence[tuple[float, bytes]] = (),
    call_id: str | None = None,
    commit: bool = True,
    **columns: Any,
) -> str:
    """Insert one call and return its id. `columns` go to `requests` or `responses`, `response_model` to the latter's `model`;
    `answer` is the pieces of the response: milliseconds from the request on, and bytes."""
    now = time.time_ns() // 1_000_000
    call_id = call_id or id_text(uuid7(now))
    if not isinstance(request, bytes):
        request = json.dumps(request or {"model": "gpt-5", "messages": [QUESTION]}).encode()
    asked: dict[str, Any] = {
        "id": call_id,
        "run": "run",
        "state": "complete",
        "started_at": now,
        "client": "openai-python",
        "provider": "openai",
        "operation": "chat",
        "format": "openai-chat",
        "method": "POST",
        "scheme": "https",
        "host": "api.openai.com",
        "port": 443,
        "path": "/v1/chat/completions",
        "http_version": "HTTP/2",
        "headers": json.dumps([["content-type", "application/json"]]),
        "model": "gpt-5",
        "stream": 1,
        "websocket": 0,
        "body_bytes": len(request),
        "body_redacted": 0,
        "truncated": 0,
    }
    answered: dict[str, Any] = {
        "status_code": 200,
        "headers": json.dumps([["content-type", "text/event-stream"]]),
        "body_redacted": 0,
        "model": "gpt-5-2026",
        "finish_reason": "stop",
        "input_tokens": 12,
        "output_tokens": 34,
        "text": "Rayleigh scattering.",
        "tool_calls": "[]",
        "server_tool_calls": "[]",
        "ttft_ms": 210.0,
        "duration_ms": 900.0,
        "chunks": len(answer),
    }
    for name, value in columns.items():
        if name == "response_model":
            answered["model"] = value
        else:
            (answered if name in answered or name not in asked else asked)[name] = value
    for shared in ("client_version", "client_address", "credential_kind", "user"):
        if shared in answered:
            asked[shared] = answered.pop(shared)
    if commit:
        db.execute("begin immediate")
    seq = _insert(db, "requests", asked)
    db.execute(
        "insert into bodies (request, kind, part, bytes, data) values (?, 'request', 0, ?, ?)",
        (seq, len(request), compress(request)),
    )
    if asked["state"] != "pending" or "status_code" in columns:
        _insert(db, "responses", answered | {"request": seq})
    if answer:
        data, arrivals = pack([Piece(round(at_ms * 1000), piece) for at_ms, piece in answer])
        db.execute(
            "insert into bodies (request, kind, part, bytes, data, arrivals) values (?, 'response', 0, ?, ?, ?)",
            (seq, len(data), compress(data), compress(arrivals)),
        )
    if asked["state"] != "pending":
        add(db, [seq])
    if commit:
        db.execute("commit")
    return call_id


def _insert(db: sqlite3.Connection, table: str, row: dict[str, Any]) -> int:
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    cursor = db.execute(f"insert into {table} ({names}) values ({marks})", list(row.values()))
    assert cursor.lastrowid
    return cursor.lastrowid
