from __future__ import annotations

from typing import Any

import pytest

from datasette_plugins.guard import LOOSE_CSP, STRICT_CSP, guard, loopback_hosts
from tests.datasette_plugins.conftest import HOST


async def ask(
    headers: list[tuple[str, str]], method: str = "GET", kind: str = "http"
) -> list[dict[str, Any]]:
    """What the guard sends, in front of an application that answers 200."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"inside"})

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    raw = [(name.encode(), value.encode()) for name, value in headers]
    await guard(app, loopback_hosts(8001))({"type": kind, "method": method, "headers": raw}, None, send)  # type: ignore[arg-type]
    return sent


@pytest.mark.parametrize("host", [HOST, "localhost:8001", "LOCALHOST:8001", "[::1]:8001"])
async def test_our_names_are_answered(host: str) -> None:
    assert (await ask([("host", host)]))[0]["status"] == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:8001",
        "127.0.0.1",
        "127.0.0.1:8002",
        "127.0.0.1:8001.evil.example",
        "",
        "0.0.0.0:8001",
    ],
)
async def test_other_names_are_not(host: str) -> None:
    sent = await ask([("host", host)])
    assert sent[0]["status"] == 403
    assert b"inside" not in sent[1]["body"]


async def test_no_name_or_two_are_not() -> None:
    assert (await ask([]))[0]["status"] == 403
    assert (await ask([("host", HOST), ("host", "evil.example")]))[0]["status"] == 403


@pytest.mark.parametrize(
    ("method", "origin", "status"),
    [
        ("POST", f"http://{HOST}", 200),
        ("POST", None, 200),
        ("POST", "http://evil.example", 403),
        ("POST", "null", 403),
        ("POST", "https://127.0.0.1:8001", 403),
        ("DELETE", "http://evil.example", 403),
        ("GET", "http://evil.example", 200),
    ],
)
async def test_changes_come_from_our_own_pages(method: str, origin: str | None, status: int) -> None:
    headers = [("host", HOST)] + ([("origin", origin)] if origin else [])
    assert (await ask(headers, method))[0]["status"] == status


async def test_a_websocket_is_closed() -> None:
    assert (await ask([("host", HOST)], kind="websocket"))[0]["type"] == "websocket.close"


def test_port_80_is_left_out_by_browsers() -> None:
    assert "localhost" in loopback_hosts(80)
    assert "localhost" not in loopback_hosts(8001)


async def test_headers_of_every_answer(site: Any, db: Any) -> None:
    for path, policy in (("/", STRICT_CSP), ("/traffic", LOOSE_CSP), ("/nowhere", STRICT_CSP)):
        headers = (await site.get(path)).headers
        assert headers["content-security-policy"] == policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in policy and "http" not in policy.replace("https", "")
    refused = await site.get("/", host="evil.example")
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_our_pages_run_no_inline_script() -> None:
    assert "unsafe" not in STRICT_CSP
