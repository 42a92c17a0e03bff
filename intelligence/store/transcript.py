"""A session as Markdown: what was said, once, in the order it was said.

A client resends all that was said before, so of each request only what no earlier one of the session held is written, then what
was answered. Where a conversation takes another way (an edit, a fork, a compaction) what is new of it follows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from intelligence.wire.json_value import decode, items, obj, text
from intelligence.wire.parts import Message, Part, tool_call
from intelligence.wire.request import Request, read_request

_ROLES = {"user": "User", "assistant": "Assistant", "model": "Assistant", "tool": "Tool", "function": "Tool"}


class Transcript:
    """Of one session: feed it the calls in order."""

    def __init__(self) -> None:
        self._said: set[bytes] = set()
        self._titled = False

    def call(self, row: dict[str, Any], body: bytes) -> Iterator[str]:
        """`row`: as `queries.call` gives it; `body`: of the request, decoded. Yields text."""
        request = read_request(row["format"], row["operation"], row["path"] or "", body)
        if not self._titled:
            self._titled = True
            yield from _title(row, request)
        system = Message("system", request.system)
        if request.system and self._is_new(system):
            yield f"## System\n\n{_parts(system)}\n\n"
        for message in request.messages:
            if self._is_new(message):
                yield f"## {_ROLES.get(message.role, message.role.capitalize() or 'User')}\n\n{_parts(message)}\n\n"
        answer = answer_of(row)
        self._is_new(answer)
        yield f"## Assistant\n\n{_details(row)}\n\n"
        if reasoning := row["reasoning"]:
            yield f"<details><summary>Reasoning</summary>\n\n{reasoning}\n\n</details>\n\n"
        if said := _parts(answer):
            yield f"{said}\n\n"
        if row["error_message"] or row["error_type"]:
            yield f"**Error** {row['error_type'] or ''}: {row['error_message'] or ''}\n\n"

    def _is_new(self, message: Message) -> bool:
        """Thinking is left out: clients send it back in part, or not at all."""
        said = [_key(part) for part in message.parts if part.type != "thinking"]
        role = "assistant" if message.role == "model" else message.role
        digest = hashlib.sha256(json.dumps([role, said], default=str).encode("utf-8", "replace")).digest()[
            :16
        ]
        if digest in self._said:
            return False
        self._said.add(digest)
        return True


def answer_of(row: dict[str, Any]) -> Message:
    """What was answered, as the message that a client sends back."""
    parts = [Part("text", row["text"])] if row["text"] else []
    for call in items(decode((row["tool_calls_json"] or "[]").encode())):
        parts.append(
            tool_call(obj(call).get("id"), obj(call).get("name"), obj(call).get("arguments") or "{}")
        )
    return Message("assistant", parts)


def _key(part: Part) -> list[Any]:
    if part.type == "tool_call":
        return ["tool_call", part.name, decode(part.text.encode("utf-8", "replace")) if part.text else None]
    return [part.type, part.text.strip(), part.name, part.data]


def _title(row: dict[str, Any], request: Request) -> Iterator[str]:
    first = next((p.text for m in request.messages for p in m.parts if m.role == "user" and p.text), "")
    words = " ".join(first.split())
    yield f"# {words[:80] or row['id']}{'…' if len(words) > 80 else ''}\n\n"
    who = [row["client"], row["client_version"], row["provider"], row["user"]]
    named = " · ".join(filter(None, who)) or row["host"]
    yield f"{_when(row['started_at'])} · {named} · session {row['session_id'] or row['id']}\n\n"


def _details(row: dict[str, Any]) -> str:
    told = [row["response_model"] or row["model"] or "unknown model"]
    if row["input_tokens"] is not None and row["output_tokens"] is not None:
        told.append(f"{row['input_tokens']:,} tokens in, {row['output_tokens']:,} out")
    if row["duration_ms"] is not None:
        told.append(f"{row['duration_ms'] / 1000:.1f} s")
    if row["state"] != "complete":
        told.append(row["state"])
    return f"*{_when(row['started_at'])} · {' · '.join(told)}*"


def _parts(message: Message) -> str:
    return "\n\n".join(filter(None, map(_part, message.parts)))


def _part(part: Part) -> str:
    if part.type == "text":
        return part.text
    if part.type == "thinking":
        return f"<details><summary>Reasoning</summary>\n\n{part.text}\n\n</details>" if part.text else ""
    if part.type == "tool_call":
        return f"**Calls `{part.name or 'a tool'}`**\n\n{_fenced(_pretty(part.text), 'json')}"
    if part.type == "tool_result":
        return f"**Result of `{part.name or part.id or 'a tool'}`**\n\n{_fenced(part.text)}"
    named = text(part.name)
    return f"*[{part.type}{': ' + named if named else ''}]*"


def _pretty(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return arguments


def _fenced(said: str, language: str = "") -> str:
    """In a fence longer than any in it."""
    fence = "```"
    while fence in said:
        fence += "`"
    return f"{fence}{language}\n{said}\n{fence}"


def _when(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
