"""What an edit means for the bytes: cuts, each a stretch of the body and what stands there instead."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from intelligence.rewrite.locate import Container, Found
from intelligence.rewrite.merge import Span
from intelligence.rewrite.spans import Offsets, literal_of


class Cut(NamedTuple):
    start: int
    end: int
    text: bytes


def span_cuts(body: bytes, found: Found, text: str, spans: Sequence[Span], ascii_only: bool) -> list[Cut]:
    """`spans` sorted and apart."""
    offsets = Offsets(body[found.start : found.end], text)
    cuts = []
    for span in spans:
        start, end = offsets.byte(span.start), offsets.byte(span.end)
        cuts.append(Cut(found.start + start, found.start + end, literal_of(span.text, ascii_only)))
    return cuts


def removed(gone: Sequence[Found]) -> list[Cut]:
    """Elements and members with the comma and the whitespace that set them apart; what stays keeps its own."""
    of: dict[int, tuple[Container, set[int]]] = {}
    for found in gone:
        if found.container is not None:
            of.setdefault(found.container.start, (found.container, set()))[1].add(found.index)
    return [cut for container, indexes in of.values() for cut in _runs(container, sorted(indexes))]


def _runs(container: Container, indexes: list[int]) -> list[Cut]:
    spans = container.spans
    if len(indexes) == len(spans):
        return [Cut(container.start + 1, container.end - 1, b"")]
    cuts = []
    at = 0
    while at < len(indexes):
        first = last = indexes[at]
        while at + 1 < len(indexes) and indexes[at + 1] == last + 1:
            at += 1
            last = indexes[at]
        at += 1
        if first == 0:
            cuts.append(Cut(spans[0][0], spans[last + 1][0], b""))
        else:
            cuts.append(Cut(spans[first - 1][2], spans[last][2], b""))
    return cuts
