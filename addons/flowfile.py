"""Flow files of mitmproxy (`mitmdump -w`, "save" in mitmweb) as exchanges, read one flow at a time.

A flow file is a row of tnetstrings. One that is cut off or damaged is read up to there, and on from the next flow that is
sound: it is told which flow could not be read. mitmproxy keeps an answer in one piece, so when its parts came is not known;
the messages of a WebSocket have their times.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from mitmproxy import exceptions, flow, http
from mitmproxy.io import compat, tnetstring

from addons.record import CLIENT_LEFT, end_of
from intelligence.store.exchange import Damaged, Exchange, Message, Reply, call_id
from intelligence.store.journal import EndHead

_LENGTH = re.compile(rb"(\d{1,12}):")
# How a flow begins: its length, then the first key of a dictionary.
_BEGIN = re.compile(rb"(?<!\d)(\d{2,12}):\d{1,2}:[a-z_]+[;,]")
_BLOCK = 1 << 20
_BEYOND = 64  # bytes that the beginning of a flow may reach into the next block


def read_flow_file(path: Path) -> Iterator[tuple[int, Exchange | Damaged | None]]:
    """Each flow, with the offset in the file behind it. None for one that is no HTTP. Raises `OSError`."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        offset = number = 0
        while offset < size:
            number += 1
            state, end = _state_at(file, offset, size)
            if state is None:
                end = _next_flow(file, offset + 1, size)
                rest = (
                    f"{end - offset} bytes were passed over"
                    if end < size
                    else "nothing behind it can be read"
                )
                yield end, Damaged(f"flow {number} (at byte {offset}) is damaged; {rest}")
            else:
                yield end, _read(state, number, offset)
            offset = end


def _state_at(file: BinaryIO, offset: int, size: int) -> tuple[dict[Any, Any] | None, int]:
    """The dictionary that begins here, and where it ends."""
    file.seek(offset)
    match = _LENGTH.match(file.read(13))
    if match is None:
        return None, offset
    length = int(match[1])
    start, end = offset + match.end(), offset + match.end() + length + 1
    if end > size:
        return None, offset
    file.seek(end - 1)
    if file.read(1) != b"}":
        return None, offset
    file.seek(start)
    try:
        state = tnetstring.parse(ord("}"), memoryview(file.read(length)))
    except (ValueError, TypeError, IndexError, RecursionError):
        return None, offset
    assert isinstance(state, dict)
    return state, end


def _next_flow(file: BinaryIO, offset: int, size: int) -> int:
    """Where the next sound flow begins; the end of the file when there is none."""
    while offset < size:
        file.seek(offset)
        block = file.read(_BLOCK + _BEYOND)
        for match in _BEGIN.finditer(block):
            if match.start() >= _BLOCK:
                break
            state, _ = _state_at(file, offset + match.start(), size)
            if state is not None and _is_flow(state):
                return offset + match.start()
        offset += _BLOCK
    return size


def _is_flow(state: dict[Any, Any]) -> bool:
    """And not one of the dictionaries within a flow, of which some have a `type` or a `version` too."""
    return ("version" in state or b"version" in state) and ("type" in state or b"type" in state)


def _read(state: dict[Any, Any], number: int, offset: int) -> Exchange | Damaged | None:
    try:
        found = flow.Flow.from_state(compat.migrate_flow(state))
        return exchange_of(found) if isinstance(found, http.HTTPFlow) else None
    except (exceptions.FlowReadException, ValueError, TypeError, KeyError, AttributeError, IndexError) as e:
        return Damaged(f"flow {number} (at byte {offset}) cannot be read: {type(e).__name__}: {e}")


def exchange_of(found: http.HTTPFlow) -> Exchange:
    request, response, socket = found.request, found.response, found.websocket
    started = _us(request.timestamp_start)
    peer = found.client_conn.peername
    auth = found.metadata.get("proxyauth")
    exchange = Exchange(
        id=call_id(found.id.encode(), started),
        started_us=started,
        method=request.method,
        scheme=request.scheme,
        host=request.pretty_host if _is_address(request.host) else request.host,
        port=request.port,
        path=request.path,
        http_version=request.http_version,
        headers=request.headers.fields,
        body=request.raw_content or b"",
        websocket=socket is not None,
        user=auth[0] if auth else None,
        client_address=peer[0] if peer else None,
    )
    if request.raw_content is None:
        exchange.missing = "mitmproxy did not keep the request's body"
    if response:
        begun = _us(response.timestamp_start)
        exchange.reply = _reply(response, begun)
        exchange.ended_us = _us(response.timestamp_end) or begun
        if exchange.reply.pieces is None and not socket:
            exchange.missing = "mitmproxy did not keep the answer's body, as it was streamed"
    if socket:
        exchange.messages = [
            Message(_us(m.timestamp), m.from_client, m.is_text, m.content) for m in socket.messages
        ]
        last = exchange.messages[-1].at_us if exchange.messages else exchange.ended_us
        exchange.ended_us = _us(socket.timestamp_end) or last
    exchange.end = _end(found)
    if found.error:
        exchange.ended_us = _us(found.error.timestamp)
    exchange.ended_us = max(exchange.ended_us, started)
    return exchange


def _reply(response: http.Response, begun: int) -> Reply:
    body = response.raw_content
    ended = _us(response.timestamp_end) or begun
    return Reply(
        response.status_code,
        response.reason or "",
        response.http_version,
        response.headers.fields,
        begun,
        None if body is None else [(ended, body)] if body else [],
    )


def _end(found: http.HTTPFlow) -> EndHead | None:
    """None for a flow that was saved while it was going on."""
    socket, response = found.websocket, found.response
    if found.error:
        message = found.error.msg
        end = end_of(found, "client_left" if message.startswith(CLIENT_LEFT) else "upstream_error", message)
    elif socket and socket.timestamp_end:
        cause = "client_left" if socket.closed_by_client else "complete"
        end = end_of(found, cause, close_code=socket.close_code)
    elif response and response.timestamp_end and not socket:
        end = end_of(found, "complete")
    else:
        return None
    end.untimed = socket is None
    return end


def _us(seconds: float | None) -> int:
    return round(seconds * 1_000_000) if seconds else 0


def _is_address(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
