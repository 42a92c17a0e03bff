"""Where a stream is cut changes nothing of what is read from it.

Every recorded stream, and one in the repository for each framing: in single bytes, at all borders of events at once shifted by
-2 to 2 bytes, and in two. Cuts in two are a fixed sample here; `LLMITM_RECUT=full` tries every offset of streams up to 4 KB and
every border ± 2 of all (some minutes). The same with the stream compressed, so cut within gzip, br, zstd and deflate.
"""

import gzip
import itertools
import os
import random
import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import brotli
import pytest
import zstandard

from intelligence.wire.answer import Answer, AnswerReader
from tests.fuzz.seeds import seeds
from tests.intelligence.wire import corpus

FULL = os.environ.get("LLMITM_RECUT") == "full"
SAMPLE = 40
SMALL = 4096
STREAMS = ("sse", "ndjson", "json-array", "aws-eventstream", "text")
ENCODERS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "br": lambda data: brotli.compress(data, quality=4),
    "zstd": zstandard.ZstdCompressor().compress,
    "deflate": zlib.compress,
}


class Stream:
    """A body and how it is to be read."""

    def __init__(self, name: str, framing: str, body: bytes, **how: Any) -> None:
        self.name, self.framing, self.body, self.how = name, framing, body, how

    def read(self, pieces: list[bytes]) -> Answer:
        reader = AnswerReader(**self.how)
        for piece in pieces:
            reader.feed(piece)
        return reader.finish()

    def compressed(self, encoding: str) -> "Stream":
        how = self.how | {"headers": self.how["headers"] | {"content-encoding": encoding}}
        return Stream(f"{self.name} {encoding}", self.framing, ENCODERS[encoding](self.body), **how)


def recorded(file: str) -> Iterator[Stream]:
    for exchange in corpus.exchanges(file):
        if exchange["framing"] not in STREAMS:
            continue
        target = corpus.target_of(exchange)
        yield Stream(
            exchange["id"],
            exchange["framing"],
            corpus.body_of(exchange, "response"),
            format=target.format if target else None,
            operation=target.operation if target else None,
            status_code=exchange["response_status"],
            headers={key.lower(): value for key, value in exchange["response_headers"].items()},
            path=exchange["path"],
        )


def own() -> list[Stream]:
    """Events of every format, read as each of a few formats, in each framing."""
    kinds = {0: ("sse", "text/event-stream"), 1: ("json-array", "application/json")}
    kinds |= {
        2: ("ndjson", "application/x-ndjson"),
        3: ("aws-eventstream", "application/vnd.amazon.eventstream"),
    }
    kinds |= {4: ("sse", "")}
    found = []
    for format_ in (
        "openai-chat",
        "openai-responses",
        "anthropic-messages",
        "gemini",
        "bedrock-converse",
        "ollama",
        "cohere-v2",
    ):
        for seed in seeds(f"answer-{format_}")[:5]:
            framing, content_type = kinds[seed[0]]
            found.append(
                Stream(
                    f"{format_} {framing} {content_type}",
                    framing,
                    seed[3:].replace(b'"a"', '"ä😀"'.encode()),
                    format=format_,
                    operation="chat",
                    status_code=200,
                    headers={"content-type": content_type},
                    path="/v1beta/models/m:streamGenerateContent",
                )
            )
    return [stream for stream in found if stream.framing != "aws-eventstream" or stream.body.isascii()]


def borders(stream: Stream) -> list[int]:
    """Offsets at which an event ends."""
    body = stream.body
    if stream.framing == "aws-eventstream":
        at, found = 0, []
        while at + 4 <= len(body) and (length := struct.unpack_from(">I", body, at)[0]) >= 16:
            at += length
            found.append(at)
        return found
    pattern = (
        rb"\r\n\r\n|\n\n|\r\r"
        if stream.framing in ("sse", "text")
        else rb"\n"
        if stream.framing == "ndjson"
        else rb"\}\s*,|\]\s*$"
    )
    return [match.end() for match in re.finditer(pattern, body)]


def at_all(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(body)}), len(body)]
    return [body[a:b] for a, b in itertools.pairwise(edges)]


def ways(stream: Stream, sample: int) -> Iterator[list[bytes]]:
    body = stream.body
    yield [body[i : i + 1] for i in range(len(body))]
    ends = borders(stream)
    for shift in range(-2, 3):
        yield at_all(body, [end + shift for end in ends])
    near = sorted({end + shift for end in ends for shift in range(-2, 3) if 0 < end + shift < len(body)})
    anywhere = range(len(body) + 1) if len(body) <= SMALL else range(0)
    if not FULL:
        chance = random.Random(stream.name)
        near = chance.sample(near, min(sample, len(near)))
        anywhere = chance.sample(anywhere, min(sample, len(anywhere)))
    for at in [*near, *anywhere]:
        yield [body[:at], body[at:]]


def check(stream: Stream, sample: int = SAMPLE) -> int:
    """How many ways of cutting agreed."""
    whole, count = repr(stream.read([stream.body])), 0
    for pieces in ways(stream, sample):
        assert b"".join(pieces) == stream.body
        again = repr(stream.read(pieces))
        assert again == whole, f"{stream.name}: cut at {[len(piece) for piece in pieces][:50]}"
        count += 1
    return count


@pytest.mark.parametrize("stream", own(), ids=lambda stream: stream.name)
def test_own_streams(stream):
    assert check(stream) > 5
    assert check(stream.compressed("gzip"), 10) > 5


@pytest.mark.parametrize("encoding", ENCODERS)
def test_own_streams_compressed(encoding):
    for stream in own()[::4]:
        assert check(stream.compressed(encoding)) > 5


@pytest.mark.timeout(3600 if FULL else 180)
@pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")
@pytest.mark.parametrize("file", corpus.FILES)
def test_recorded_streams(file):
    for number, stream in enumerate(recorded(file)):
        check(stream)
        if "content-encoding" not in stream.how["headers"] and stream.body:
            encodings = list(ENCODERS) if FULL else [list(ENCODERS)[number % len(ENCODERS)]]
            for encoding in encodings:
                check(stream.compressed(encoding), 10)


@pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")
def test_there_are_streams():
    framings = [stream.framing for file in corpus.FILES for stream in recorded(file)]
    assert len(framings) > 190
    assert set(framings) >= {"sse", "ndjson", "json-array", "aws-eventstream"}
