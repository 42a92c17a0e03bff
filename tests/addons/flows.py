"""Flows as mitmproxy saves them, made from plain data."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mitmproxy import http, websocket
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow
from wsproto.frame_protocol import Opcode

START = 1_780_000_000.25


def chat_flow(number: int = 0, *, text: str = "Hello", words: str = "Hi there", **more: Any) -> http.HTTPFlow:
    """A chat with OpenAI, as JSON."""
    request = {"model": "gpt-5.4-mini", "messages": [{"role": "user", "content": f"{text} {number}"}], **more}
    answer = {
        "id": f"chatcmpl-{number}",
        "object": "chat.completion",
        "model": "gpt-5.4-mini-2026-03-17",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": words}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 3, "total_tokens": 12},
    }
    return flow(
        "api.openai.com",
        "/v1/chat/completions",
        json.dumps(request).encode(),
        json.dumps(answer).encode(),
        request_headers={"authorization": "Bearer sk-canary-1234567890", "user-agent": "OpenAI/Python 3.0.1"},
        at=START + number,
    )


def flow(
    host: str,
    path: str,
    body: bytes,
    answer: bytes | None,
    *,
    method: str = "POST",
    status: int = 200,
    request_headers: dict[str, str] | None = None,
    response_headers: dict[str, str] | None = None,
    at: float = START,
    port: int = 443,
) -> http.HTTPFlow:
    made = tflow.tflow(resp=True)
    made.request = http.Request.make(
        method,
        f"https://{host}:{port}{path}",
        body,
        {"content-type": "application/json", **(request_headers or {})},
    )
    made.request.timestamp_start, made.request.timestamp_end = at, at + 0.01
    made.server_conn.timestamp_start = at - 5
    assert made.response
    made.response = http.Response.make(
        status, b"", {"content-type": "application/json", **(response_headers or {})}
    )
    made.response.raw_content = answer
    made.response.timestamp_start, made.response.timestamp_end = at + 0.2, at + 0.9
    return made


def socket_flow(
    host: str, path: str, messages: Iterable[tuple[bool, bytes]], *, at: float = START
) -> http.HTTPFlow:
    """A WebSocket, its messages a tenth of a second apart."""
    made = flow(
        host, path, b"", b"", method="GET", status=101, request_headers={"upgrade": "websocket"}, at=at
    )
    said = [
        websocket.WebSocketMessage(Opcode.TEXT, from_client, data, at + 1 + n / 10)
        for n, (from_client, data) in enumerate(messages)
    ]
    made.websocket = websocket.WebSocketData(
        said, closed_by_client=True, close_code=1000, timestamp_end=at + 1 + len(said) / 10
    )
    return made


def of_exchange(exchange: dict[str, Any], at: float) -> http.HTTPFlow:
    """A recorded exchange of the corpus."""
    host, _, port = str(exchange["host"]).partition(":")
    path = exchange["path"] or "/v1/realtime"
    if exchange["framing"] == "websocket":
        said = json.loads(exchange["response_body"])
        return socket_flow(
            host,
            path,
            (
                (
                    m["dir"] == "out",
                    (m["data"] if isinstance(m["data"], str) else json.dumps(m["data"])).encode(),
                )
                for m in said
            ),
            at=at,
        )
    made = flow(
        host,
        path,
        _content(exchange, "request"),
        _content(exchange, "response"),
        method=exchange["method"],
        status=exchange["response_status"],
        at=at,
        port=int(port or 443),
    )
    assert made.response
    made.request.headers = http.Headers(
        [(n.encode(), v.encode()) for n, v in exchange["request_headers"].items()]
    )
    made.response.headers = http.Headers(
        [(n.encode(), v.encode()) for n, v in exchange["response_headers"].items()]
    )
    return made


def _content(exchange: dict[str, Any], side: str) -> bytes:
    body = exchange[f"{side}_body"] or ""
    if exchange[f"{side}_encoding"] == "base64":
        return base64.b64decode(body)
    return str(body).encode("utf-8", "surrogatepass")


def saved(flows: Iterable[http.HTTPFlow]) -> bytes:
    out = io.BytesIO()
    writer = FlowWriter(out)
    for each in flows:
        writer.add(each)
    return out.getvalue()


def save(path: Path, flows: Iterable[http.HTTPFlow]) -> Path:
    path.write_bytes(saved(flows))
    return path
