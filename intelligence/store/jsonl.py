"""llmitm's own export: JSON Lines, a whole exchange a line, which `llmitm import` makes the same rows of again.

`llmitm` is the version of the format. `request`, `response`, `messages` (of a WebSocket) and `end` are what the journal was
told; `call` repeats the row of the view `calls` for whoever reads the file, and is not read back. A body is text (`body`) where
it is UTF-8, else base64 (`body_base64`). `pieces` are [microseconds from the start, size] of what arrived, in order.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from intelligence.store.exchange import Damaged, Exchange, Message, RawHeaders, Reply, call_id
from intelligence.store.journal import EndHead, RequestHead
from intelligence.wire.json_value import INVALID, decode, objects

FORMAT = 1
_OURS = re.compile(rb'\{\s*"llmitm"\s*:')
# What of a request is told with other words below.
_BESIDE = frozenset(["headers"])


def looks_like(head: bytes) -> bool:
    return _OURS.match(head) is not None


def read(path: Path) -> Iterator[tuple[int, Exchange | Damaged | None]]:
    """Each line, with the offset behind it. Raises `OSError`."""
    offset = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            offset += len(line)
            if line.strip():
                yield offset, _line(line, number)


def _line(line: bytes, number: int) -> Exchange | Damaged:
    value = decode(line)
    if value is INVALID or not isinstance(value, dict) or "llmitm" not in value:
        return Damaged(f"line {number} cannot be read: it is no exchange in JSON")
    if value["llmitm"] != FORMAT:
        return Damaged(f"line {number} is of format {value['llmitm']}; this program reads {FORMAT}")
    try:
        return exchange_of(value)
    except (ValueError, TypeError, KeyError, msgspec.MsgspecError) as e:
        return Damaged(f"line {number} cannot be read: {type(e).__name__}: {e}")


def exchange_of(value: dict[str, Any]) -> Exchange:
    """Raises `ValueError`, `TypeError`, `KeyError`, `msgspec.MsgspecError` for what is no exchange."""
    request = value["request"]
    head = msgspec.convert({**request, "headers": []}, RequestHead)
    started = int(value["started_us"])
    return Exchange(
        id=call_id(str(value["id"]).encode(), started),
        started_us=started,
        method=head.method,
        scheme=head.scheme,
        host=head.host,
        port=head.port,
        path=head.path,
        http_version=head.http_version,
        headers=_headers(request["headers"]),
        body=_bytes(request),
        reply=_reply(value["response"], started) if value.get("response") else None,
        websocket=head.websocket,
        messages=[
            Message(
                started + int(m["at_us"]), m["from_client"], m["text"], _bytes(m), m.get("redacted", False)
            )
            for m in objects(value.get("messages"))
        ],
        end=msgspec.convert(value["end"], EndHead) if value.get("end") else None,
        ended_us=int(value["ended_us"]),
        user=head.user,
        client_address=head.client_address,
        head=head,
        missing=value.get("missing"),
    )


def _reply(response: dict[str, Any], started: int) -> Reply:
    body = _bytes(response)
    pieces: list[tuple[int, bytes]] = []
    at = 0
    for at_us, size in response.get("pieces") or []:
        pieces.append((started + at_us, body[at : at + size]))
        at += size
    if at != len(body):
        raise ValueError(f"the pieces of the answer are {at} bytes, its body is {len(body)}")
    return Reply(
        response["status_code"],
        response["reason"],
        response["http_version"],
        _headers(response["headers"]),
        pieces[0][0] if pieces else started,
        pieces,
        response.get("body_redacted", False),
    )


def line_of(exchange: Exchange, call: dict[str, Any]) -> str:
    """`exchange.head` must be there; `call` is the row of the view `calls`."""
    assert exchange.head is not None
    started = exchange.started_us
    request = {k: v for k, v in msgspec.to_builtins(exchange.head).items() if k not in _BESIDE}
    value: dict[str, Any] = {
        "llmitm": FORMAT,
        "id": call["id"],
        "started_us": started,
        "ended_us": exchange.ended_us,
        "call": call,
        "request": request | {"headers": _pairs(exchange.headers)} | _body(exchange.body),
    }
    if reply := exchange.reply:
        pieces = reply.pieces or []
        value["response"] = {
            "status_code": reply.status_code,
            "reason": reply.reason,
            "http_version": reply.http_version,
            "headers": _pairs(reply.headers),
            "body_redacted": reply.body_redacted,
            "pieces": [[at_us - started, len(data)] for at_us, data in pieces],
        } | _body(b"".join(data for _, data in pieces))
    if exchange.websocket:
        value["messages"] = [
            {"at_us": m.at_us - started, "from_client": m.from_client, "text": m.text} | _body(m.data)
            for m in exchange.messages
        ]
    if exchange.end:
        value["end"] = msgspec.to_builtins(exchange.end)
    if exchange.missing:
        value["missing"] = exchange.missing
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body_base64": base64.b64encode(body).decode()}


def _bytes(value: dict[str, Any]) -> bytes:
    if "body_base64" in value:
        return base64.b64decode(value["body_base64"])
    return str(value.get("body") or "").encode()


def _headers(pairs: Any) -> RawHeaders:
    return [(str(n).encode("latin-1", "replace"), str(v).encode("latin-1", "replace")) for n, v in pairs]


def _pairs(headers: RawHeaders) -> list[list[str]]:
    return [[n.decode("latin-1"), v.decode("latin-1")] for n, v in headers]
