"""What a part of a request says, whatever shape it came in: its words, for search, and its meaning, for telling which
conversation a request belongs to.

Clients do not resend a message quite as it was: a string becomes a list of one block, thinking is dropped, reminders are put
in and taken out, the provider's ids are added. Two messages have the same meaning when role, text, tool calls and results
are the same beside that. A message that says nothing in this sense (only thinking) has no meaning and is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

from intelligence.store.tree import HASH_BYTES
from intelligence.wire.json_value import INVALID, as_json, decode, obj
from intelligence.wire.parts import Message, Part, plain
from intelligence.wire.request import read_request

MAX_TEXT = 1024 * 1024
ASSISTANT = "assistant"
_FORMATS = {"contents": "gemini", "input": "openai-responses", "chat_history": "cohere-v1"}
_MESSAGES = ("anthropic-messages", "bedrock-converse", "bedrock-invoke", "cohere-v2", "ollama")
_REMINDER, _REMINDED = "<system-reminder>", "</system-reminder>"
_BILLING = re.compile(r"x-anthropic-billing-header:[^\n]*")


def read(key: str, format: str | None, raws: Sequence[bytes]) -> list[Message]:
    """Messages of the list `key`. What is not understood says nothing."""
    format = _FORMATS.get(key) or (format if format in _MESSAGES else "openai-chat")
    request = read_request(format, None, "", b'{"%b":[%b]}' % (key.encode(), b",".join(raws)))
    system = [Message("system", request.system)] if request.system else []
    messages = system + request.messages
    for message in messages:
        if message.role in ("model", "chatbot"):
            message.role = ASSISTANT
    return messages


def meaning(messages: Iterable[Message]) -> bytes | None:
    said: list[Any] = []
    for message in messages:
        texts = [words for part in message.parts if part.type == "text" and (words := own_words(part.text))]
        rest = [_part(part) for part in message.parts if part.type not in ("text", "thinking")]
        if texts or rest:
            said.append([message.role, "\n".join(texts), rest])
    return _hash(said) if said else None


def own_words(text: str) -> str:
    """Without what clients put in and take out again."""
    kept, at = [], 0
    while (start := text.find(_REMINDER, at)) >= 0 and (end := text.find(_REMINDED, start)) >= 0:
        kept.append(text[at:start])
        at = end + len(_REMINDED)
    return "".join([*kept, text[at:]]).strip()


def _part(part: Part) -> list[Any]:
    if part.type == "tool_call":
        return ["call", part.id, part.name, arguments(part.text)]
    if part.type == "tool_result":
        return ["result", part.id, own_words(part.text)]
    return [part.type, part.text.strip(), as_json(part.data) if part.data is not None else None]


def arguments(text: str) -> str:
    """Of a tool call, however they were written down."""
    value = decode(text.encode("utf-8", "surrogatepass"))
    if value is INVALID:
        return text.strip()
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    except RecursionError:
        return text.strip()


Call = tuple[str | None, str | None, str]
"""Of a tool: id, name, arguments."""


def answer_key(text: str | None, calls: Iterable[Call]) -> bytes:
    """The same for an answer and for the messages in which a client sends it back."""
    return _hash(["".join((text or "").split()), [[id_, name, arguments(args)] for id_, name, args in calls]])


def answer_in(messages: Sequence[Message]) -> tuple[str, list[Call], int]:
    """What the assistant says at the start of these messages: text, tool calls; and how many they are."""
    texts, calls, count = [], [], 0
    for message in messages:
        if message.role != ASSISTANT:
            break
        count += 1
        for part in message.parts:
            if part.type == "text":
                texts.append(part.text)
            elif part.type == "tool_call":
                calls.append((part.id, part.name, part.text))
    return "".join(texts), calls, count


def system_key(texts: Sequence[str]) -> bytes | None:
    said = [_BILLING.sub("", text).strip() for text in texts]
    return _hash(said) if any(said) else None


def words(kind: str, key: str, format: str | None, raw: bytes) -> tuple[str | None, str | None, bytes | None]:
    """Role, words and meaning of a part; None for what it has not."""
    if kind == "value":
        return None, None, None
    if kind == "message":
        messages = read(key, format, [raw])
        text = "\n".join(filter(None, (plain_words(message) for message in messages)))
        role = (_cut(messages[0].role) or "")[:64] if messages else None
        return role, _cut(text), meaning(messages)
    value = decode(raw)
    if kind == "tool":
        listed = b'{"tools":[%b]}' % raw
        tools = (
            read_request("openai-chat", None, "", listed).tools
            or read_request("gemini", None, "", listed).tools
        )
        text = "\n".join(f"{t.name}\n{t.description or ''}".strip() for t in tools)
        return None, _cut(text), None
    content = obj(value)
    text = plain(content.get("content", content.get("parts", value)))
    return "system", _cut(text), None


def plain_words(message: Message) -> str:
    said = []
    for part in message.parts:
        if part.type == "tool_call":
            said.append(f"{part.name or ''}({part.text})")
        elif part.text and part.type != "thinking":
            said.append(part.text)
    return "\n".join(said)


def _cut(text: str) -> str | None:
    return text[:MAX_TEXT].encode("utf-8", "replace").decode() if text else None


def _hash(value: Any) -> bytes:
    return blake2b(json.dumps(value, default=str).encode(), digest_size=HASH_BYTES).digest()
