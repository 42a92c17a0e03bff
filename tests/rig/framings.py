"""One small exchange for every way LLM answers are put on the wire, written for these tests.

`Exchange.events` cuts the body where the provider would pause, at the ends of its events; what a body is worth is not
the point here, only its bytes. Bodies are real enough for a recorder to recognise.
"""

from __future__ import annotations

import gzip
import json
import random
import struct
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import brotli
import zstandard

from tests.rig import http1

type Fields = tuple[tuple[bytes, bytes], ...]

OPENAI, ANTHROPIC, COHERE = "api.openai.com", "api.anthropic.com", "api.cohere.com"
GEMINI, BEDROCK = "generativelanguage.googleapis.com", "bedrock-runtime.us-east-1.amazonaws.com"
JSON: Fields = ((b"content-type", b"application/json"),)
SSE: Fields = ((b"content-type", b"text/event-stream; charset=utf-8"), (b"cache-control", b"no-cache"))


@dataclass(frozen=True)
class Exchange:
    """A request and its answer. `framing` says how the answer's end is told; `events` are its body."""

    name: str
    host: str
    path: str
    events: tuple[bytes, ...]
    headers: Fields = JSON
    framing: Literal["length", "chunked", "eof", "none"] = "length"
    status: bytes = b"200 OK"
    method: bytes = b"POST"
    request_headers: Fields = ((b"Content-Type", b"application/json"), (b"User-Agent", b"rig/1"))
    request_body: bytes = b'{"model":"m-1","messages":[{"role":"user","content":"hi"}]}'
    request_chunked: bool = False
    trailers: Fields = field(default=())

    @property
    def body(self) -> bytes:
        return b"".join(self.events)

    def request(self, target: bytes | None = None) -> bytes:
        """The request's bytes; `target` for the absolute form."""
        headers = [(b"Host", self.host.encode()), *self.request_headers]
        body = self.request_body
        if self.request_chunked:
            headers.append((b"Transfer-Encoding", b"chunked"))
            half = len(body) // 2
            body = b"".join(http1.chunked([body[:half], body[half:]]))
        elif body or self.method == b"POST":
            headers.append((b"Content-Length", b"%d" % len(body)))
        return (
            http1.head_bytes(b"%b %b HTTP/1.1" % (self.method, target or self.path.encode()), headers) + body
        )

    def response_head(self) -> bytes:
        headers = list(self.headers)
        if self.framing == "length":
            headers.append((b"Content-Length", b"%d" % len(self.body)))
        elif self.framing == "chunked":
            headers.append((b"Transfer-Encoding", b"chunked"))
        elif self.framing == "eof":
            headers.append((b"Connection", b"close"))
        return http1.head_bytes(b"HTTP/1.1 " + self.status, headers)

    def response_parts(self) -> list[bytes]:
        """Head, then each event as it goes on the wire, then what ends the body, if anything does."""
        head = self.response_head()
        if self.framing == "chunked":
            return [head, *http1.chunked(self.events, self.trailers)]
        return [head, *self.events] if self.framing != "none" else [head]

    @property
    def response(self) -> bytes:
        return b"".join(self.response_parts())


def random_cuts(rng: random.Random, data: bytes, *, most: int = 12) -> list[bytes]:
    """`data` in pieces of random sizes, at least one byte each."""
    cuts = sorted(rng.sample(range(1, len(data)), min(rng.randint(0, most), len(data) - 1)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def sse(events: Iterable[tuple[str | None, object]], newline: bytes = b"\n") -> tuple[bytes, ...]:
    """Each event as bytes: its name, if any, and its data (text as it is, the rest as JSON)."""
    found = []
    for name, data in events:
        text = data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))
        lines = [f"event: {name}".encode()] if name else []
        found.append(newline.join([*lines, f"data: {text}".encode(), b"", b""]))
    return tuple(found)


