"""What a request says of its session in so many words: ids that some clients send, the folder they work in, a title.

Ids are honoured where they stand for one conversation or agent run: Codex' `session_id` header, the session part of Claude
Code's `metadata.user_id`, `conversation` and `previous_response_id` of Responses, `conversation_id` of Cohere, Gemini CLI's
`session_id`. A `prompt_cache_key` counts only if it looks like an id: many programs share one between all they do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from intelligence.wire.json_value import decode, name, obj
from intelligence.wire.parts import Message

_HEADERS = ("session_id", "session-id", "x-claude-code-session-id", "conversation_id", "x-session-id")
_CLAUDE_CODE = re.compile(r"_session_([0-9A-Za-z-]{8,})$")
_ID_LIKE = re.compile(r"(?=.*\d)[0-9A-Za-z_.:-]*[0-9a-fA-F]{8}[0-9A-Za-z_.:-]*")
_MAX_ID = 256

_FOLDER = re.compile(
    r"<cwd>[ \n]?([^<\n]{1,1024})\n?</cwd>"
    r"|(?:working directory(?: is)?|currently working in the directory|^cwd):\s*`?"
    r"([~/][^\n`<]*|[A-Za-z]:\\[^\n`<]*)",
    re.IGNORECASE | re.MULTILINE,
)
_REPOSITORY = re.compile(
    r"(?:git remote|remote url|repository(?: url| name)?|repo)\s*[:=]\s*`?([\w.-]+/[\w.-]+|(?:https?://|git@|ssh://)[^\s`<>]+)",
    re.IGNORECASE,
)
_SEARCHED = 200_000
_TAG = re.compile(r"<([\w-]{1,64})[^<>]{0,256}>")
_TITLE = 120
_TITLE_SEARCHED = 2000


class _Ids(msgspec.Struct):
    conversation: Any = None
    conversation_id: Any = None
    session_id: Any = None
    metadata: Any = None
    prompt_cache_key: Any = None
    previous_response_id: Any = None
    request: Any = None


_ids = msgspec.json.Decoder(_Ids).decode


@dataclass(frozen=True, slots=True)
class Stated:
    session: str | None = None
    previous_response: str | None = None
    retried: bool = False


def stated(headers: Iterable[Sequence[str]], body: bytes) -> Stated:
    """`body` is decoded; it may be anything."""
    sent = {pair[0].lower(): pair[1] for pair in headers}
    try:
        ids = _ids(body) if body[:1] == b"{" else _Ids()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        ids = _Ids()
    cache_key = name(ids.prompt_cache_key)
    candidates = [
        *(sent.get(header) for header in _HEADERS),
        name(ids.conversation) or name(obj(ids.conversation).get("id")),
        name(ids.conversation_id),
        _of_metadata(obj(ids.metadata)),
        name(ids.session_id) or name(obj(ids.request).get("session_id")),
        cache_key if cache_key and len(cache_key) <= _MAX_ID and _ID_LIKE.fullmatch(cache_key) else None,
    ]
    session = next((found for found in candidates if found and len(found) <= _MAX_ID), None)
    retries = sent.get("x-stainless-retry-count", "0")
    return Stated(session, name(ids.previous_response_id), retries.isdigit() and int(retries) > 0)


def _of_metadata(metadata: dict[str, Any]) -> str | None:
    user = name(metadata.get("user_id")) or ""
    if user[:1] == "{":
        return name(obj(decode(user.encode("utf-8", "replace"))).get("session_id"))
    if found := _CLAUDE_CODE.search(user):
        return found[1]
    return name(metadata.get("session_id"))


def working_folder(texts: Iterable[str]) -> str | None:
    for text in texts:
        if _may_tell(text, "directory", "cwd") and (found := _FOLDER.search(text[:_SEARCHED])):
            return (found[1] or found[2]).strip()[:1024]
    return None


def repository(texts: Iterable[str]) -> str | None:
    for text in texts:
        if _may_tell(text, "repo", "remote") and (found := _REPOSITORY.search(text[:_SEARCHED])):
            return found[1].rstrip(".,;")[:1024]
    return None


def _may_tell(text: str, *words: str) -> bool:
    lowered = text[:_SEARCHED].lower()
    return any(word in lowered for word in words)


def user_texts(messages: Iterable[Message]) -> list[str]:
    return [part.text for m in messages if m.role == "user" for part in m.parts if part.type == "text"]


def title(texts: Iterable[str]) -> str | None:
    """The first line that a person may have written: agents put files and surroundings before it."""
    for text in texts:
        own = _behind_tags(text[:_SEARCHED])
        if own and not own.startswith("# AGENTS.md"):
            line = " ".join(own[:_TITLE_SEARCHED].split("\n", 1)[0].split())
            return line if len(line) <= _TITLE else line[: _TITLE - 1] + "…"
    return None


def _behind_tags(text: str) -> str:
    text = text.strip()
    while (tag := _TAG.match(text)) and (end := text.find(f"</{tag[1]}>")) >= 0:
        text = text[end + len(tag[1]) + 3 :].lstrip()
    return text
