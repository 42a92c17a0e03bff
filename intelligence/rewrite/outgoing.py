"""How a rewritten body goes out: decoded, with headers that fit it; and requests whose body nobody may change.

A client may have compressed the body; rewritten it is sent as it is read, without content-encoding, which every provider takes.
A request that is signed over its body cannot be changed without the client's key, and we never forge one.
"""

from __future__ import annotations

from collections.abc import Sequence

from intelligence.wire.encoding import Decoder

Headers = Sequence[tuple[bytes, bytes]]

MAX_BYTES = 64 * 1024 * 1024
_KNOWN = frozenset([b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"identity", b""])
# What a client may say of the bytes it sent, and a provider need not be told.
_OF_THE_OLD_BODY = frozenset(
    [b"content-encoding", b"content-md5", b"digest", b"content-digest", b"repr-digest"]
)


def readable(headers: Headers, body: bytes) -> bytes | None:
    """The body without content-encoding; None when it cannot be decoded whole."""
    encodings = b", ".join(value for name, value in headers if name.lower() == b"content-encoding")
    if any(name.strip().lower() not in _KNOWN for name in encodings.split(b",")):
        return None
    if not encodings:
        return body
    decoder = Decoder(encodings.decode("latin-1"), MAX_BYTES)
    decoded = decoder.feed(body)
    return decoded if decoder.ok else None


def sealed(headers: Headers) -> str | None:
    """Why the body of a request may not be changed; None when it may."""
    named = {name.lower(): value for name, value in headers}
    if named.get(b"authorization", b"").startswith(b"AWS4-"):
        covered = named.get(b"x-amz-content-sha256", b"")
        return None if covered == b"UNSIGNED-PAYLOAD" else "signed by AWS Signature Version 4"
    covered = named.get(b"signature-input", b"")
    return "signed by HTTP message signature" if b"digest" in covered else None


def outgoing(headers: Headers, body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers for a rewritten body, in their order and spelling. `content-length` is told where it was."""
    length = str(len(body)).encode()
    return [
        (name, length if name.lower() == b"content-length" else value)
        for name, value in headers
        if name.lower() not in _OF_THE_OLD_BODY
    ]
