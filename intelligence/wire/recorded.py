"""What of a request is recorded: head and body as the journal keeps them, whether a proxy sees it or it is imported.

Plain data in, so that the proxy (on its hot path) and `llmitm import` tell a caller, a model and a conversation the same
way, and strip the same credentials.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from intelligence.store.journal import Headers, RequestHead
from intelligence.wire.credentials import Fields as HeaderFields
from intelligence.wire.credentials import Redactor
from intelligence.wire.encoding import decode_body
from intelligence.wire.identify import Fields, client_of, conversation_key, read_fields
from intelligence.wire.registry import Target

# A compressed body is inflated to at most this size to be identified and stripped.
MAX_BODY_BYTES = 64 * 1024 * 1024

Named = Mapping[bytes, bytes]


def named(fields: HeaderFields) -> dict[bytes, bytes]:
    """Header values by lower-case name."""
    return {name.lower(): value for name, value in fields}


def encoding_of(by_name: Named) -> str | None:
    return by_name.get(b"content-encoding", b"").decode("latin-1") or None


def request_head(
    redactor: Redactor,
    target: Target,
    by_name: Named,
    *,
    method: str,
    scheme: str,
    host: str,
    port: int,
    path: str,
    http_version: str,
    fields: HeaderFields,
    user: str | None = None,
    client_address: str | None = None,
) -> RequestHead:
    """What the headers tell; `by_name` is `named(fields)`. Nothing in it is a credential."""
    credential = redactor.credential(by_name, path)
    client, version = client_of(by_name.get(b"user-agent", b"").decode("latin-1"))
    return RequestHead(
        method=method,
        scheme=scheme,
        host=host,
        port=port,
        path=redactor.strip_path(path),
        http_version=http_version,
        headers=redactor.strip_headers(fields),
        provider=target.provider,
        operation=target.operation,
        format=target.format,
        model=target.model,
        stream=target.stream,
        user=user,
        client=client,
        client_version=version,
        client_address=client_address,
        credential_kind=credential.kind if credential else None,
        credential_fingerprint=credential.fingerprint if credential else None,
        websocket=by_name.get(b"upgrade", b"").lower() == b"websocket",
    )


def read_body(
    key: bytes, head: RequestHead, target: Target, encoding: str | None, body: bytes
) -> tuple[int, int]:
    """Adds to the head what the body tells. Returns where in the decoded body the conversation stands."""
    fields = read_fields(decode_body(encoding, body, MAX_BODY_BYTES) if encoding else body)
    if fields is None:
        return (0, 0)
    head.model = target.model or fields.model
    head.stream = target.stream if target.stream is not None else _streams(target, fields)
    head.conversation_key = conversation_key(key, head.credential_fingerprint, head.client, fields)
    return fields.content


def strip_request(
    redactor: Redactor, head: RequestHead, encoding: str | None, body: bytes, conversation: tuple[int, int]
) -> bytes:
    """The body to record. The head says so when that is not the one that was sent."""
    stripped = strip_body(redactor, encoding, body, conversation)
    if stripped is None:
        return body
    head.body_redacted = True
    head.body_sha256, head.body_bytes = hashlib.sha256(body).hexdigest(), len(body)
    head.headers = without_encoding(head.headers)
    return stripped


def strip_body(
    redactor: Redactor, encoding: str | None, body: bytes, conversation: tuple[int, int] = (0, 0)
) -> bytes | None:
    """The body decoded and without secrets; None when it has none."""
    return redactor.strip_body(
        decode_body(encoding, body, MAX_BODY_BYTES) if encoding else body, conversation
    )


def without_encoding(headers: Headers) -> Headers:
    return [(name, value) for name, value in headers if name.lower() != "content-encoding"]


def _streams(target: Target, fields: Fields) -> bool:
    """Ollama streams unless told not to; everyone else only when asked."""
    if fields.stream is not None:
        return fields.stream
    return target.format == "ollama" and target.operation in ("chat", "text_completion")
