"""Canary tokens: strings planted where nobody has business, configured by the user. Seen anywhere, somebody was
there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from intelligence.detect.detection import Detection
from intelligence.detect.engine import Text

# A shorter one would be found in ordinary text.
SHORTEST = 8


def canaries(text: Text, tokens: Sequence[str]) -> list[Detection]:
    """Each place of each token, whatever its case."""
    return list(_places(text, tokens))


def _places(text: Text, tokens: Sequence[str]) -> Iterator[Detection]:
    for token in tokens:
        wanted = token.encode("utf-8", "replace").lower()
        if len(wanted) < SHORTEST:
            continue
        at = text.lower.find(wanted)
        while at >= 0:
            yield Detection("canary", "canary", 1.0, *text.span(at, at + len(wanted)), "canary")
            at = text.lower.find(wanted, at + len(wanted))