def event_stream(messages: Sequence[tuple[str, object]]) -> tuple[bytes, ...]:
    """Messages of AWS's binary event stream (prelude, CRC-32, string headers, JSON payload, CRC-32)."""
    found = []
    for kind, payload in messages:
        fields = {":event-type": kind, ":content-type": "application/json", ":message-type": "event"}
        headers = b"".join(
            struct.pack(">B", len(n)) + n.encode() + b"\x07" + struct.pack(">H", len(v)) + v.encode()
            for n, v in fields.items()
        )
        body = json.dumps(payload).encode()
        prelude = struct.pack(">II", 16 + len(headers) + len(body), len(headers))
        message = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + body
        found.append(message + struct.pack(">I", zlib.crc32(message)))
    return tuple(found)


def flushed(encoding: str, events: Iterable[bytes]) -> tuple[bytes, ...]:
    """Each event compressed and flushed, so a reader can have it at once; then the end of the encoding."""
    if encoding == "br":
        encoder = brotli.Compressor()
        parts = [encoder.process(e) + encoder.flush() for e in events]
        return (*parts, encoder.finish())
    if encoding == "zstd":
        packer = zstandard.ZstdCompressor().compressobj()
        parts = [packer.compress(e) + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) for e in events]
        return (*parts, packer.flush())
    deflater = zlib.compressobj(wbits=31 if encoding == "gzip" else 15)
    parts = [deflater.compress(e) + deflater.flush(zlib.Z_SYNC_FLUSH) for e in events]
    return (*parts, deflater.flush())


def encoded(name: str, headers: Fields = JSON) -> Fields:
    return (*headers, (b"Content-Encoding", name.encode()), (b"Vary", b"Accept-Encoding"))


def _delta(text: str) -> dict[str, object]:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": "m-1", "choices": [choice]}


_STOP = {"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
_CHAT = "/v1/chat/completions"
_TOKENS = ["Hel", "lo", ", wörld", " \U0001f30d", "\\n\n", "done"]
_DELTAS: list[tuple[str | None, object]] = [
    *((None, _delta(t)) for t in _TOKENS),
    (None, _STOP),
    (None, "[DONE]"),
]
OPENAI_SSE = sse(_DELTAS)
ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hé"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    },
    indent=2,
).encode()

_CLAUDE: list[tuple[str | None, object]] = [
    ("message_start", {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 9}}}),
    ("ping", {"type": "ping"}),
    *(
        ("content_block_delta", {"type": "content_block_delta", "delta": {"type": "text_delta", "text": t}})
        for t in _TOKENS
    ),
    ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}),
    ("message_stop", {"type": "message_stop"}),
]
_CONVERSE = [
    ("messageStart", {"role": "assistant"}),
    *(("contentBlockDelta", {"delta": {"text": t}, "contentBlockIndex": 0}) for t in _TOKENS),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": {"inputTokens": 9, "outputTokens": 6, "totalTokens": 15}}),
]
_CANDIDATES = [
    json.dumps({"candidates": [{"content": {"parts": [{"text": t}], "role": "model"}}]}).encode()
    for t in _TOKENS
]
_COHERE = [{"event_type": "text-generation", "text": t} for t in _TOKENS]
_MULTIPART = (
    b'--rig\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n--rig\r\nContent-Disposition: '
    b'form-data; name="file"; filename="a.wav"\r\n\r\n' + bytes(range(256)) * 40 + b"\r\n--rig--\r\n"
)

