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
    return [
        Detection("canary", "canary", 1.0, *text.span(*place), "canary")
        for place in places(text.lower, tokens)
    ]


def places(lower: bytes, tokens: Sequence[str]) -> Iterator[tuple[int, int]]:
    """(start, end) in text in lower case."""
    for token in tokens:
        wanted = token.encode("utf-8", "replace").lower()
        if len(wanted) < SHORTEST:
            continue
        at = lower.find(wanted)
        while at >= 0:
            yield at, at + len(wanted)
            at = lower.find(wanted, at + len(wanted))
