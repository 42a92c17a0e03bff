import json

import pytest

from intelligence.wire.credentials import REDACTED, Redactor

SECRET = "sk-canary-123456"
redactor = Redactor(b"k" * 32)


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "x-api-key", "api-key", "X-Goog-Api-Key", "cookie", "Set-Cookie", "Proxy-Authorization",
        "x-amz-security-token", "x-auth-token", "cf-aig-authorization", "x-portkey-api-key", "Helicone-Auth",
    ],
)  # fmt: skip
def test_secret_headers_lose_their_value(name: str) -> None:
    fields = [(name.encode(), SECRET.encode())]
    assert redactor.strip_headers(fields) == [(name, REDACTED)]


@pytest.mark.parametrize(
    "name",
    [
        "x-ratelimit-remaining-tokens",
        "anthropic-ratelimit-tokens-limit",
        "content-type",
        "user-agent",
        "openai-organization",
    ],
)
def test_other_headers_keep_their_value(name: str) -> None:
    assert redactor.strip_headers([(name.encode(), b"v")]) == [(name, "v")]


def test_websocket_protocol_keeps_all_but_the_key() -> None:
    fields = [
        (
            b"Sec-WebSocket-Protocol",
            f"realtime, openai-insecure-api-key.{SECRET}, openai-beta.realtime-v1".encode(),
        )
    ]
    ((_, value),) = redactor.strip_headers(fields)
    assert value == f"realtime, openai-insecure-api-key.{REDACTED}, openai-beta.realtime-v1"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (f"/v1/x?alt=sse&key={SECRET}&b=%20", f"/v1/x?alt=sse&key={REDACTED}&b=%20"),
        (f"/v1/x?k%65y={SECRET}", f"/v1/x?k%65y={REDACTED}"),
        (
            f"/x?X-Amz-Signature={SECRET};X-Amz-Security-Token={SECRET}",
            f"/x?X-Amz-Signature={REDACTED};X-Amz-Security-Token={REDACTED}",
        ),
        ("/x?monkey=1&keyboard=2", "/x?monkey=1&keyboard=2"),
        ("/plain", "/plain"),
    ],
)
def test_query(path: str, expected: str) -> None:
    assert redactor.strip_path(path) == expected


def test_url_in_a_redirect_is_stripped_too() -> None:
    assert redactor.strip_headers([(b"Location", f"https://h/x?key={SECRET}".encode())]) == [
        ("Location", f"https://h/x?key={REDACTED}")
    ]


@pytest.mark.parametrize(
    "body",
    [
        {"type": "session.created", "session": {"client_secret": {"value": SECRET, "expires_at": 1}}},
        {"tools": [{"type": "mcp", "authorization": SECRET, "headers": {"Authorization": SECRET, "X": "y"}}]},
        {"mcp_servers": [{"authorization_token": SECRET}]},
        {"value": f"ek_{SECRET}", "expires_at": 1},
    ],
)
def test_json_secrets(body: dict) -> None:
    stripped = redactor.strip_body(json.dumps(body, separators=(",", ":")).encode())
    assert stripped is not None and SECRET.encode() not in stripped


def test_bodies_without_secrets_are_not_copied() -> None:
    schema = {"tools": [{"parameters": {"properties": {"authorization": {"type": "string"}}}}]}
    assert redactor.strip_body(json.dumps(schema).encode()) is None
    assert redactor.strip_body(json.dumps({"text": 'say "authorization": "x"'}).encode()) is None
    assert redactor.strip_body(b'{"client_secret": broken') is None


def test_the_conversation_is_passed_over() -> None:
    body = b'{"messages": [{"content": {"password": "x"}}], "tools": []}'
    assert redactor.strip_body(body, (body.index(b"[") + 1, body.index(b"]"))) is None
    assert redactor.strip_body(body) is not None
    body = b'{"api_key": "x", "messages": [{"content": 1}]}'
    assert redactor.strip_body(body, (body.index(b"[") + 1, body.index(b"]"))) is not None


def test_configured_names_are_added() -> None:
    more = Redactor(b"k" * 32, headers=["X-Mine"], query=["sid"], json_keys=["pin"])
    assert more.strip_headers([(b"x-mine", b"1")]) == [("x-mine", REDACTED)]
    assert more.strip_path("/?sid=1") == f"/?sid={REDACTED}"
    assert more.strip_body(b'{"pin":"1234"}') == b'{"pin":"[redacted]"}'


@pytest.mark.parametrize(
    ("fields", "path", "kind"),
    [
        ([(b"Authorization", b"Bearer sk-proj-1")], "", "api_key"),
        ([(b"authorization", b"Bearer sk-ant-oat01-1")], "", "oauth"),
        ([(b"authorization", b"Bearer eyJhbGciOi.x.y")], "", "oauth"),
        ([(b"authorization", b"AWS4-HMAC-SHA256 Credential=AKIA1/2026/x, Signature=2")], "", "aws_sigv4"),
        ([(b"authorization", b"Basic dTpw")], "", "basic"),
        ([(b"x-api-key", b"1")], "", "api_key"),
        ([], "/v1?key=AIza1", "api_key"),
        ([(b"sec-websocket-protocol", b"realtime, openai-insecure-api-key.sk-1")], "", "api_key"),
        ([(b"cookie", b"a=b")], "", "cookie"),
    ],
)
def test_kind_of_credential(fields: list, path: str, kind: str) -> None:
    credential = redactor.credential({n.lower(): v for n, v in fields}, path)
    assert credential is not None and credential.kind == kind


def test_fingerprint_is_keyed_and_stable() -> None:
    fields = {b"x-api-key": b"1"}
    other = Redactor(b"o" * 32)
    assert redactor.credential(fields) == redactor.credential(fields)
    assert redactor.credential(fields) != other.credential(fields)
    assert redactor.credential({}) is None


def test_signature_changes_but_the_access_key_stays() -> None:
    first = redactor.credential({b"authorization": b"AWS4-HMAC-SHA256 Credential=AKIA1/2026/x, Signature=1"})
    second = redactor.credential({b"authorization": b"AWS4-HMAC-SHA256 Credential=AKIA1/2027/x, Signature=2"})
    assert first == second