# Answers that come in parts, each to be passed on before the next is sent.
STREAMS: list[Exchange] = [
    Exchange("sse", OPENAI, _CHAT, OPENAI_SSE, SSE, "chunked"),
    Exchange("sse crlf", OPENAI, _CHAT, sse(_DELTAS, b"\r\n"), SSE, "chunked"),
    Exchange(
        "sse with comments and bare cr",
        "openrouter.ai",
        "/api/v1/chat/completions",
        (b": OPENROUTER PROCESSING\n\n", b":\n\n", *OPENAI_SSE[:3], b"retry: 100\r\r", *OPENAI_SSE[3:]),
        SSE,
        "chunked",
    ),
    Exchange("sse named events", ANTHROPIC, "/v1/messages?beta=true", sse(_CLAUDE), SSE, "chunked"),
    Exchange("sse until eof", OPENAI, _CHAT, OPENAI_SSE, SSE, "eof"),
    Exchange("sse of known length", OPENAI, _CHAT, OPENAI_SSE, SSE, "length"),
    *(
        Exchange(f"sse {coding}", OPENAI, _CHAT, flushed(coding, OPENAI_SSE), encoded(coding, SSE), "chunked")
        for coding in ("gzip", "deflate", "br", "zstd")
    ),
    Exchange(
        "ndjson",
        COHERE,
        "/v1/chat",
        tuple(json.dumps(line).encode() + b"\n" for line in _COHERE),
        ((b"content-type", b"application/stream+json"),),
        "chunked",
    ),
    Exchange(
        "growing json array",
        GEMINI,
        "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
        (b"[", *(c + b"\r\n," for c in _CANDIDATES[:-1]), _CANDIDATES[-1] + b"\r\n", b"]"),
        JSON,
        "chunked",
    ),
    Exchange(
        "aws event stream",
        BEDROCK,
        "/model/anthropic.claude-3-haiku-20240307-v1%3A0/converse-stream",
        event_stream(_CONVERSE),
        ((b"Content-Type", b"application/vnd.amazon.eventstream"),),
        "chunked",
    ),
    Exchange(
        "json in chunks", OPENAI, _CHAT, tuple(random_cuts(random.Random(3), ANSWER, most=5)), JSON, "chunked"
    ),
    Exchange(
        "audio",
        OPENAI,
        "/v1/audio/speech",
        tuple(random.Random(n).randbytes(3000) for n in range(4)),
        ((b"content-type", b"audio/mpeg"),),
        "chunked",
    ),
]

ODD_HEADERS: Fields = (
    (b"Date", b"Mon, 02 Jun 2025 10:00:00 GMT"),
    (b"x-REQUEST-id", b"req_1"),
    (b"Set-Cookie", b"a=1; Path=/; Secure"),
    (b"X-Empty", b""),
    (b"set-cookie", b"b=2; HttpOnly"),
    (b"Content-Type", b"application/json; Charset=UTF-8"),
    (b"x-quoted", b'"a, b" ; c=d'),
    (b"Set-Cookie", b"c=3"),
    (b"X-Latin", b"caf\xe9"),
    (b"X-Utf8", "café ☃".encode()),
    (b"alt-svc", b'h3=":443"; ma=86400'),
    (b"Strict-Transport-Security", b"max-age=1"),
    (b"Content-Security-Policy", b"default-src 'none'"),
)
ODD_REQUEST_HEADERS: Fields = (
    (b"x-stainless-OS", b"Linux"),
    (b"authorization", b"Bearer sk-test-000000000000000000000000"),
    (b"ACCEPT", b"*/*"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"X-Dup", b"1"),
    (b"x-dup", b"2"),
    (b"X-DUP", b"1"),
    (b"Cookie", b"a=1; b=2"),
    (b"x-empty", b""),
    (b"X-Latin", b"caf\xe9"),
    (b"content-TYPE", b"application/json"),
    (b"Connection", b"keep-alive"),
    (b"TE", b"trailers"),
    (b"If-None-Match", b'"abc"'),
    (b"Range", b"bytes=0-"),
)


def _error(name: str, host: str, status: bytes, body: bytes, *headers: tuple[bytes, bytes]) -> Exchange:
    path = "/v1/messages" if host == ANTHROPIC else _CHAT
    return Exchange(name, host, path, (body,), (*JSON, *headers), status=status)


