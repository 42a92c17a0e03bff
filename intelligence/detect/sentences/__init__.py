"""Sentences that try to take over a model.

Generic by intent: each names an act (set aside what you were told, take a role without limits, tell what is hidden,
act for whoever wrote this) in the words people use for it, with room for a few others between. A module has rows
`(family, name, certain, pattern)`; `certain` are those that ordinary text, code and chat do not contain. `families`
says where a pattern is tried.
"""

from __future__ import annotations

from dataclasses import dataclass

from intelligence.detect.sentences import extraction, foreign, jailbreak, marks, override, planted
from intelligence.detect.sentences.families import FAMILIES, NEAR

__all__ = ["FAMILIES", "MARK", "NEAR", "SENTENCES", "Sentence"]

MARK = "mark"


@dataclass(frozen=True, slots=True)
class Sentence:
    """`type` is that of the detection, `regex` is without regard to case."""

    type: str
    family: str
    name: str
    certain: bool
    regex: str


SENTENCES: tuple[Sentence, ...] = tuple(
    Sentence(type, *row)
    for type, rows in (
        ("injection", override.ROWS),
        ("injection", planted.ROWS),
        ("injection", foreign.ROWS),
        ("injection", marks.ROWS),
        ("jailbreak", jailbreak.ROWS),
        ("prompt_extraction", extraction.ROWS),
    )
    for row in rows
)
