"""Content-encodings: right, cut anywhere, damaged, mislabelled, hostile."""

import gzip
import hashlib
import time
import zlib

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from intelligence.wire.encoding import Decoder, decode_body

TEXT = "".join(f'data: {{"n": {n}, "ü": "{n * n}"}}\n\n' for n in range(400)).encode()


def raw_deflate(data):
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


ENCODERS = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": raw_deflate,
    "br": brotli.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "gzip, br": lambda data: brotli.compress(gzip.compress(data)),
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("encoding", ENCODERS)
def test_whole_and_in_single_bytes(encoding):
    body = ENCODERS[encoding](TEXT)
    assert decode_body(encoding, body, len(TEXT)) == TEXT
    decoder = Decoder(encoding)
    assert b"".join(decoder.feed(body[i : i + 1]) for i in range(len(body))) == TEXT
    assert decoder.ok


@pytest.mark.parametrize("encoding", ENCODERS)
def test_the_beginning_is_known_before_the_end(encoding):
    text = b"".join(hashlib.sha256(bytes([n & 255, n >> 8])).hexdigest().encode() for n in range(8000))
    body = ENCODERS[encoding](text)
    got = Decoder(encoding).feed(body[: len(body) * 3 // 4])
    assert got
    assert text.startswith(got)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_damage_costs_only_what_is_behind_it(encoding):
    """All that zlib can decode of it, even what it decoded in the call that failed."""
    body = bytearray(ENCODERS[encoding](TEXT))
    body[len(body) // 2] ^= 0xFF
    body[len(body) // 2 + 1] ^= 0xFF
    decoder = Decoder(encoding)
    got = decoder.feed(bytes(body))
    assert not decoder.ok
    assert len(got) > len(TEXT) // 4
    assert got[: len(TEXT) // 4] == TEXT[: len(TEXT) // 4]
    single = Decoder(encoding)
    assert b"".join(single.feed(bytes([byte])) for byte in body) == got


@pytest.mark.parametrize("encoding", ["br", "zstd"])
def test_damage_is_noticed(encoding):
    body = bytearray(ENCODERS[encoding](TEXT))
    body[10:14] = b"\xff\xff\xff\xff"
    decoder = Decoder(encoding)
    decoder.feed(bytes(body) + bytes(100))
    assert decoder.feed(b"more") == b""


def test_members_and_frames_one_after_another():
    assert decode_body("gzip", gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0") == b"ab"
    zstd = ENCODERS["zstd"]
    assert decode_body("zstd", zstd(b"a") + zstd(b"b")) == b"ab"


@pytest.mark.parametrize(
    "encoding", ["gzip", "zstd", "unheard-of", "gzip, unheard-of", "gzip" + ", gzip" * 9]
)
def test_what_is_not_encoded_passes(encoding):
    assert decode_body(encoding, b'{"a": 1}') == b'{"a": 1}'


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_bombs(encoding):
    zeros = bytes(64 * 1024 * 1024)
    bomb = gzip.compress(gzip.compress(zeros)) if encoding == "gzip, gzip" else ENCODERS[encoding](zeros)
    decoder = Decoder(encoding, max_bytes=1_000_000)
    start = time.process_time()
    assert decoder.feed(bomb) == bytes(1_000_000)
    assert not decoder.ok
    assert decoder.feed(b"x") == b""
    assert time.process_time() - start < 2


def test_identity_is_limited_too():
    assert decode_body(None, b"abcdef", 3) == b"abc"
    assert Decoder(None, 3).feed(b"abcdef") == b"abc"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(list(ENCODERS)), st.lists(st.binary(max_size=40), max_size=6))
def test_anything(encoding, pieces):
    decoder = Decoder(encoding, 10_000)
    for piece in pieces:
        decoder.feed(piece)
    head = ENCODERS[encoding](b"hello")[:6]
    decode_body(encoding, head + b"".join(pieces), 10_000)
