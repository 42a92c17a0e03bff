"""Who is calling, and in which conversation: told from one request's own bytes and headers alone.

Runs in the proxy for every LLM call, so it decodes only what it needs: the body is scanned once, without building its
messages. The conversation key is a keyed hash over credential fingerprint, client, system prompt and first user message;
what clients vary from turn to turn (cache marks, a billing line) stays out, so all turns of a conversation share it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from intelligence.store.ids import keyed_hash

# User-Agent products of known clients, and the names people call them by.
_CLIENT_NAMES = {
    "claude-cli": "claude-code",
    "claude-code": "claude-code",
    "codex_cli_rs": "codex",
    "codex_exec": "codex",
    "codex-tui": "codex",
    "geminicli": "gemini-cli",
    "geminicli-tui": "gemini-cli",
    "opencode": "opencode",
    "openai/python": "openai-python",
    "asyncopenai/python": "openai-python",
    "azureopenai/python": "openai-python",
    "asyncazureopenai/python": "openai-python",
    "openai/js": "openai-node",
    "anthropic/python": "anthropic-python",
    "asyncanthropic/python": "anthropic-python",
    "anthropic/js": "anthropic-node",
    "google-genai-sdk": "google-genai",
    "ollama-python": "ollama-python",
    "ollama-js": "ollama-js",
    "python-httpx": "httpx",
    "python-requests": "requests",
    "githubcopilotchat": "github-copilot",
    "aider": "aider",
    "litellm": "litellm",
}
_PRODUCT = re.compile(r"\s*([A-Za-z][\w.+-]*)(/[A-Za-z]\w*(?=[ /]))?[/ ]?v?(\d[\w.+-]*)?")
_BILLING = re.compile(r"x-anthropic-billing-header:[^\n]*")


@dataclass(slots=True)
class Fields:
    """What a request body says of itself. Texts are what the conversation key is made from."""

    model: str | None = None
    stream: bool | None = None
    system: str = ""
    first_user: str = ""
    keys: frozenset[str] = frozenset()
    content: tuple[int, int] = (0, 0)  # where in the body the conversation stands: start and end


def client_of(user_agent: str) -> tuple[str | None, str | None]:
    """Name and version of a client by its User-Agent; a product nobody listed keeps its own name in lower case."""
    match = _PRODUCT.match(user_agent)
    if not match:
        return None, None
    product, language, version = match.groups()
    name = (product + (language or "")).lower()
    return _CLIENT_NAMES.get(name) or _CLIENT_NAMES.get(product.lower()) or name, version


def conversation_key(key: bytes, fingerprint: str | None, client: str | None, fields: Fields) -> str:
    """32 hex digits, the same for every turn of a conversation (DESIGN: Identify)."""
    return keyed_hash(
        key,
        b"conversation",
        (fingerprint or "").encode(),
        (client or "").encode(),
        _BILLING.sub("", fields.system).encode("utf-8", "surrogatepass"),
        fields.first_user.encode("utf-8", "surrogatepass"),
    )


class _Body(msgspec.Struct):
    """The top level of every known request shape. Untyped parts stay undecoded."""

    model: Any = None
    stream: Any = None
    messages: list[msgspec.Raw] | str | None = None
    input: list[msgspec.Raw] | str | None = None
    contents: list[msgspec.Raw] | str | None = None
    prompt: list[msgspec.Raw] | str | None = None
    system: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    systemInstruction: msgspec.Raw = msgspec.Raw()
    system_instruction: msgspec.Raw = msgspec.Raw()
    request: msgspec.Raw = msgspec.Raw()  # Gemini CLI wraps its request


class _Loose(msgspec.Struct):
    """For a body whose conversation has a shape nobody documents."""

    model: Any = None
    stream: Any = None
    messages: Any = None
    input: Any = None
    contents: Any = None
    prompt: Any = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_loose = msgspec.json.Decoder(_Loose).decode
_decode = msgspec.json.decode
_BAD = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)
_TURNS = ("messages", "input", "contents", "prompt")
# Enough for any real preamble; a longer list of system messages would only make the key finer than needed.
_MAX_LEADING = 8


def read_fields(body: bytes, *, _wrapped: bool = False) -> Fields | None:
    """Top-level fields of a JSON request (decoded body). None when it is no JSON object."""
    try:
        top = _decode_body(body)
    except _BAD:
        return _read_loose(body)
    keys = frozenset(key for key in _TURNS if getattr(top, key) is not None)
    if not keys and len(top.request) and not _wrapped:
        inner = read_fields(bytes(top.request), _wrapped=True)
        if inner is not None:
            inner.model = inner.model or (top.model if isinstance(top.model, str) else None)
            inner.content = (0, 0)
            return inner
    fields = Fields(*_said(top), keys=keys)
    try:
        stated = (top.system, top.instructions, top.systemInstruction, top.system_instruction)
        system = [_text(_decode(raw)) for raw in stated if len(raw)]
        turns = next((getattr(top, key) for key in _TURNS if key in keys), None)
        if isinstance(turns, str):
            fields.first_user = turns
        elif turns:
            _read_turns(turns, system, fields)
            fields.content = _span(body, bytes(turns[0]), bytes(turns[-1]))
    except _BAD:
        return fields
    fields.system = "\n".join(system)
    return fields


def _read_loose(body: bytes) -> Fields | None:
    try:
        top = _decode_loose(body)
    except _BAD:
        return None
    return Fields(*_said(top), keys=frozenset(key for key in _TURNS if getattr(top, key) is not None))


def _said(top: _Body | _Loose) -> tuple[str | None, bool | None]:
    model = top.model if isinstance(top.model, str) and top.model else None
    return model, top.stream if isinstance(top.stream, bool) else None


def _span(body: bytes, first: bytes, last: bytes) -> tuple[int, int]:
    start, end = body.find(first), body.rfind(last)
    return (start, end + len(last)) if 0 <= start <= end else (0, 0)


def _read_turns(turns: list[msgspec.Raw], system: list[str], fields: Fields) -> None:
    for raw in turns[:_MAX_LEADING]:
        turn = _decode(raw)
        role = turn.get("role", "user") if isinstance(turn, dict) else "user"
        if role in ("system", "developer"):
            system.append(_text(turn))
        elif role == "user":
            fields.first_user = _text(turn)
            return


def _text(value: Any) -> str:
    """All text of a message, a list of parts or a string; marks such as `cache_control` are not text."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join(filter(None, map(_text, value)))
    if isinstance(value, dict):
        return _text(value.get("text") or value.get("content") or value.get("parts") or "")
    return ""
