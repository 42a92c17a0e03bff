"""Sound inputs of every target, in its format, for the search to start from: one event of each kind that the parsers know."""

from __future__ import annotations

import gzip
import json
import struct
import zlib
from typing import Any

import brotli
import msgspec
import zstandard

from intelligence.store import journal
from intelligence.wire.paths import FORMATS


def _aws_frame(kind: str, payload: bytes) -> bytes:
    headers = b""
    for name, value in ((":event-type", kind), (":message-type", "event")):
        headers += (
            bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        )
    head = struct.pack(">II", len(headers) + len(payload) + 16, len(headers))
    frame = head + struct.pack(">I", zlib.crc32(head)) + headers + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


_USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "input_tokens": 3, "output_tokens": 2}
_EVENTS: list[tuple[str, Any]] = [
    ("", {"model": "m", "choices": [{"index": 0, "delta": {"content": "a", "reasoning": "b"}}]}),
    (
        "",
        {
            "choices": [
                {
                    "index": 0,
                    "delta": {
                        "tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": "{}"}}]
                    },
                    "finish_reason": "stop",
                }
            ],
            "usage": _USAGE,
        },
    ),
    ("message_start", {"type": "message_start", "message": {"model": "m", "content": [], "usage": _USAGE}}),
    (
        "content_block_start",
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "f", "input": {}},
        },
    ),
    (
        "content_block_delta",
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": "{"},
        },
    ),
    (
        "content_block_delta",
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "a"}},
    ),
    ("message_delta", {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": _USAGE}),
    ("response.output_text.delta", {"type": "response.output_text.delta", "output_index": 0, "delta": "a"}),
    (
        "response.completed",
        {
            "type": "response.completed",
            "response": {
                "model": "m",
                "status": "completed",
                "usage": _USAGE,
                "output": [
                    {"type": "message", "content": [{"type": "output_text", "text": "a"}]},
                    {"type": "function_call", "name": "f", "arguments": "{}"},
                ],
            },
        },
    ),
    (
        "",
        {
            "candidates": [
                {
                    "content": {
                        "parts": [{"text": "a", "thought": True}, {"functionCall": {"name": "f", "args": {}}}]
                    },
                    "finishReason": "STOP",
                }
            ],
            "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 2},
            "modelVersion": "m",
        },
    ),
    ("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "a"}}),
    ("contentBlockStart", {"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "t", "name": "f"}}}),
    ("messageStop", {"stopReason": "end_turn"}),
    ("metadata", {"usage": {"inputTokens": 3, "outputTokens": 2, "totalTokens": 5}}),
    (
        "content-delta",
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "a"}}}},
    ),
    (
        "message-end",
        {
            "type": "message-end",
            "delta": {
                "finish_reason": "COMPLETE",
                "usage": {"tokens": {"input_tokens": 1, "output_tokens": 2}},
            },
        },
    ),
    ("", {"event_type": "text-generation", "text": "a"}),
    (
        "",
        {
            "model": "m",
            "message": {
                "content": "a",
                "thinking": "b",
                "tool_calls": [{"function": {"name": "f", "arguments": {}}}],
            },
            "done": True,
            "done_reason": "stop",
            "eval_count": 2,
            "prompt_eval_count": 3,
        },
    ),
    ("", {"output": {"text": "a", "choices": [{"message": {"content": "a"}}]}, "usage": _USAGE}),
    (
        "",
        {
            "response": "a",
            "result": {"response": "a"},
            "generated_text": "a",
            "token": {"text": "a"},
            "outputText": "a",
            "completion": "a",
        },
    ),
    (
        "error",
        {"type": "error", "error": {"type": "overloaded_error", "message": "m", "code": 5, "details": []}},
    ),
]
_REQUEST = {
    "model": "m",
    "stream": True,
    "temperature": 1,
    "system": [{"type": "text", "text": "s"}],
    "instructions": "i",
    "messages": [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "1", "content": "x"},
                {"type": "image", "source": {}},
                {"toolUse": {"name": "f"}},
            ],
        },
    ],
    "input": [{"type": "function_call_output", "call_id": "1", "output": "x"}],
    "prompt": "p",
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "hi"},
                {"inlineData": {"mimeType": "image/png", "data": "AA=="}},
                {"functionResponse": {"name": "f", "response": {}}},
            ],
        }
    ],
    "client_secret": "s",
    "request": {"contents": []},
}
_SOCKET = [
    (">", {"type": "session.update", "session": {"instructions": "i"}}),
    (
        ">",
        {
            "type": "conversation.item.create",
            "item": {"type": "message", "content": [{"type": "input_text", "text": "a"}]},
        },
    ),
    (">", {"type": "response.create", "response": {}, "input": [], "generate": False}),
    ("<", {"type": "response.created", "response": {"id": "r"}}),
    ("<", {"type": "response.output_text.delta", "response_id": "r", "delta": "a"}),
    ("<", {"type": "response.completed", "response": {"id": "r", "status": "completed", "usage": _USAGE}}),
    (">", {"setup": {"model": "models/m"}}),
    (">", {"clientContent": {"turns": [{"role": "user", "parts": [{"text": "a"}]}], "turnComplete": True}}),
    (
        "<",
        {
            "serverContent": {"modelTurn": {"parts": [{"text": "a"}]}, "turnComplete": True},
            "toolCall": {"functionCalls": [{"name": "f", "args": {}}]},
        },
    ),
    ("<", {"usageMetadata": {"promptTokenCount": 1, "responseTokenCount": 2}}),
    (">", {"realtimeInput": {"text": "a"}, "toolResponse": {"functionResponses": [{}]}}),
]


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


