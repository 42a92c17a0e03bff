"""The door of the dashboard: who may ask, and what a browser may do with the answer.

Every request passes here before Datasette sees it. A page of another site can make a browser send requests to loopback,
and by DNS rebinding even read the answers; so the `Host` header must be one of our own names with our own port, and a request
that could change something must carry one of our own origins if it carries any. Each answer gets a content security policy:
our pages set the strict one themselves (`STRICT_CSP`); Datasette's pages use inline scripts, so they get `LOOSE_CSP`, which
still loads nothing from elsewhere and cannot be framed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

STRICT_CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LOOSE_CSP = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# For bytes of a request or an answer, shown as they are: nothing may run or load, not even from us.
RAW_CSP = "default-src 'none'; sandbox; frame-ancestors 'none'"

HEADERS = {
    b"x-content-type-options": b"nosniff",
    # Not `no-referrer`: browsers would then send `Origin: null` with our own forms.
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"DENY",
    b"cross-origin-resource-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
}


def loopback_hosts(port: int) -> frozenset[str]:
    """The `Host` headers that mean us. Browsers leave port 80 out."""
    with_port = {f"{name}:{port}" for name in LOOPBACK_NAMES}
    return frozenset(with_port | set(LOOPBACK_NAMES) if port == 80 else with_port)


def guard(app: App, hosts: Iterable[str], more_origins: Iterable[str] = ()) -> App:
    """`app` behind the checks of this module. `hosts` are the `Host` headers it answers to, besides those of `more_origins`."""
    plain, more = frozenset(hosts), frozenset(more_origins)
    allowed = plain | {origin.partition("://")[2] for origin in more}
    origins = more | {f"http://{host}" for host in plain}

    async def guarded(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        send = _with_headers(send)
        if refusal := _refusal(scope, allowed, origins):
            await _forbid(send, refusal)
        else:
            await app(scope, receive, send)

    return guarded


def _refusal(scope: Message, hosts: frozenset[str], origins: frozenset[str]) -> str | None:
    """Why this request is not answered; `None` if it is."""
    given = [value.decode("latin-1").lower() for name, value in scope["headers"] if name.lower() == b"host"]
    if len(given) != 1 or given[0] not in hosts:
        return "The dashboard answers only at its own address: " + ", ".join(sorted(origins)) + "."
    if scope["method"] not in SAFE_METHODS:
        for name, value in scope["headers"]:
            if name.lower() == b"origin" and value.decode("latin-1").lower() not in origins:
                return "This request comes from another site."
    return None


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", []))
            present = {bytes(name).lower() for name, _ in headers}
            added = {**HEADERS, b"content-security-policy": LOOSE_CSP.encode()}
            headers += [(name, value) for name, value in added.items() if name not in present]
            message = {**message, "headers": headers}
        await send(message)

    return send_with_headers


async def _forbid(send: Send, reason: str) -> None:
    body = f"403 Forbidden\n\n{reason}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})
