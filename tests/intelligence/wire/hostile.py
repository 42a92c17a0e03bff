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

from intelligence.store.tree import split
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


def numbered(event: bytes) -> Callable[[int], Iterator[bytes]]:
    """The event with a number of its own each time."""

    def stream(size: int) -> Iterator[bytes]:
        sent = 0
        for number in itertools.count():
            yield (data := event % number)
            sent += len(data)
            if sent > size:
                return

    return stream


def bomb(compress: Callable[[bytes], bytes], unit: bytes) -> Callable[[int], Iterator[bytes]]:
    """Members or frames of 1 MB decoded each; `size` is what they decode to."""
    member = compress(unit * (MB // len(unit)))
    return lambda size: itertools.repeat(member, size // MB)  # type: ignore[return-value]


def _of(unit: bytes, start: bytes = b"") -> Callable[[int], Iterator[bytes]]:
    return lambda size: repeated(unit, size, start)


_PRELUDE = struct.pack(">II", 30 * MB, 0)
_ENDLESS = _PRELUDE + struct.pack(">I", zlib.crc32(_PRELUDE))
_zstd = zstandard.ZstdCompressor(level=3).compress

_EMPTY_CALLS = b'data: {"choices":[{"delta":{"tool_calls":[' + b"{}," * 900_000 + b"{}]}}]}\n\n"
_EMPTY_PARTS = (
    b'data: {"type":"response.output_item.done","output_index":%d,"item":{"type":"message","content":['
    + b"{}," * 900_000
    + b"{}]}}\n\n"
)
_NEW_CALL = b'data: {"choices":[{"delta":{"tool_calls":[{"index":%d,"id":"a"}]}}]}\n\n'
_NEW_ID = b'data: {"choices":[{"delta":{"tool_calls":[{"id":"%d"}]}}]}\n\n'
_NEW_COUNT = b'data: {"type":"message_delta","usage":{"%d":1}}\n\n'
_NEW_BLOCK = b'data: {"type":"content_block_start","index":%d,"content_block":{"type":"tool_use"}}\n\n'

# Format, content type, content encoding, stream of a size.
ANSWERS: dict[str, tuple[str, str, str, Callable[[int], Iterable[bytes]]]] = {
    "sse-endless-line": ("openai-chat", SSE, "", _of(b"a", b"data: ")),
    "sse-endless-event": ("openai-chat", SSE, "", _of(b"data:\n")),
    "sse-endless-event-of-words": ("openai-chat", SSE, "", _of(b"data: words\r\n")),
    "sse-tiny-events": ("openai-chat", SSE, "", _of(b"data:0\n\n")),
    "sse-empty-lines": ("openai-chat", SSE, "", _of(b"\n", b"data: {}")),
    "sse-carriage-returns": ("openai-chat", SSE, "", _of(b"\r", b"data: {}")),
    "sse-tokens": ("openai-chat", SSE, "", _of(b'data: {"choices":[{"delta":{"content":"xy"}}]}\n\n')),
    "sse-tool-calls": ("openai-chat", SSE, "", numbered(_NEW_CALL)),
    "sse-tool-ids": ("openai-chat", SSE, "", numbered(_NEW_ID)),
    "sse-tool-calls-at-once": ("openai-chat", SSE, "", _of(_EMPTY_CALLS)),
    "sse-counts": ("anthropic-messages", SSE, "", numbered(_NEW_COUNT)),
    "sse-blocks": ("anthropic-messages", SSE, "", numbered(_NEW_BLOCK)),
    "sse-items": ("openai-responses", SSE, "", numbered(_EMPTY_PARTS)),
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
    "array-quotes": ("gemini", JSON, "", _of(b'"', b"[")),
    "array-of-arrays": ("gemini", JSON, "", _of(b"[],", b'[{"a":[')),
    "array-escapes": ("gemini", JSON, "", _of(b'\\"', b'[{"a":"')),
    "aws-endless-frame": ("bedrock-converse", AWS, "", _of(bytes(100), _ENDLESS)),
    "aws-tiny-frames": ("bedrock-converse", AWS, "", _of(_aws_frame("e", b"{}"))),
    "aws-no-frames": ("bedrock-converse", AWS, "", _of(b"\xff" * 100)),
    "body-endless": ("openai-chat", JSON, "", _of(b"[")),
    "body-of-empty-arrays": ("openai-chat", JSON, "", lambda size: repeated(b"[],", size * 3 // 5, b"[")),
    "body-of-lines": ("openai-chat", JSON, "", lambda size: repeated(b"{}\n", size * 3 // 5)),
    "embeddings": ("openai-embeddings", JSON, "", _of(b'{"a":0},', b'{"data":[')),
    "members-gzip": ("openai-chat", SSE, "gzip", _of(gzip.compress(b""))),
    "members-zstd": ("openai-chat", SSE, "zstd", _of(_zstd(b""))),
    "bomb-gzip": ("openai-chat", SSE, "gzip", bomb(gzip.compress, b"\n")),
    "bomb-gzip-twice": ("openai-chat", SSE, "gzip, gzip", bomb(lambda data: gzip.compress(gzip.compress(data)), b"\n")),
    "bomb-zstd": ("openai-chat", SSE, "zstd", bomb(_zstd, b"data:0\n\n")),
    "bomb-br": ("openai-chat", SSE, "br", lambda size: [brotli.compress(b"\n" * size, quality=1)]),
}  # fmt: skip


def _answer(name: str, size: int) -> None:
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


def _socket(size: int) -> None:
    """Responses asked for without end, none given; each tells something."""
    splitter = CallSplitter("openai-realtime", "m")
    item = b'{"type":"conversation.item.create","item":{"type":"message","content":"' + b"a" * 1000 + b'"}}'
    for _ in range(size // len(item)):
        splitter.feed(True, True, item)
        splitter.feed(True, True, b'{"type":"response.create"}')
    splitter.finish()


def _repeating(format_: str, once: bytes, ask: bytes) -> Callable[[int], None]:
    """A conversation that says much once, and then asks for responses, each of which is asked with all of it."""

    def read(size: int) -> None:
        splitter = CallSplitter(format_, "m")
        splitter.feed(True, True, once % (b"a" * (size // 16)))
        for _ in range(size // len(ask)):
            splitter.feed(True, True, ask)
        splitter.finish()

    return read


def _requests(*made: tuple[bytes, bytes]) -> Callable[[int], None]:
    """Bodies of a start and a unit over and over."""

    def read(size: int) -> None:
        for start, unit in made:
            body = start + unit * (size // len(made) // len(unit))
            for format_ in ("openai-chat", "openai-responses", "gemini"):
                read_request(format_, "chat", "", body)

    return read


def _split(size: int) -> None:
    for unit in (b"{},", b'{"role":"user","content":"a"},'):
        split(b'{"messages":[' + unit * (size // 2 // len(unit)) + b"{}]}")


OTHERS: dict[str, Callable[[int], None]] = {
    "socket": _socket,
    "socket-session": _repeating(
        "openai-realtime",
        b'{"type":"session.update","session":{"instructions":"%s"}}',
        b'{"type":"response.create"}',
    ),
    "socket-setup": _repeating(
        "gemini-live",
        b'{"setup":{"systemInstruction":"%s"}}',
        b'{"clientContent":{"turns":[{}],"turnComplete":true}}',
    ),
    "request": _requests((b'{"messages":[', b"[],"), (b'{"messages":[{"content":"', b"a"), (b"", b"[")),
    "request-tools": _requests((b'{"tools":[', b'{"type":"namespace","tools":[')),
    "request-form": _requests((b"--", b'name="model"\r\n')),
    "split": _split,
}


def read(name: str, size: int) -> float:
    """Processor seconds."""
    start = time.process_time()
    if name in OTHERS:
        OTHERS[name](size)
    else:
        _answer(name, size)
    return time.process_time() - start


NAMES = [*ANSWERS, *OTHERS]

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
