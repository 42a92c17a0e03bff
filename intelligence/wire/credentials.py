"""Credentials: told apart, fingerprinted and stripped, so that none is ever written down.

What is always stripped: headers that carry keys, tokens or cookies; key-like query parameters; API keys that browsers pass in
`Sec-WebSocket-Protocol`; AWS signatures; JSON fields such as `client_secret` (Realtime) or an MCP server's `authorization`.
The user's configuration can only add names (`[redact]` in mitm.toml). What goes upstream is never touched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote_plus

from intelligence.store.ids import keyed_hash
from intelligence.wire.json_value import INVALID, as_json, decode

REDACTED = "[redacted]"
Fields = Sequence[tuple[bytes, bytes]]

# A header whose name says it carries a secret. `token` only as a last word: x-ratelimit-remaining-tokens is a count.
_SECRET_HEADER = re.compile(
    r"authorization|api-?key|secret|cookie|password|credential|signature|(^|[-_])(token|auth|jwt|session-key|assertion)$"
)
_SECRET_QUERY = frozenset(
    """key api_key api-key apikey access_token refresh_token id_token token auth authorization sig signature client_secret
    secret password x-amz-signature x-amz-security-token x-amz-credential x-goog-signature x-goog-credential""".split()
)
_SECRET_JSON = (
    "client_secret", "authorization", "authorization_token", "api_key", "apiKey", "api-key", "x-api-key", "access_token",
    "refresh_token", "password",
)  # fmt: skip
_URL_HEADERS = frozenset(["location", "content-location", "referer", "link"])
_WS_KEY = re.compile(
    r"(openai-insecure-api-key\.|openai-ephemeral-key\.|bearer[.-]|authorization\.)[^,\s]+", re.I
)
_AWS_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)")
# Bearer tokens that belong to a person's subscription or log-in, not to an API account.
_OAUTH_PREFIXES = ("sk-ant-oat", "eyJ", "ya29.", "gho_", "ghu_", "tid=", "oauth-")


@dataclass(frozen=True, slots=True)
class Credential:
    """Kind (`api_key`, `oauth`, `aws_sigv4`, `basic`, `cookie`) and keyed fingerprint of what authenticates a request."""

    kind: str
    fingerprint: str


@dataclass(slots=True)
class Redactor:
    """Strips credentials. `headers`, `query` and `json_keys` add names to those always stripped."""

    key: bytes
    headers: Sequence[str] = ()
    query: Sequence[str] = ()
    json_keys: Sequence[str] = ()
    _secret: dict[bytes, bool] = field(default_factory=dict)
    _more_headers: frozenset[str] = frozenset()
    _query: frozenset[str] = frozenset()
    _json: frozenset[str] = frozenset()
    _json_gate: re.Pattern[bytes] | None = None

    MAX_NAMES = 4096

    def __post_init__(self) -> None:
        self._more_headers = frozenset(h.lower() for h in self.headers)
        self._query = _SECRET_QUERY | {q.lower() for q in self.query}
        names = {*_SECRET_JSON, *self.json_keys}
        self._json = frozenset(name.lower() for name in names)
        # One pass over the bytes, about 0.8 ms per MB: bodies that name no such key (nearly all) are never parsed for it.
        self._json_gate = re.compile(
            b'"(?:' + b"|".join(re.escape(n.encode()) for n in sorted(self._json)) + b')"'
        )

    def strip_headers(self, fields: Fields) -> list[tuple[str, str]]:
        """Header fields as text (Latin-1, lossless) with secret values replaced."""
        out = []
        for raw_name, raw_value in fields:
            secret = self._secret.get(raw_name)
            if secret is None:
                secret = self._learn(raw_name)
            name = raw_name.decode("latin-1")
            if secret:
                out.append((name, self._strip_value(name.lower(), raw_value.decode("latin-1"))))
            else:
                out.append((name, raw_value.decode("latin-1")))
        return out

    def _learn(self, raw_name: bytes) -> bool:
        name = raw_name.decode("latin-1").lower()
        secret = (
            name in self._more_headers
            or name in _URL_HEADERS
            or name == "sec-websocket-protocol"
            or _SECRET_HEADER.search(name) is not None
        )
        if len(self._secret) < self.MAX_NAMES:
            self._secret[raw_name] = secret
        return secret

    def _strip_value(self, name: str, value: str) -> str:
        if name == "sec-websocket-protocol":
            return _WS_KEY.sub(rf"\g<1>{REDACTED}", value)
        if name in _URL_HEADERS and name not in self._more_headers:
            return self.strip_path(value)
        return REDACTED

    def strip_path(self, path: str) -> str:
        """A path or URL with the values of secret query parameters replaced; everything else stays as it was."""
        base, mark, query = path.partition("?")
        if not mark:
            return path
        query, hash_mark, fragment = query.partition("#")
        parts = re.split("([&;])", query)
        for i in range(0, len(parts), 2):
            name, eq, _ = parts[i].partition("=")
            if eq and unquote_plus(name).lower() in self._query:
                parts[i] = f"{name}={REDACTED}"
        return base + mark + "".join(parts) + hash_mark + fragment

    def strip_body(self, body: bytes, conversation: tuple[int, int] = (0, 0)) -> bytes | None:
        """The JSON body without secrets, or None when it has none (the usual case, decided by byte search alone).
        `conversation` is the stretch in which messages stand: what people and tools said is not where clients put keys."""
        assert self._json_gate
        start, end = conversation
        search = self._json_gate.search
        if not (search(body, end) or (start and search(body, 0, start)) or body.startswith(b'{"value"')):
            return None
        value = decode(body, max_values=len(body))  # no secret stays for the size of what is around it
        if value is INVALID or not self._strip_value_tree(value):
            return None
        return as_json(value).encode("utf-8", "backslashreplace")  # which is how JSON escapes half a pair

    def _strip_value_tree(self, root: Any) -> bool:
        found = False
        todo: list[Any] = [root]
        while todo:
            node = todo.pop()
            if isinstance(node, list):
                todo.extend(node)
                continue
            if not isinstance(node, dict):
                continue
            for name, value in node.items():
                if name.lower() in self._json:
                    if isinstance(value, str) and value:
                        node[name] = REDACTED
                        found = True
                        continue
                    if isinstance(value, dict) and isinstance(
                        value.get("value"), str
                    ):  # {"client_secret": {"value": …}}
                        value["value"] = REDACTED
                        found = True
                elif (
                    name == "value" and isinstance(value, str) and value.startswith("ek_")
                ):  # /v1/realtime/client_secrets
                    node[name] = REDACTED
                    found = True
                todo.append(value)
        return found

    def credential(self, named: Mapping[bytes, bytes], path: str = "") -> Credential | None:
        """What the request authenticates with, from its headers (by lower-case name) and, failing that, its query."""
        auth = named.get(b"authorization")
        if auth is not None:
            return self._from_authorization(auth.decode("latin-1"))
        for name in (b"x-api-key", b"api-key", b"x-goog-api-key"):
            if value := named.get(name):
                return self._made("api_key", value)
        if match := _WS_KEY.search(named.get(b"sec-websocket-protocol", b"").decode("latin-1")):
            return self._made("api_key", match[0].removeprefix(match[1]).encode("latin-1"))
        for pair in path.partition("?")[2].split("&"):
            name_, _, value_ = pair.partition("=")
            lowered = unquote_plus(name_).lower()
            if value_ and lowered in self._query:
                kind = "aws_sigv4" if lowered.startswith("x-amz-") else "api_key"
                return self._made(kind, unquote_plus(value_).partition("/")[0].encode())
        if cookie := named.get(b"cookie"):
            return self._made("cookie", cookie)
        return None

    def _from_authorization(self, value: str) -> Credential:
        scheme, _, token = value.strip().partition(" ")
        token = token.strip()
        if scheme.upper().startswith("AWS4-"):
            access_key = _AWS_CREDENTIAL.search(token)
            return self._made("aws_sigv4", (access_key[1] if access_key else token).encode("latin-1"))
        if scheme.lower() == "basic":
            return self._made("basic", token.encode("latin-1"))
        token = token or scheme
        kind = "oauth" if token.startswith(_OAUTH_PREFIXES) else "api_key"
        return self._made(kind, token.encode("latin-1"))

    def _made(self, kind: str, secret: bytes) -> Credential:
        return Credential(kind, keyed_hash(self.key, b"credential", secret))
