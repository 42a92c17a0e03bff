"""Answers made by the proxy, in the shape the provider's own client library expects of an error.

They carry `x-llmitm-id`, the call's id in the dashboard, and `x-llmitm-rule` where a rule made them. Shapes: the API references
of OpenAI, Anthropic and Google; Bedrock, Cohere and Ollama as recorded.
"""

from __future__ import annotations

import json
from typing import Any

from mitmproxy import http

from addons.call import Call


def error(call: Call, status_code: int, message: str, *, rule: str | None = None) -> http.Response:
    """A finished error response."""
    headers = {"content-type": "application/json", "x-llmitm-id": call.text_id}
    if rule:
        headers["x-llmitm-rule"] = rule
    response = http.Response.make(
        status_code, json.dumps(_body(call, status_code, message)).encode(), headers
    )
    if call.target.format.startswith("bedrock"):
        response.headers["x-amzn-errortype"] = (
            "ServiceUnavailableException" if status_code >= 500 else "ValidationException"
        )
    return response


def _body(call: Call, status_code: int, message: str) -> dict[str, Any]:
    message = f"{message} (llmitm id {call.text_id})"
    family = call.target.format.partition("-")[0]
    if family == "anthropic":
        kind = {400: "invalid_request_error", 403: "permission_error", 429: "rate_limit_error"}.get(
            status_code, "api_error"
        )
        return {"type": "error", "error": {"type": kind, "message": message}}
    if family == "gemini":
        kind = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 429: "RESOURCE_EXHAUSTED"}.get(
            status_code, "UNAVAILABLE"
        )
        return {"error": {"code": status_code, "message": message, "status": kind}}
    if family in ("bedrock", "cohere"):
        return {"message": message}
    if family == "ollama":
        return {"error": message}
    kind = {400: "invalid_request_error", 403: "permission_error", 429: "rate_limit_error"}.get(
        status_code, "server_error"
    )
    return {"error": {"message": message, "type": kind, "param": None, "code": "llmitm"}}


def last_event(call: Call, kind: str, status_code: int, message: str, *, begun: bool) -> bytes:
    """What ends a stream that is stopped. `kind` is how it is cut (`wire.frames`), `begun` whether something of it came."""
    body = _body(call, status_code, message)
    family, _, rest = call.target.format.partition("-")
    if kind == "lines":
        return json.dumps(body).encode() + b"\n"
    if kind == "array":
        return (b"," if begun else b"[") + json.dumps(body).encode() + b"]"
    name = "error" if family == "anthropic" else ""
    if family == "cohere":
        name = "message-end"
        body = {"type": name, "delta": {"finish_reason": "ERROR", "error": body["message"]}}
    elif rest == "responses":
        name = "error"
        body = {"type": name, "sequence_number": 0, **body}
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(body).encode() + b"\n\n"


def message(call: Call, status_code: int, words: str, about: dict[str, Any]) -> bytes:
    """An error event on a WebSocket. `about` is the message it is about; Realtime names it by its id."""
    body = _body(call, status_code, words)
    if call.target.operation == "realtime":
        body["error"]["event_id"] = about.get("event_id")
        return json.dumps({"type": "error", "event_id": f"event_{call.text_id}", **body}).encode()
    return json.dumps({"type": "error", "status": status_code, **body}).encode()
