"""HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), read one entry at a time and written one entry at a time.

Browsers and tools write bodies decoded, as text or base64, and leave content-encoding in the headers: where a body is not
encoded any more, that header goes. WebSocket messages and event streams are where Chrome puts them (`_webSocketMessages`,
`_eventSourceMessages`). Ours carry `_llmitm` with the call's id, so that importing one again finds the call known.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from intelligence.store.exchange import Damaged, Exchange, Message, RawHeaders, Reply, call_id
from intelligence.store.journal import EndHead
from intelligence.wire.json_array import JsonArrayReader
from intelligence.wire.json_value import decode, obj, objects, text

# The key can stand nowhere else: within a string its quotes would be escaped.
_ENTRIES = re.compile(rb'"entries"\s*:\s*\[')
_BLOCK = 1 << 18
MAX_ENTRY_BYTES = 512 * 1024 * 1024
_MAGIC = {"gzip": b"\x1f\x8b", "x-gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_PORTS = {"https": 443, "wss": 443}


def read(path: Path) -> Iterator[tuple[int, Exchange | Damaged | None]]:
    """Each entry, with the offset in the file up to which was read. Raises `OSError`."""
    with path.open("rb") as file:
        reader = JsonArrayReader(MAX_ENTRY_BYTES)
        head, begun, offset, number, dropped = b"", False, 0, 0, 0
        while block := file.read(_BLOCK):
            offset += len(block)
            if not begun:
                head += block
                found = _ENTRIES.search(head)
                if found is None:
                    head = head[-64:]
                    continue
                begun, block = True, head[found.end() - 1 :]
            for raw in reader.feed(block):
                entry = decode(raw)
                if not isinstance(entry, dict) or "request" not in entry:
                    continue  # what stands behind the entries
                number += 1
                yield offset, _exchange_or_damage(entry, number)
            if reader.dropped > dropped:
                dropped = reader.dropped
                yield offset, Damaged(f"an entry after entry {number} is larger than {MAX_ENTRY_BYTES} bytes")
            if reader.closed:
                return
    if not begun:
        yield offset, Damaged("no HAR file: it has no log with entries")
    else:
        yield offset, Damaged(f"the file stops being readable behind entry {number}")


def _exchange_or_damage(entry: dict[str, Any], number: int) -> Exchange | Damaged:
    try:
        return exchange_of(entry)
    except (ValueError, TypeError, KeyError, OverflowError) as e:
        return Damaged(f"entry {number} cannot be read: {type(e).__name__}: {e}")


def exchange_of(entry: dict[str, Any]) -> Exchange:
    """Raises `ValueError`, `TypeError`, `KeyError` for what is no entry."""
    request, response = obj(entry["request"]), obj(entry.get("response"))
    url = urlsplit(text(request.get("url")))
    if not url.hostname:
        raise ValueError("it has no URL")
    started = _us(text(entry.get("startedDateTime")))
    ended = started + round(_ms(entry.get("time")) * 1000)
    headers = _headers(request)
    body = _request_body(obj(request.get("postData")))
    socket = entry.get("_webSocketMessages")
    scheme = {"wss": "https", "ws": "http"}.get(url.scheme, url.scheme)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    exchange = Exchange(
        id=call_id(_source(entry, started), started),
        started_us=started,
        method=text(request.get("method")) or "GET",
        scheme=scheme,
        host=url.hostname,
        port=url.port or _PORTS.get(url.scheme, 80),
        path=path,
        http_version=_version(request),
        headers=_decoded(headers, body),
        body=body,
        websocket=socket is not None or response.get("status") == 101,
        ended_us=ended,
    )
    status = response.get("status")
    if isinstance(status, int) and status > 0:
        exchange.reply = _reply(entry, response, started, ended)
        if exchange.reply.pieces is None and not exchange.websocket:
            exchange.missing = "the HAR file has no body for the answer"
    if exchange.websocket:
        exchange.messages = [_message(m, started) for m in objects(socket)]
        exchange.ended_us = max([ended, *(m.at_us for m in exchange.messages)])
    exchange.end = _end(entry, exchange)
    return exchange


def _source(entry: dict[str, Any], started: int) -> bytes:
    """What names an entry: our own id, or all that makes it what it is."""
    if own := text(obj(entry.get("_llmitm")).get("id")):
        return own.encode()
    request, response = obj(entry["request"]), obj(entry.get("response"))
    said = (
        started,
        request.get("method"),
        request.get("url"),
        obj(request.get("postData")).get("text"),
        response.get("status"),
        obj(response.get("content")).get("text"),
        entry.get("_webSocketMessages"),
    )
    return hashlib.sha256(repr(said).encode("utf-8", "surrogatepass")).hexdigest().encode()


def _request_body(data: dict[str, Any]) -> bytes:
    said = text(data.get("text"))
    if data.get("encoding") == "base64" or data.get("_encoding") == "base64":
        return base64.b64decode(said)
    return said.encode("utf-8", "surrogatepass")


def _reply(entry: dict[str, Any], response: dict[str, Any], started: int, ended: int) -> Reply:
    content = obj(response.get("content"))
    said = content.get("text")
    pieces: list[tuple[int, bytes]] | None
    if not isinstance(said, str):
        events = objects(entry.get("_eventSourceMessages"))
        pieces = [_event(event, started) for event in events] or None
        if pieces is None and content.get("size") == 0:
            pieces = []
    else:
        body = (
            base64.b64decode(said)
            if content.get("encoding") == "base64"
            else said.encode("utf-8", "surrogatepass")
        )
        pieces = [(ended, body)] if body else []
    timings = obj(entry.get("timings"))
    before = sum(_ms(timings.get(key)) for key in ("blocked", "dns", "connect", "send", "wait"))
    begun = min(started + round(before * 1000), ended)
    headers = _decoded(_headers(response), pieces[0][1] if pieces else b"")
    return Reply(
        int(response["status"]), text(response.get("statusText")), _version(response), headers, begun, pieces
    )


def _event(event: dict[str, Any], started: int) -> tuple[int, bytes]:
    name = text(event.get("eventName"))
    lines = [f"event: {name}"] if name and name != "message" else []
    lines += [f"data: {line}" for line in text(event.get("data")).split("\n")]
    return _at(event.get("time"), started), ("\n".join(lines) + "\n\n").encode("utf-8", "surrogatepass")


def _message(message: dict[str, Any], started: int) -> Message:
    is_text = message.get("opcode") != 2
    data = text(message.get("data"))
    raw = data.encode("utf-8", "surrogatepass") if is_text else base64.b64decode(data)
    return Message(_at(message.get("time"), started), message.get("type") == "send", is_text, raw)


def _end(entry: dict[str, Any], exchange: Exchange) -> EndHead:
    own, timings = obj(entry.get("_llmitm")), obj(entry.get("timings"))
    cause = text(own.get("ended")) or ("complete" if exchange.reply else "upstream_error")
    failure = obj(entry.get("response")).get("_error")
    message = own.get("error_message") or failure
    return EndHead(
        cause,
        message if isinstance(message, str) else None,
        connect_ms=_known_ms(timings.get("connect")),
        tls_ms=_known_ms(timings.get("ssl")),
        request_ms=_known_ms(timings.get("send")),
        close_code=own["close_code"] if isinstance(own.get("close_code"), int) else None,
        untimed=not exchange.websocket and not entry.get("_eventSourceMessages"),
    )


def _headers(message: dict[str, Any]) -> RawHeaders:
    return [
        (text(h.get("name")).encode("latin-1", "replace"), text(h.get("value")).encode("latin-1", "replace"))
        for h in objects(message.get("headers"))
        if not text(h.get("name")).startswith(":")
    ]


def _decoded(headers: RawHeaders, body: bytes) -> RawHeaders:
    """The headers of a body as it is: without content-encoding, unless it still begins as its encoding does."""
    encodings = [v.decode("latin-1").strip().lower() for n, v in headers if n.lower() == b"content-encoding"]
    if any(encoding in _MAGIC and body.startswith(_MAGIC[encoding]) for encoding in encodings):
        return headers
    return [(name, value) for name, value in headers if name.lower() != b"content-encoding"]


def _version(message: dict[str, Any]) -> str:
    said = text(message.get("httpVersion")).upper()
    return {"H2": "HTTP/2.0", "HTTP/2": "HTTP/2.0", "H3": "HTTP/3"}.get(said, said or "HTTP/1.1")


def _us(iso: str) -> int:
    moment = datetime.fromisoformat(iso)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def _at(seconds: Any, started: int) -> int:
    return round(seconds * 1_000_000) if isinstance(seconds, int | float) else started


def _ms(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0


def _known_ms(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value >= 0 else None


# Writing

HEAD = '{"log": {"version": "1.2", "creator": {"name": "llmitm", "version": "%s"}, "entries": [\n'
TAIL = "\n]}}\n"


def entry_of(exchange: Exchange) -> dict[str, Any]:
    """An entry of HAR 1.2. The bodies are decoded already."""
    default = {"https": 443, "http": 80}.get(exchange.scheme)
    host = f"[{exchange.host}]" if ":" in exchange.host else exchange.host
    where = host if exchange.port == default else f"{host}:{exchange.port}"
    url = f"{exchange.scheme}://{where}{exchange.path}"
    end, reply = exchange.end, exchange.reply
    request_ms = (end.request_ms if end else None) or 0
    began = reply.at_us if reply else exchange.ended_us
    wait = max((began - exchange.started_us) / 1000 - request_ms, 0)
    receive = max((exchange.ended_us - began) / 1000, 0)
    entry: dict[str, Any] = {
        "startedDateTime": _iso(exchange.started_us),
        "time": request_ms + wait + receive,
        "request": _har_request(exchange, url),
        "response": _har_response(reply),
        "cache": {},
        "timings": {"send": request_ms, "wait": wait, "receive": receive},
    }
    own: dict[str, Any] = {}
    if end:
        own = {"ended": end.cause, "error_message": end.message, "close_code": end.close_code}
    if exchange.websocket:
        entry["_resourceType"] = "websocket"
        entry["_webSocketMessages"] = [_har_message(m) for m in exchange.messages]
    return entry | {"_llmitm": {k: v for k, v in own.items() if v is not None}}


def _har_request(exchange: Exchange, url: str) -> dict[str, Any]:
    request: dict[str, Any] = {
        "method": exchange.method,
        "url": url,
        "httpVersion": exchange.http_version,
        "cookies": [],
        "headers": _har_headers(exchange.headers),
        "queryString": [
            {"name": n, "value": v} for n, v in parse_qsl(urlsplit(url).query, keep_blank_values=True)
        ],
        "headersSize": -1,
        "bodySize": len(exchange.body),
    }
    if exchange.body:
        data = {"mimeType": _content_type(exchange.headers), "params": []}
        said = _as_text(exchange.body)
        if said is None:
            data |= {"text": base64.b64encode(exchange.body).decode(), "_encoding": "base64"}
        else:
            data["text"] = said
        request["postData"] = data
    return request


def _har_response(reply: Reply | None) -> dict[str, Any]:
    body = b"".join(data for _, data in reply.pieces or []) if reply else b""
    content: dict[str, Any] = {"size": len(body), "mimeType": _content_type(reply.headers) if reply else ""}
    if reply and reply.pieces is None:
        content = {"size": -1, "mimeType": content["mimeType"], "comment": "not kept"}
    elif (said := _as_text(body)) is not None:
        content["text"] = said
    else:
        content |= {"text": base64.b64encode(body).decode(), "encoding": "base64"}
    return {
        "status": reply.status_code if reply else 0,
        "statusText": reply.reason if reply else "",
        "httpVersion": reply.http_version if reply else "",
        "cookies": [],
        "headers": _har_headers(reply.headers) if reply else [],
        "content": content,
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": len(body) if reply and reply.pieces is not None else -1,
    }


def _har_message(message: Message) -> dict[str, Any]:
    said = _as_text(message.data) if message.text else base64.b64encode(message.data).decode()
    return {
        "type": "send" if message.from_client else "receive",
        "time": message.at_us / 1_000_000,
        "opcode": 1 if message.text else 2,
        "data": said if said is not None else message.data.decode("utf-8", "replace"),
    }


def _har_headers(headers: RawHeaders) -> list[dict[str, str]]:
    return [{"name": n.decode("latin-1"), "value": v.decode("latin-1")} for n, v in headers]


def _content_type(headers: RawHeaders) -> str:
    return next((v.decode("latin-1") for n, v in headers if n.lower() == b"content-type"), "")


def _as_text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _iso(at_us: int) -> str:
    seconds, rest = divmod(at_us, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{rest:06d}Z"
