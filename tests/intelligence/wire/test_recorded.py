"""What is recorded of a request that is not as it was sent. What is told of its caller: see tests/addons/test_identify.py."""

from __future__ import annotations

import gzip
import hashlib

from intelligence.wire.credentials import Redactor
from intelligence.wire.recorded import encoding_of, named, request_head, strip_request
from intelligence.wire.registry import Target

REDACTOR = Redactor(b"k" * 32)
CHAT = Target("openai", "chat", "openai-chat")


def head_of(fields):
    return request_head(
        REDACTOR, CHAT, named(fields), method="POST", scheme="https", host="h", port=443, path="/p",
        http_version="HTTP/1.1", fields=fields,
    )  # fmt: skip


def test_a_body_without_secrets_stays_as_it_was_sent():
    fields = [(b"Content-Encoding", b"gzip")]
    head, body = head_of(fields), gzip.compress(b'{"model": "m"}')
    assert strip_request(REDACTOR, head, encoding_of(named(fields)), body, (0, 0)) is body
    assert (
        not head.body_redacted and head.body_sha256 is None and head.headers == [("Content-Encoding", "gzip")]
    )


def test_one_with_a_secret_is_recorded_decoded_and_without_it():
    fields = [(b"Content-Encoding", b"gzip"), (b"X-Api-Key", b"secret")]
    head, body = head_of(fields), gzip.compress(b'{"api_key": "secret"}')
    kept = strip_request(REDACTOR, head, encoding_of(named(fields)), body, (0, 0))
    assert kept == b'{"api_key":"[redacted]"}'
    assert head.body_redacted and head.headers == [("X-Api-Key", "[redacted]")]
    assert (head.body_sha256, head.body_bytes) == (hashlib.sha256(body).hexdigest(), len(body))
