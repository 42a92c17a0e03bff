"""Streams made to hurt, and what reading one costs: `python -m tests.intelligence.wire.hostile NAME MEGABYTES` prints, as JSON,
the processor seconds for that size and for half of it, and how far memory grew. A process of its own, so that its memory is
that of this stream alone."""

import gzip
import itertools
import json
import resource
import struct
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator

import brotli
import zstandard

from intelligence.wire.answer import AnswerReader
from intelligence.wire.request import read_request
from intelligence.wire.websocket import CallSplitter
from tests.fuzz.seeds import _aws_frame

MB = 1 << 20
PIECE = 1 << 16
SSE, NDJSON, JSON = "text/event-stream", "application/x-ndjson", "application/json"
AWS = "application/vnd.amazon.eventstream"


def repeated(unit: bytes, size: int, start: bytes = b"") -> Iterator[bytes]:
    """About `size` bytes of the unit over and over, in pieces as a network brings them."""
    block = unit * max(PIECE // len(unit), 1)
    yield start
    sent = 0
    while sent < size:
        yield from (block[at : at + PIECE] for at in range(0, len(block), PIECE))
        sent += len(block)


def _numbered(size: int) -> Iterator[bytes]:
    """A tool call of its own in each event."""
    sent = 0
    for number in itertools.count():
        event = b'data: {"choices":[{"delta":{"tool_calls":[{"index":%d,"id":"a"}]}}]}\n\n' % number
        sent += len(event)
        yield event
        if sent > size:
            return


def bomb(compress: Callable[[bytes], bytes], unit: bytes) -> Callable[[int], Iterator[bytes]]:
    """Members or frames of 1 MB decoded each; `size` is what they decode to."""
    member = compress(unit * (MB // len(unit)))
    return lambda size: itertools.repeat(member, size // MB)  # type: ignore[return-value]


def _of(unit: bytes, start: bytes = b"") -> Callable[[int], Iterator[bytes]]:
    return lambda size: repeated(unit, size, start)


_PRELUDE = struct.pack(">II", 30 * MB, 0)
_ENDLESS = _PRELUDE + struct.pack(">I", zlib.crc32(_PRELUDE))
_zstd = zstandard.ZstdCompressor(level=3).compress

# Format, content type, content encoding, stream of a size.
ANSWERS: dict[str, tuple[str, str, str, Callable[[int], Iterable[bytes]]]] = {
    "sse-endless-line": ("openai-chat", SSE, "", _of(b"a", b"data: ")),
    "sse-endless-event": ("openai-chat", SSE, "", _of(b"data:\n")),
    "sse-endless-event-of-words": ("openai-chat", SSE, "", _of(b"data: words\r\n")),
    "sse-tiny-events": ("openai-chat", SSE, "", _of(b"data:0\n\n")),
    "sse-empty-lines": ("openai-chat", SSE, "", _of(b"\n", b"data: {}")),
    "sse-carriage-returns": ("openai-chat", SSE, "", _of(b"\r", b"data: {}")),
    "sse-tokens": ("openai-chat", SSE, "", _of(b'data: {"choices":[{"delta":{"content":"xy"}}]}\n\n')),
    "sse-tool-calls": ("openai-chat", SSE, "", _numbered),
    "sse-deep": ("anthropic-messages", SSE, "", _of(b"data: " + b'{"error":' * 20_000 + b"\n\n")),
    "sse-deep-closed": ("openai-responses", SSE, "", _of(b"data: " + b"[" * 50_000 + b"]" * 50_000 + b"\n\n")),
    "sse-numbers": ("openai-chat", SSE, "", _of(b'data: {"usage":{"prompt_tokens":' + b"9" * 100_000 + b"}}\n\n")),
    "sse-exponents": ("openai-chat", SSE, "", _of(b'data: {"usage":{"prompt_tokens":1e' + b"9" * 5000 + b"}}\n\n")),
    "ndjson-endless-line": ("ollama", NDJSON, "", _of(b"a", b'{"response":"')),
    "ndjson-tiny-events": ("ollama", NDJSON, "", _of(b"{}\n")),
    "ndjson-deep": ("ollama", NDJSON, "", _of(b"[" * 100_000 + b"\n")),
    "array-never-closed": ("gemini", JSON, "", _of(b"{},", b"[")),
    "array-element-never-closed": ("gemini", JSON, "", _of(b"a", b'[{"a":"')),
    "array-deep": ("gemini", JSON, "", _of(b"[", b'[{"a":')),
    "array-escapes": ("gemini", JSON, "", _of(b'\\"', b'[{"a":"')),
    "aws-endless-frame": ("bedrock-converse", AWS, "", _of(bytes(100), _ENDLESS)),
    "aws-tiny-frames": ("bedrock-converse", AWS, "", _of(_aws_frame("e", b"{}"))),
    "aws-no-frames": ("bedrock-converse", AWS, "", _of(b"\xff" * 100)),
    "body-endless": ("openai-chat", JSON, "", _of(b"[")),
    "body-of-empty-arrays": ("openai-chat", JSON, "", lambda size: repeated(b"[],", size * 3 // 5, b"[")),
    "embeddings": ("openai-embeddings", JSON, "", _of(b'{"a":0},', b'{"data":[')),
    "bomb-gzip": ("openai-chat", SSE, "gzip", bomb(gzip.compress, b"\n")),
    "bomb-gzip-twice": ("openai-chat", SSE, "gzip, gzip", bomb(lambda data: gzip.compress(gzip.compress(data)), b"\n")),
    "bomb-zstd": ("openai-chat", SSE, "zstd", bomb(_zstd, b"data:0\n\n")),
    "bomb-br": ("openai-chat", SSE, "br", lambda size: [brotli.compress(b"\n" * size, quality=1)]),
}  # fmt: skip


def _socket(size: int) -> None:
    """Responses asked for without end, none given; each tells something."""
    splitter = CallSplitter("openai-realtime", "m")
    item = b'{"type":"conversation.item.create","item":{"type":"message","content":"' + b"a" * 1000 + b'"}}'
    for _ in range(size // len(item)):
        splitter.feed(True, True, item)
        splitter.feed(True, True, b'{"type":"response.create"}')
    splitter.finish()


def _request(size: int) -> None:
    for start, unit in ((b'{"messages":[', b"[],"), (b'{"messages":[{"content":"', b"a"), (b"", b"[")):
        read_request("openai-chat", "chat", "", start + unit * (size // 3 // len(unit)))


def read(name: str, size: int) -> float:
    """Processor seconds."""
    start = time.process_time()
    if name == "socket":
        _socket(size)
    elif name == "request":
        _request(size)
    else:
        format_, content_type, encoding, stream = ANSWERS[name]
        reader = AnswerReader(
            format_,
            "embeddings" if name == "embeddings" else "chat",
            status_code=200,
            headers={"content-type": content_type, "content-encoding": encoding},
            path="/v1beta/models/m:streamGenerateContent",
        )
        for piece in stream(size):
            reader.feed(piece)
        reader.finish()
    return time.process_time() - start


NAMES = [*ANSWERS, "socket", "request"]

if __name__ == "__main__":
    name, megabytes = sys.argv[1], int(sys.argv[2])
    read(name, MB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    half = read(name, megabytes * MB // 2)
    whole = read(name, megabytes * MB)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / (
        1024 if sys.platform == "linux" else MB
    )
    print(json.dumps({"half": half, "whole": whole, "grown_mb": grown}))
