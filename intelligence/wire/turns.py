"""One response under way on a WebSocket, and the conversation's memory that the next request is made from."""

from __future__ import annotations

from collections import deque
from typing import Any

from intelligence.wire.draft import Draft, Parser
from intelligence.wire.json_value import as_json, items, name

MAX_CALL_BYTES = 64 * 1024 * 1024
# Of what was said since the last response; a request holds no more.
_MAX_ITEMS = 1000
_MAX_ITEMS_BYTES = 8 * 1024 * 1024
# Of what is said once for all requests: of all of it, and of all its repetitions in requests.
_MAX_STANDING_BYTES = 8 * 1024 * 1024
_MAX_REPEATED_BYTES = 64 * 1024 * 1024
_AUDIO = ("audio", "data")
_LONGEST_AUDIO = 256


class Turn:
    """`request` is what the response was asked for with; its answer is read into `draft`."""

    def __init__(
        self, request: dict[str, Any], parser: type[Any], model: str | None, *, warm_up: bool = False
    ) -> None:
        self.request = request
        self.warm_up = warm_up
        self.draft = Draft()
        self.parser: Parser = parser(self.draft)
        self.ended = False
        self.size = 0
        self.response_id: str | None = None
        self._model = model

    def event(self, kind: str, message: dict[str, Any]) -> None:
        if self.size <= MAX_CALL_BYTES:
            self.parser.event(kind, message)

    def finish(self) -> None:
        finish = getattr(self.parser, "finish", None)
        if finish:
            finish()
        self.draft.model = self.draft.model or name(self._model)


class Memory:
    """Items said since the last response, the oldest dropped first; sound is not kept."""

    def __init__(self) -> None:
        self._items: deque[tuple[int, Any]] = deque()
        self._size = 0

    def add(self, item: Any) -> None:
        item = without_audio(item)
        size = len(as_json(item))
        self._items.append((size, item))
        self._size += size
        while self._items and (self._size > _MAX_ITEMS_BYTES or len(self._items) > _MAX_ITEMS):
            self._size -= self._items.popleft()[0]

    def take(self) -> list[Any]:
        taken = [item for _, item in self._items]
        self._items.clear()
        self._size = 0
        return taken


class Standing:
    """What is said once for all requests: instructions, tools. A conversation in which its repetitions would come to more than
    any real one has is read without it from then on."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}
        self._size = 0
        self._left = _MAX_REPEATED_BYTES

    def update(self, values: dict[str, Any]) -> None:
        for key, value in without_audio(values).items():
            size = len(key) + len(as_json(value))
            whole = self._size - self._sizes.get(key, 0) + size
            if whole <= _MAX_STANDING_BYTES:
                self._values[key], self._sizes[key], self._size = value, size, whole

    def repeat(self) -> dict[str, Any]:
        self._left -= self._size
        return dict(self._values) if self._left > 0 else {}


def without_audio(value: Any, depth: int = 0) -> Any:
    """The value with long base64 of sound left out; deeper than any real message it is cut off."""
    if depth > 12:
        return None
    if isinstance(value, list):
        return [without_audio(item, depth + 1) for item in items(value)]
    if isinstance(value, dict):
        return {
            key: f"[{len(inner)} characters of base64]"
            if key in _AUDIO and isinstance(inner, str) and len(inner) > _LONGEST_AUDIO
            else without_audio(inner, depth + 1)
            for key, inner in value.items()
        }
    return value
