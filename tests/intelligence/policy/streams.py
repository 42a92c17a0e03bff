"""Streamed answers as providers send them, from the pieces of their texts and calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from intelligence.wire.deltas import DeltaReader
from intelligence.wire.frames import KINDS


def sse(value: Any, name: str = "", end: str = "\n") -> bytes:
    head = f"event: {name}{end}" if name else ""
    return f"{head}data: {json.dumps(value)}{end}{end}".encode()


def chat(words: Sequence[str], arguments: Sequence[str]) -> bytes:
    def chunk(delta: Any, finish: str | None = None) -> bytes:
        return sse({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "model": "m"})

    events = [chunk({"role": "assistant", "content": ""}), b": keep-alive\n\n"]
    events += [chunk({"content": word}) for word in words]
    if arguments:
        call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "Bash", "arguments": ""}}
        events.append(chunk({"tool_calls": [call]}))
    events += [chunk({"tool_calls": [{"index": 0, "function": {"arguments": a}}]}) for a in arguments]
    return b"".join([*events, chunk({}, "stop"), b"data: [DONE]\n\n"])


def messages(words: Sequence[str], arguments: Sequence[str]) -> bytes:
    def event(kind: str, **more: Any) -> bytes:
        return sse({"type": kind, **more}, kind)

    out = [event("message_start", message={"content": []})]
    start = {"type": "text", "text": ""}
    out.append(event("content_block_start", index=0, content_block=start))
    out.append(event("ping"))
    out += [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": word}) for word in words
    ]
    out.append(event("content_block_stop", index=0))
    if arguments:
        block = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {}}
        out.append(event("content_block_start", index=1, content_block=block))
        out += [
            event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": a})
            for a in arguments
        ]
        out.append(event("content_block_stop", index=1))
    return b"".join([*out, event("message_delta", delta={"stop_reason": "end_turn"}), event("message_stop")])


def responses(words: Sequence[str], arguments: Sequence[str]) -> bytes:
    def event(kind: str, **more: Any) -> bytes:
        return sse({"type": kind, **more}, kind)

    text = "".join(words)
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"type": "message", "id": "m1", "role": "assistant", "content": [part]}
    at = {"output_index": 0, "item_id": "m1", "content_index": 0}
    out = [
        event("response.created", response={"id": "r", "output": []}),
        event("response.output_item.added", output_index=0, item=message | {"content": []}),
    ]
    out += [event("response.output_text.delta", **at, delta=word) for word in words]
    out += [
        event("response.output_text.done", **at, text=text),
        event("response.content_part.done", **at, part=part),
        event("response.output_item.done", output_index=0, item=message),
    ]
    output: list[Any] = [message]
    if arguments:
        call = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "Bash"}
        done = call | {"arguments": "".join(arguments)}
        out.append(
            event("response.output_item.added", output_index=1, item=call | {"arguments": ""}),
        )
        spot = {"output_index": 1, "item_id": "f1"}
        out += [event("response.function_call_arguments.delta", **spot, delta=a) for a in arguments]
        out.append(event("response.function_call_arguments.done", **spot, arguments="".join(arguments)))
        out.append(event("response.output_item.done", output_index=1, item=done))
        output.append(done)
    out.append(event("response.completed", response={"id": "r", "status": "completed", "output": output}))
    return b"".join(out)


def gemini_chunks(words: Sequence[str], arguments: Sequence[str]) -> list[Any]:
    parts: list[Any] = [{"text": word} for word in words]
    if arguments:
        parts.append({"functionCall": {"name": "Bash", "args": json.loads("".join(arguments))}})
    return [
        {"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}]} for part in parts
    ] + [
        {"candidates": [{"content": {"parts": [{"text": ""}]}, "finishReason": "STOP"}]},
    ]


def gemini(words: Sequence[str], arguments: Sequence[str]) -> bytes:
    return b"".join(sse(chunk, end="\r\n") for chunk in gemini_chunks(words, arguments))


def gemini_array(words: Sequence[str], arguments: Sequence[str]) -> bytes:
    chunks = [json.dumps(chunk, indent=1) for chunk in gemini_chunks(words, arguments)]
    return ("[" + ",\r\n".join(chunks) + "\n]").encode()


def ollama(words: Sequence[str], arguments: Sequence[str]) -> bytes:
    lines: list[Any] = [{"message": {"role": "assistant", "content": word}, "done": False} for word in words]
    if arguments:
        call = {"function": {"name": "Bash", "arguments": json.loads("".join(arguments))}}
        lines.append({"message": {"content": "", "tool_calls": [call]}, "done": False})
    lines.append({"message": {"content": ""}, "done": True})
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def cohere(words: Sequence[str], arguments: Sequence[str]) -> bytes:
    def event(kind: str, message: Any) -> bytes:
        return sse({"type": kind, "index": 0, "delta": {"message": message}}, kind)

    def call(**function: str) -> Any:
        return {"tool_calls": {"id": "t1", "function": function}}

    out = [event("content-start", {"content": {"type": "text", "text": ""}})]
    out += [event("content-delta", {"content": {"text": word}}) for word in words]
    out.append(event("content-end", {}))
    if arguments:
        out.append(event("tool-call-start", call(name="Bash", arguments="")))
        out += [event("tool-call-delta", call(arguments=a)) for a in arguments]
        out.append(event("tool-call-end", {}))
    return b"".join(
        [*out, sse({"type": "message-end", "delta": {"finish_reason": "COMPLETE"}}, "message-end")]
    )


@dataclass(frozen=True)
class Spoken:
    """A way to speak; `kind` is how it is cut."""

    name: str
    kind: str
    say: Callable[[Sequence[str], Sequence[str]], bytes]


SPOKEN = [
    Spoken("chat", "sse", chat),
    Spoken("messages", "sse", messages),
    Spoken("responses", "sse", responses),
    Spoken("gemini", "sse", gemini),
    Spoken("gemini-array", "array", gemini_array),
    Spoken("ollama", "lines", ollama),
    Spoken("cohere", "sse", cohere),
]


def heard(kind: str, stream: bytes) -> tuple[str, str]:
    """The text and the arguments a client puts together from the pieces; of calls told whole the strings in them."""
    frames, reader = KINDS[kind](), DeltaReader()
    text, arguments, whole = "", "", ""
    for frame in [*frames.feed(stream), *frames.finish()]:
        if frame.data[:1] != b"{":
            continue
        told = reader.read(frame.name, json.loads(frame.data))
        for piece in told.pieces:
            if piece.source == "tool_call":
                arguments += piece.text
            else:
                text += piece.text
        if not told.over and "done" not in frame.name:
            whole += "".join(place.text for place in told.whole if place.source == "tool_call")
    return text, arguments or whole
