"""Guarded parts inside or beside what an edit would take away."""

from __future__ import annotations

from typing import Any

from intelligence.rewrite.locate import Found
from intelligence.wire.guards import DATA, SIGNED, guard
from intelligence.wire.json_value import INVALID, decode


def guarded_within(raw: bytes) -> str | None:
    """Why the value may not go, for what is in it."""
    if raw[:1] not in (b"{", b"["):
        return None
    value = decode(raw)
    if value is INVALID:
        return "not JSON"
    waiting: list[Any] = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if why := guard(value):
                return why
            waiting.extend(inner for key, inner in value.items() if key not in DATA)
        elif isinstance(value, list):
            waiting.extend(value)
    return None


class Company:
    """Signed thinking is checked with its place among the blocks of its turn, and a reasoning item with the item it led to."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._signed: dict[int, bool] = {}

    def needs(self, found: Found) -> str | None:
        """Why an element may not go, for what stands beside it."""
        container = found.container
        if container is None or self._body[container.start : container.start + 1] != b"[":
            return None
        before = self._part(container.spans[found.index - 1]) if found.index else {}
        if before.get("type") == "reasoning" and guard(before):
            return "belongs to a reasoning item"
        if container.start not in self._signed:
            parts = map(self._part, container.spans)
            # Messages stand beside one another too, but are signed in what is in them, or not at all.
            self._signed[container.start] = any(guard(part) == SIGNED for part in parts if "role" not in part)
        return "stands beside signed thinking" if self._signed[container.start] else None

    def _part(self, span: tuple[int, int, int]) -> dict[str, Any]:
        raw = self._body[span[1] : span[2]]
        value = decode(raw) if raw[:1] == b"{" else None
        return value if isinstance(value, dict) else {}
