"""Stand-ins for the detectors that look at bodies whole."""

from __future__ import annotations

from typing import Any

from intelligence.wire.pieces import Unsplit


class Whole:
    def pieces(self, pieces: Any, kinds: frozenset[str], *, deadline: float | None = None) -> list[Any]:
        raise Unsplit
