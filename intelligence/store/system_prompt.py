"""What the system prompt of a request tells: which one it is, and where the agent works. An agent sends the same one with every
request, so each is read once and remembered by its bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

from intelligence.store.meaning import system_key
from intelligence.store.stated import repository, working_folder
from intelligence.store.tree import HASH_BYTES
from intelligence.wire.json_value import decode, obj
from intelligence.wire.parts import plain

# Prompts that are remembered, a few hundred bytes each.
_REMEMBERED = 512


@dataclass(frozen=True, slots=True)
class SystemPrompt:
    """`key`: hash of what it says, without what changes from request to request."""

    key: bytes | None = None
    working_folder: str | None = None
    repository: str | None = None


NO_PROMPT = SystemPrompt()


class SystemPrompts:
    def __init__(self) -> None:
        self._known: dict[bytes, SystemPrompt] = {}

    def read(self, raws: Sequence[bytes]) -> SystemPrompt:
        """Of the JSON of its parts."""
        if not raws:
            return NO_PROMPT
        seen = blake2b(b"\0".join(raws), digest_size=HASH_BYTES).digest()
        if (found := self._known.get(seen)) is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[seen] = _read(raws)
        return found


def _read(raws: Sequence[bytes]) -> SystemPrompt:
    texts = [_text(raw) for raw in raws]
    sound = [text.encode("utf-8", "replace").decode() for text in texts]
    return SystemPrompt(system_key(texts), working_folder(sound), repository(sound))


def _text(raw: bytes) -> str:
    value = decode(raw)
    content = obj(value)
    return plain(content.get("content", content.get("parts", value)))
