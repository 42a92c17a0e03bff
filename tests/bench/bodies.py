"""What the benchmark sends and gets: an OpenAI chat with tools, a short prompt or an agent's long history."""

from __future__ import annotations

import json
import random

NONCE = b"0123456789abcdef"
HOST = "api.openai.com"
PATH = "/v1/chat/completions"

_TEXT = (
    "the model reads a file and writes the test for it then runs everything again because one case fails "
    "with an index error in parser line forty of the module that splits events at blank lines return value"
)
_WORDS = _TEXT.split()


def _text(rng: random.Random, size: int) -> str:
    words: list[str] = []
    while size > 0:
        words.append(rng.choice(_WORDS))
        size -= len(words[-1]) + 1
    return " ".join(words)


def _tool(rng: random.Random, number: int) -> dict[str, object]:
    properties = {f"argument_{i}": {"type": "string", "description": _text(rng, 60)} for i in range(3)}
    function = {
        "name": f"tool_{number}",
        "description": _text(rng, 200),
        "parameters": {"type": "object", "properties": properties, "required": ["argument_0"]},
    }
    return {"type": "function", "function": function}


def prompt(size: int, *, stream: bool = False, history: int = 0) -> bytes:
    """A request body of about `size` bytes; its last message holds `NONCE`, to be replaced so that no two are
    equal. Those of another `history` have no text in common."""
    rng = random.Random(size + history)
    long = size > 10_000
    messages: list[dict[str, object]] = [{"role": "system", "content": _text(rng, 6000 if long else 400)}]
    tools = [_tool(rng, i) for i in range(20 if long else 1)]
    last: dict[str, object] = {"role": "user", "content": f"{NONCE.decode()} " + _text(rng, 300)}
    body: dict[str, object] = {"model": "gpt-5-mini", "stream": stream, "tools": tools, "messages": messages}
    left = size - len(json.dumps(body)) - len(json.dumps(last))
    turn = 0
    while left > 0:
        turn += 1
        answer = _text(rng, min(left, 900))
        if turn % 2:
            message: dict[str, object] = {"role": "assistant", "content": answer}
        else:
            code = answer.replace(" ", "\n    ", 20)
            message = {"role": "tool", "tool_call_id": f"call_{turn}", "content": code}
        messages.append(message)
        left -= len(json.dumps(message)) + 2
    messages.append(last)
    return json.dumps(body, separators=(",", ":")).encode()


def request(body: bytes, kind: str) -> tuple[bytes, bytes]:
    """The request on the wire, cut in two where the nonce goes. `kind` tells the upstream what to answer."""
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: {HOST}\r\nAccept: application/json\r\n"
        "Content-Type: application/json\r\nUser-Agent: OpenAI/Python 2.1.0\r\n"
        "Authorization: Bearer sk-bench-0000000000000000000000000000\r\nX-Stainless-Lang: python\r\n"
        f"X-Bench: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    before, after = body.split(NONCE)
    return head.encode() + before, after


def completion() -> bytes:
    """A JSON answer of about 1.5 KB."""
    content = _text(random.Random(1), 1100)
    answer = {
        "id": "chatcmpl-bench",
        "object": "chat.completion",
        "created": 1_750_000_000,
        "model": "gpt-5-mini-2025-08-07",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 512, "completion_tokens": 210, "total_tokens": 722},
    }
    return json.dumps(answer).encode()


EVENT = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1750000000,'
    b'"model":"gpt-5-mini-2025-08-07","service_tier":"default","system_fingerprint":"fp_bench",'
    b'"choices":[{"index":0,"delta":{"content":" token"},"finish_reason":null}],"t":%d}\n\n'
)
LAST_EVENTS = (
    b'data: {"id":"chatcmpl-bench","object":"chat.completion.chunk","created":1750000000,'
    b'"model":"gpt-5-mini-2025-08-07","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
