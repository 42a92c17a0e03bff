"""Encodings of requests, and what is kept of a socket's messages."""

from __future__ import annotations

import gzip

import brotli
import pytest
import zstandard

from addons.offline import exchange
from addons.offline.exchange import SeenRequest, decoded


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [("gzip", gzip.compress), ("br", brotli.compress), ("zstd", zstandard.compress), (None, bytes)],
)
def test_decoded(encoding, encode):
    assert decoded(encode(b"some body"), encoding) == b"some body"
    if encoding:
        with pytest.raises(ValueError, match=f"no {encoding}"):
            decoded(b"not encoded at all", encoding)


def test_the_newest_messages_are_kept(monkeypatch):
    monkeypatch.setattr(exchange, "MAX_MESSAGE_BYTES", 10)
    seen = SeenRequest("GET", "host", "/", "1.1", [], websocket=True)
    for message in ("one", "two", "three", "four"):
        seen.keep(message)
    assert list(seen.messages) == ["three", "four"]
    seen.keep("longer than all of it")
    assert list(seen.messages) == ["longer than all of it"]
