"""Calls to write into a journal, and the rows that should come of them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from intelligence.store import tree_rows
from intelligence.store.bodies import decompress, unpack
from intelligence.store.drain import Drain
from intelligence.store.ids import id_text, uuid7
from intelligence.store.journal import EndHead, MessageHead, RequestHead, ResponseHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database

SSE = [("content-type", "text/event-stream")]
JSON = [("content-type", "application/json")]


def request_head(**changes) -> RequestHead:
    values = {
        "method": "POST",
        "scheme": "https",
        "host": "api.openai.com",
        "port": 443,
        "path": "/v1/chat/completions",
        "http_version": "HTTP/1.1",
        "headers": [("content-type", "application/json")],
        "provider": "openai",
        "operation": "chat",
        "format": "openai-chat",
        "model": "gpt-4o",
        "stream": True,
        "client": "openai-python",
    }
    return RequestHead(**(values | changes))


def prompt(text: str) -> bytes:
    messages = [{"role": "user", "content": text}]
    return json.dumps({"model": "gpt-4o", "stream": True, "messages": messages}).encode()


def event(**fields) -> bytes:
    return (
        b"data: "
        + json.dumps(
            {"id": "c1", "object": "chat.completion.chunk", "model": "gpt-4o-2024"} | fields
        ).encode()
        + b"\n\n"
    )


def delta(text: str) -> bytes:
    return event(choices=[{"index": 0, "delta": {"content": text}, "finish_reason": None}])


def stream(*words: str, done: bool = True) -> list[bytes]:
    """An OpenAI chat stream, an event a chunk."""
    chunks = [
        event(choices=[{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
    ]
    chunks += [delta(word) for word in words]
    if done:
        chunks.append(event(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
        chunks.append(
            event(choices=[], usage={"prompt_tokens": 7, "completion_tokens": len(words), "total_tokens": 9})
        )
        chunks.append(b"data: [DONE]\n\n")
    return chunks


def call(
    journal: JournalWriter,
    chunks: list[bytes],
    *,
    head: RequestHead | None = None,
    body: bytes = b"{}",
    status: int = 200,
    headers: list[tuple[str, str]] = SSE,
    end: EndHead | None = None,
) -> str:
    """A whole call; returns its id."""
    raw = uuid7()
    journal.request(raw, head or request_head(), body)
    journal.response(raw, ResponseHead(status, "OK", "HTTP/1.1", headers))
    for chunk in chunks:
        journal.chunk(raw, chunk)
    journal.end(raw, end or EndHead("complete"))
    return id_text(raw)


def socket_head(**changes) -> RequestHead:
    values = {
        "method": "GET",
        "path": "/v1/responses",
        "operation": "responses",
        "format": "openai-responses",
    }
    return request_head(**({"websocket": True, "model": None, "stream": None} | values | changes))


UPGRADED = ResponseHead(101, "Switching Protocols", "HTTP/1.1", [("upgrade", "websocket")])
CLIENT = MessageHead(True, True)
SERVER = MessageHead(False, True)


def turn(n: int, *words: str, done: bool = True) -> list[tuple[MessageHead, bytes]]:
    """One response over a WebSocket, asked for and given."""
    said = {"type": "message", "role": "user", "content": f"question {n}"}
    messages = [(CLIENT, {"type": "response.create", "model": "gpt-5", "input": [said], "stream": True})]
    response = {
        "id": f"resp_{n}",
        "object": "response",
        "model": "gpt-5-2026",
        "status": "in_progress",
        "output": [],
    }
    messages.append((SERVER, {"type": "response.created", "response": response}))
    for word in words:
        delta = {
            "type": "response.output_text.delta",
            "item_id": f"m{n}",
            "output_index": 0,
            "content_index": 0,
        }
        messages.append((SERVER, delta | {"delta": word}))
    if done:
        text = [{"type": "output_text", "text": "".join(words), "annotations": []}]
        output = [{"type": "message", "id": f"m{n}", "role": "assistant", "content": text}]
        usage = {"input_tokens": 10 * n, "output_tokens": len(words), "total_tokens": 10 * n + len(words)}
        whole = response | {"status": "completed", "output": output, "usage": usage}
        messages.append((SERVER, {"type": "response.completed", "response": whole}))
    return [(head, json.dumps(message).encode()) for head, message in messages]


def rows(db: sqlite3.Connection, sql: str, *parameters) -> list[dict]:
    cursor = db.execute(sql, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def calls(db: sqlite3.Connection) -> dict[str, dict]:
    return {row["id"]: row for row in rows(db, "select * from calls")}


def body(db: sqlite3.Connection, call_id: str, kind: str) -> bytes:
    (seq,) = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
    if kind == "request" and (whole := tree_rows.body(db, seq)) is not None:
        return whole
    found = rows(
        db,
        "select data from bodies where kind = ? and request = (select seq from requests where id = ?) order by part",
        kind,
        call_id,
    )
    return b"".join(decompress(row["data"]) for row in found)


def arrivals(db: sqlite3.Connection, call_id: str, kind: str = "response") -> list:
    found = rows(
        db,
        "select data, arrivals from bodies where kind = ? and request = (select seq from requests where id = ?) order by part",
        kind,
        call_id,
    )
    return [p for row in found for p in unpack(decompress(row["data"]), decompress(row["arrivals"]))]


def everything(db: sqlite3.Connection) -> dict[str, list[dict]]:
    """All that is stored, for comparing; without what only says how it got there."""
    return {
        "requests": rows(db, "select * from requests order by seq"),
        "responses": rows(db, "select * from responses order by request"),
        "bodies": rows(
            db, "select request, kind, part, bytes, hex(data), hex(arrivals) from bodies order by 1, 2, 3"
        ),
        "tree": [
            rows(db, f"select * from {table} order by 1, 2")
            for table in ("messages", "nodes", "envelopes", "envelope_parts", "sessions", "turns")
        ],
        "events": rows(db, "select at, run, kind, message, data, call from events order by id"),
        "costs": rows(db, "select * from costs order by request"),
        "sums": rows(
            db,
            "select hour, provider, model, client, user, requests, errors, uncounted, input_tokens, output_tokens,"
            " round(cost_usd, 9), ttft_inf, ttft_50, duration_50 from rollup_hourly order by 1, 2, 3, 4, 5",
        ),
        "queue": rows(db, "select * from to_read"),
        "open": rows(db, "select request from open_calls") + rows(db, "select request from open_chunks"),
    }


def segment_files(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / "journal").iterdir())


@contextmanager
def one_call(folder: Path) -> Iterator[sqlite3.Connection]:
    """A database with one call, `seq` 1."""
    with (
        closing(JournalWriter(folder / "journal")) as journal,
        closing(open_database(folder / "traffic.db")) as db,
        closing(Drain(db, folder / "journal")) as drain,
    ):
        call(journal, stream("a"), body=prompt("x"))
        drain.step()
        yield db
