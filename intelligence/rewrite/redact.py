"""Spans that must not leave, made into a rewrite that puts placeholders in their place.

Spans of one text that overlap become one. What is a placeholder already stays one: a span is cut around it, so a text redacted
before, which clients send again with every turn, is not redacted once more. (What a detector finds across the edge of a
placeholder is cut there, and the rest of it goes.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from intelligence.rewrite.edits import Change, Edit, Rewrite
from intelligence.rewrite.placeholder import placeholder, placeholders
from intelligence.wire.place import Place


@dataclass(frozen=True, slots=True)
class Secret:
    """A stretch of a place's text; `type` is what a placeholder shows of it, the kind first: `secret-github-pat`."""

    place: Place
    start: int
    end: int
    type: str


@dataclass(slots=True)
class Redaction:
    """`values` are those that placeholders stand for: to be held in memory alone, and no longer than the answer takes."""

    rewrite: Rewrite
    values: dict[str, str] = field(default_factory=dict)


def redact(key: bytes, rule: str, reason: str, secrets: Iterable[Secret]) -> Redaction:
    """`key` is the installation's. Guarded places get their edits too, so that `apply` refuses them aloud."""
    of: dict[str, list[Secret]] = {}
    for secret in secrets:
        of.setdefault(secret.place.pointer, []).append(secret)
    edits: list[Change] = []
    values: dict[str, str] = {}
    for pointer, found in of.items():
        text = found[0].place.text
        for start, end, type_ in _apart(text, found):
            made = placeholder(key, type_, text[start:end])
            values[made] = text[start:end]
            edits.append(Edit(pointer, start, end, made))
    return Redaction(Rewrite(rule, reason, edits, redacts=True), values)


def _apart(text: str, found: list[Secret]) -> list[tuple[int, int, str]]:
    """Merged, sorted, and without what is a placeholder. Of merged spans the one that begins first names the type, of those the
    longest."""
    merged: list[tuple[int, int, str]] = []
    for one in sorted(found, key=lambda s: (s.start, -s.end)):
        start, end = max(0, one.start), min(len(text), one.end)
        if merged and start < merged[-1][1]:
            last = merged[-1]
            merged[-1] = (last[0], max(last[1], end), last[2])
        elif start < end:
            merged.append((start, end, one.type))
    kept = placeholders(text)
    if not kept:
        return merged
    pieces: list[tuple[int, int, str]] = []
    at = 0
    for start, end, type_ in merged:
        while at < len(kept) and kept[at][1] <= start:
            at += 1
        here = at
        while here < len(kept) and kept[here][0] < end:
            if start < kept[here][0]:
                pieces.append((start, kept[here][0], type_))
            start = kept[here][1]
            here += 1
        if start < end:
            pieces.append((start, end, type_))
    return pieces