_SSE = (
    b"".join(b"event: %s\ndata: %s\n\n" % (name.encode(), _json(value)) for name, value in _EVENTS)
    + b"data: [DONE]\n\n"
)
_NDJSON = b"".join(_json(value) + b"\r\n" for _, value in _EVENTS)
_ARRAY = _json([value for _, value in _EVENTS])
_AWS = b"".join(_aws_frame(name, _json(value)) for name, value in _EVENTS)


def _segment() -> bytes:
    marker = b"markmark"

    def frame(mark: bytes, kind: journal.Kind, body: bytes) -> bytes:
        payload = journal.PAYLOAD.pack(kind, journal.NO_CALL, 1) + body
        return journal.FRAME.pack(mark, len(payload), zlib.crc32(payload)) + payload

    head = msgspec.msgpack.encode({"format": journal.FORMAT, "run": "r", "segment": 0, "marker": marker})
    return frame(journal.FIRST_MARKER, journal.Kind.RUN, head) + frame(marker, journal.Kind.CHUNK, b"x") * 2


def seeds(name: str) -> list[bytes]:
    """Sound inputs of a target."""
    if name.startswith("answer-"):
        bodies = [(0, _SSE), (1, _ARRAY), (2, _NDJSON), (3, _AWS), (4, b"\xef\xbb\xbf" + _SSE)]
        bodies += [(1, _json(value)) for _, value in _EVENTS]
        bodies += [(0, b"event: %s\ndata: %s\n\n" % (kind.encode(), _json(value))) for kind, value in _EVENTS]
        return [bytes([kind, 3, 0]) + body for kind, body in bodies]
    return {
        "sse": [b"\0\3" + _SSE, b"\0\3\xef\xbb\xbf: c\r\rdata\rdata: a\r\ndata:b\n\r\nid: 1\n\n"],
        "ndjson": [b"\0\3" + _NDJSON],
        "json_array": [b"\0\3" + _ARRAY, b"\xff\3" + _ARRAY, b'\0\3[{"a": "\\"]}"}\n,{}]'],
        "aws_eventstream": [b"\0\3" + _AWS, b"\xff\3" + _AWS],
        "encoding": [
            b"\0\3" + gzip.compress(_SSE),
            b"\1\3" + zlib.compress(_SSE),
            b"\2\3" + brotli.compress(_SSE),
            b"\3\3" + zstandard.compress(_SSE),
            b"\4\3" + brotli.compress(gzip.compress(_SSE)),
            b"\5\3" + gzip.compress(zstandard.compress(_SSE)),
        ],
        "request": [bytes([at]) + _json(_REQUEST) for at in range(len(FORMATS))],
        "websocket": [
            bytes([at]) + b"\n".join(who.encode() + _json(message) for who, message in _SOCKET)
            for at in range(3)
        ],
        "read_fields": [_json(_REQUEST), _json({"request": _REQUEST})],
        "strip_body": [_json(_REQUEST), b'{"value":"ek_1","client_secret":{"value":"x"}}'],
        "journal": [b"\0" + _segment(), b"\1" + _segment().replace(b"x", b"y", 1)],
    }[name]
