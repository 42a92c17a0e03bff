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
    messages: msgspec.Raw = msgspec.Raw()
    input: msgspec.Raw = msgspec.Raw()
    contents: msgspec.Raw = msgspec.Raw()
    prompt: msgspec.Raw = msgspec.Raw()
    system: msgspec.Raw = msgspec.Raw()
    instructions: msgspec.Raw = msgspec.Raw()
    systemInstruction: msgspec.Raw = msgspec.Raw()
    system_instruction: msgspec.Raw = msgspec.Raw()
    request: msgspec.Raw = msgspec.Raw()  # Gemini CLI wraps its request
    type: Any = None


_decode_body = msgspec.json.Decoder(_Body).decode
_decode_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.decode
# Enough for any real preamble; a longer list of system messages would only make the key finer than needed.
_MAX_LEADING = 8


def read_fields(body: bytes) -> Fields | None:
    """Top-level fields of a JSON request (decoded body). None when it is no JSON object."""
    try:
        top = _decode_body(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    if not any(map(len, (top.messages, top.input, top.contents, top.prompt))) and len(top.request):
        inner = read_fields(bytes(top.request))
        if inner is not None:
            inner.model = inner.model or (top.model if isinstance(top.model, str) else None)
            return inner
    fields = Fields(
        model=top.model if isinstance(top.model, str) and top.model else None,
        stream=top.stream if isinstance(top.stream, bool) else None,
        keys=frozenset(k for k in ("messages", "input", "contents", "prompt") if len(getattr(top, k))),
    )
    try:
        stated = (top.system, top.instructions, top.systemInstruction, top.system_instruction)
        system = [_text(_decode(raw)) for raw in stated if len(raw)]
        turns = next((raw for raw in (top.messages, top.input, top.contents, top.prompt) if len(raw)), None)
        if turns is not None:
            _read_turns(turns, system, fields)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return fields
    fields.system = "\n".join(system)
    return fields


def _read_turns(turns: msgspec.Raw, system: list[str], fields: Fields) -> None:
    if bytes(turns)[:1] != b"[":
        fields.first_user = _text(_decode(turns))
        return
    for raw in _decode_list(turns)[:_MAX_LEADING]:
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
