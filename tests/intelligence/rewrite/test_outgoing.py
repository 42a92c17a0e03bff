"""The headers of a rewritten body, and bodies that may not be rewritten."""

import gzip
import zlib

import brotli
import pytest
import zstandard

from intelligence.rewrite.outgoing import outgoing, readable, sealed

BODY = b'{"model":"m","messages":[]}'


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"gzip", gzip.compress(BODY, mtime=0)),
        (b"GZIP", gzip.compress(BODY, mtime=0)),
        (b"zstd", zstandard.compress(BODY)),
        (b"br", brotli.compress(BODY)),
        (b"deflate", zlib.compress(BODY)),
        (b"gzip, zstd", zstandard.compress(gzip.compress(BODY, mtime=0))),
        (b"identity", BODY),
        (b"", BODY),
    ],
    ids=["gzip", "GZIP", "zstd", "br", "deflate", "gzip, zstd", "identity", "none"],
)
def test_a_body_is_read_whole(encoding: bytes, body: bytes) -> None:
    assert readable([(b"Content-Encoding", encoding)], body) == BODY


def test_what_is_not_read_whole_is_not_read() -> None:
    assert readable([], BODY) == BODY
    assert readable([(b"content-encoding", b"gzip")], gzip.compress(BODY, mtime=0)[:-12] + b"\0" * 12) is None
    assert readable([(b"content-encoding", b"aes128gcm")], BODY) is None


def test_headers_fit_the_new_body() -> None:
    headers = [
        (b"Host", b"h"),
        (b"content-Length", b"999"),
        (b"Content-Encoding", b"zstd"),
        (b"Content-MD5", b"x"),
        (b"X-A", b"1"),
        (b"X-A", b"2"),
    ]
    assert outgoing(headers, b"12345") == [
        (b"Host", b"h"),
        (b"content-Length", b"5"),
        (b"X-A", b"1"),
        (b"X-A", b"2"),
    ]
    assert outgoing([(b"transfer-encoding", b"chunked")], b"1") == [(b"transfer-encoding", b"chunked")]


def test_a_signature_over_the_body_seals_it() -> None:
    signed = (b"Authorization", b"AWS4-HMAC-SHA256 Credential=x, SignedHeaders=host, Signature=y")
    assert sealed([signed]) == "signed by AWS Signature Version 4"
    assert sealed([signed, (b"X-Amz-Content-Sha256", b"0" * 64)])
    assert sealed([signed, (b"X-Amz-Content-Sha256", b"UNSIGNED-PAYLOAD")]) is None
    assert sealed([(b"Signature-Input", b'sig1=("@method" "content-digest");keyid="k"')])
    assert sealed([(b"Signature-Input", b'sig1=("@method");keyid="k"')]) is None
    assert sealed([(b"authorization", b"Bearer x")]) is None
