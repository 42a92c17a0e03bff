"""Detectors that load when a rule first needs them: who has no such rule pays nothing at the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from intelligence.detect.detection import Detection
    from intelligence.detect.scanner import Scanner


class Scans(Protocol):
    def request(
        self, places: Sequence[Any], kinds: frozenset[str], *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]: ...

    def pieces(
        self, pieces: Sequence[Any], kinds: frozenset[str], *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]: ...


class LazyScanner:
    """`settings` as in `scanner.Settings`."""

    def __init__(self, key: bytes, **settings: Any) -> None:
        self._settings = {"key": key, **settings}
        self._scanner: Scanner | None = None

    def load(self) -> Scanner:
        if self._scanner is None:
            from intelligence.detect.scanner import Scanner, Settings, warm

            warm()
            self._scanner = Scanner(Settings(**self._settings))
        return self._scanner

    def request(
        self, places: Sequence[Any], kinds: frozenset[str], *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]:
        """As `Scanner.request`. Raises `DeadlineExceeded`."""
        return self.load().request(places, kinds, deadline=deadline)

    def pieces(
        self, pieces: Sequence[Any], kinds: frozenset[str], *, deadline: float | None = None
    ) -> list[tuple[Any, Detection]]:
        """As `Scanner.pieces`. Raises `DeadlineExceeded`, `wire.pieces.Unsplit`."""
        return self.load().pieces(pieces, kinds, deadline=deadline)


def lazy_detector() -> Callable[[str, str, frozenset[str]], Sequence[Detection]]:
    """As `scanner.detector`."""

    def detect(text: str, source: str, kinds: frozenset[str]) -> Sequence[Detection]:
        from intelligence.detect.scanner import detector

        return detector()(text, source, kinds)

    return detect