WHOLE: list[Exchange] = [
    Exchange("json", OPENAI, _CHAT, (ANSWER,)),
    Exchange("json gzip", OPENAI, _CHAT, (gzip.compress(ANSWER, mtime=0),), encoded("gzip")),
    Exchange("json br", OPENAI, _CHAT, (brotli.compress(ANSWER),), encoded("br")),
    Exchange("json zstd", OPENAI, _CHAT, (zstandard.compress(ANSWER),), encoded("zstd")),
    Exchange("json deflate", OPENAI, _CHAT, (zlib.compress(ANSWER),), encoded("deflate")),
    Exchange(
        "json gzip twice", OPENAI, _CHAT, (gzip.compress(gzip.compress(ANSWER)),), encoded("gzip, gzip")
    ),
    Exchange("not the gzip it says", OPENAI, _CHAT, (ANSWER,), encoded("gzip")),
    Exchange("gzip cut short", OPENAI, _CHAT, (gzip.compress(ANSWER)[:-12],), encoded("gzip"), "chunked"),
    Exchange("unknown coding", OPENAI, _CHAT, (b"\x00\x01\x02",), encoded("x-rot13")),
    Exchange("no content", OPENAI, _CHAT, (), ((b"x-a", b"1"),), "none", b"204 No Content"),
    Exchange("empty", OPENAI, _CHAT, (), JSON),
    Exchange("empty chunked", OPENAI, _CHAT, (), SSE, "chunked"),
    Exchange("empty until eof", OPENAI, _CHAT, (), JSON, "eof"),
    Exchange(
        "head",
        OPENAI,
        "/v1/models",
        (),
        (*JSON, (b"Content-Length", b"4711")),
        "none",
        method=b"HEAD",
        request_body=b"",
        request_headers=((b"Accept", b"*/*"),),
    ),
    Exchange(
        "get", OPENAI, "/v1/models?limit=%7B2%7d&x=a+b", (b'{"data":[]}',), method=b"GET", request_body=b""
    ),
    Exchange("delete", OPENAI, "/v1/files/f-1", (b"{}",), method=b"DELETE", request_body=b""),
    _error(
        "rate limited",
        OPENAI,
        b"429 Too Many Requests",
        b'{"error":{"message":"slow down","type":"tokens","code":"rate_limit_exceeded"}}',
        (b"Retry-After", b"20"),
        (b"retry-after-ms", b"20000"),
    ),
    _error(
        "overloaded",
        ANTHROPIC,
        b"529 ",
        b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    ),
    _error("bad request", OPENAI, b"400 Bad Request", b'{"error":{"message":"no","type":"x"}}'),
    Exchange(
        "gateway's page",
        OPENAI,
        _CHAT,
        (b"<html>\r\n<h1>502</h1>\r\n</html>\r\n",),
        ((b"Server", b"cloudflare"), (b"Content-Type", b"text/html")),
        "chunked",
        b"502 Bad Gateway",
    ),
    Exchange("odd headers", OPENAI, _CHAT, (ANSWER,), ODD_HEADERS, request_headers=ODD_REQUEST_HEADERS),
    Exchange("reason of its own", OPENAI, _CHAT, (ANSWER,), status=b"200 Fine by me"),
    Exchange("no reason", OPENAI, _CHAT, (ANSWER,), status=b"200 "),
    Exchange("chunked request", OPENAI, _CHAT, (ANSWER,), request_chunked=True),
    Exchange(
        "gzip request",
        OPENAI,
        _CHAT,
        (ANSWER,),
        request_headers=(*JSON, (b"Content-Encoding", b"gzip")),
        request_body=gzip.compress(b'{"model":"m-1","messages":[]}'),
    ),
    Exchange(
        "json not as a serialiser writes it",
        OPENAI,
        _CHAT,
        (ANSWER,),
        request_body=b'\xef\xbb\xbf{ "model" :"m-1",\r\n\t"model":"m-2", "messages":[ ],"n":1.0e0,"s":"\\u00e9\\/"}\n ',
    ),
    Exchange("not json at all", OPENAI, _CHAT, (ANSWER,), request_body=b'{"model": "m-1", \x00\xff'),
    Exchange(
        "multipart",
        OPENAI,
        "/v1/audio/transcriptions",
        (b'{"text":"hi"}',),
        request_headers=((b"Content-Type", b"multipart/form-data; boundary=rig"),),
        request_body=_MULTIPART,
    ),
    Exchange(
        "no call", OPENAI, "/v1/files", (b"{}",), request_body=_MULTIPART, request_headers=((b"A", b"b"),)
    ),
    Exchange(
        "large",
        OPENAI,
        _CHAT,
        tuple(random.Random(n).randbytes(250_000) for n in range(4)),
        request_body=b'{"model":"m-1","messages":[{"role":"user","content":"%b"}]}' % (b"lorem " * 150_000),
    ),
]
EXCHANGES = STREAMS + WHOLE
