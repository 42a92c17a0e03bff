# ruff: noqa: E501  (a pattern reads better whole)
"""Injection and jailbreak: text that wants to command the model that reads it.

Two signals that do not know of each other. *Rules* (`injection_rules`) know sentences; *the model*
(`injection_model`) knows which words stand together in attacks. What they find is graded by how far it may be
trusted:

| score | when |
| --- | --- |
| 0.95 | a rule that ordinary text does not match |
| 0.9 | a weaker rule, and the model says the same of that place |
| 0.6 | a weaker rule alone |
| at most 0.85 | the model alone: it may alert, never block |

Text about attacks quotes them: a match in quotation marks behind words such as "for example" is left out.

Limits: a plain task planted in data has no words of its own, nor has an optimised suffix. Those are for `provenance`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from intelligence.detect import features, injection_model, injection_rules
from intelligence.detect.detection import Detection, check
from intelligence.detect.engine import Group, Rule, Text, compiled

# What is handed to a family's patterns, in bytes before and behind the words that called for it.
_BEFORE, _BEHIND = 160, 700
_WEAK, _AGREED, _RULE = 0.6, 0.9, 0.95
_MODEL_AT_MOST = 0.85

_QUOTED = compiled(
    r"(?i)(?:example|e\.g\.|such as|\blike\b|phrases?|contains?|containing|says?|saying|commands?|later|attack|injection|jailbreak|detect|flag|block|reject|pattern|string|prompt:)"
    r"[^\n]{0,60}[\"'`“‘«(][^\"'`“”‘’«»\n]{0,20}$"
)
_NEGATED = compiled(
    r"(?i)(?:\bnot|n't|n’t|\bnever|\bcannot|without|avoid|refuse to|detects?|prevents?|blocks?)[ ](?:\w+ ){0,2}$"
)


@dataclass(frozen=True, slots=True)
class Trigger:
    """A stretch of bytes in which a family's patterns are to be tried."""

    family: int
    start: int
    end: int


def injection(text: Text, deadline: float | None = None) -> list[Detection]:
    """What `text` tries to make a model do, in order. Raises `DeadlineExceeded`."""
    found: list[tuple[int, int, str, float]] = []
    suspected: list[tuple[int, int, float]] = []
    data = text.data
    for base, piece, words in text.pieces:
        check(deadline)
        if not len(words.single):
            continue
        found += [(base + a, base + b, rule, score) for a, b, rule, score in _sentences(piece, words)]
        suspected += [(base + a, base + b, score) for a, b, score in injection_model.windows(words)]
    found += [(h.start, h.end, h.rule.id, h.rule.score) for h in marks().find(data, deadline)]
    return _graded(text, found, suspected)


@cache
def marks() -> Group:
    return Group(
        [
            Rule(f"injection.{name}", "injection", f"(?i){regex}", _RULE if certain else _WEAK, _not_quoted)
            for family, name, certain, regex in injection_rules.RULES
            if family == "mark"
        ]
    )


@cache
def families() -> tuple[tuple[Any, tuple[tuple[str, float, Any], ...]], ...]:
    """The compiled patterns of each family: all as one, which mostly says no, and each as (rule id, score, pattern)."""
    made = []
    for wanted in injection_rules.FAMILIES:
        listed = [
            (n, certain, regex) for family, n, certain, regex in injection_rules.RULES if family == wanted
        ]
        together = compiled("(?i)" + "|".join(f"(?:{regex})" for _, _, regex in listed), capture=False)
        each = tuple(
            (f"injection.{n}", _RULE if certain else _WEAK, compiled(f"(?i){regex}", capture=False))
            for n, certain, regex in listed
        )
        made.append((together, each))
    return tuple(made)


# A word's bits: 16 for the families it begins, 16 for those it completes, 16 for those it calls for alone.
_COMPLETES, _ALONE, _SIXTEEN = np.uint64(16), np.uint64(32), np.uint64(0xFFFF)


@cache
def _table() -> tuple[Any, Any]:
    """Bits of a word by its place, and the same by its check: both must say so."""
    tables = (np.zeros(features.SIZE, np.uint64), np.zeros(features.SIZE, np.uint64))
    for number, lists in enumerate(injection_rules.FAMILIES.values()):
        for slot, listed in enumerate(lists):
            words = features.words(listed.encode())
            bit = np.uint64(1 << (number + 16 * slot))
            tables[0][words.single] |= bit
            tables[1][words.check] |= bit
    return tables


def triggers(words: features.Words) -> Iterator[Trigger]:
    """Where a family's first words are followed by its second."""
    by_place, by_check = _table()
    bits = by_place[words.single]
    known = np.flatnonzero(bits)
    bits = bits[known] & by_check[words.check[known]]
    # Only words of the lists are left; how far apart two stand is told by their numbers.
    completes = (bits >> _COMPLETES) & _SIXTEEN
    called = (bits >> _ALONE) & _SIXTEEN
    begins = bits & _SIXTEEN
    for ahead in range(1, min(injection_rules.NEAR, len(known) - 1) + 1):
        near = known[ahead:] - known[:-ahead] <= injection_rules.NEAR
        called[:-ahead] |= np.where(near, begins[:-ahead] & completes[ahead:], 0)
    for index in np.flatnonzero(called):
        word, families_called = int(known[index]), int(called[index])
        start, end = int(words.starts[word]), int(words.ends[word])
        for family in range(len(injection_rules.FAMILIES)):
            if families_called >> family & 1:
                yield Trigger(family, max(0, start - _BEFORE), end + _BEHIND)


def _sentences(piece: bytes, words: features.Words) -> Iterator[tuple[int, int, str, float]]:
    """Matches of the families' patterns: (start, end, rule, score) in bytes of the piece."""
    tried = [0] * len(injection_rules.FAMILIES)
    patterns = families()
    for trigger in triggers(words):
        # Stretches of one family overlap; what was tried once is not tried again.
        start = max(trigger.start, tried[trigger.family] - _BEFORE)
        if trigger.end <= tried[trigger.family] or start >= trigger.end:
            continue
        end = min(trigger.end, len(piece))
        tried[trigger.family] = end
        together, each = patterns[trigger.family]
        if together.search(piece, start, end) is None:
            continue
        for rule, score, pattern in each:
            for match in pattern.finditer(piece, start, end):
                if _not_quoted(piece, *match.span()):
                    yield (*match.span(), rule, score)


def _not_quoted(data: bytes, start: int, end: int) -> bool:
    # Code about chat templates has its marks in string literals.
    if data[start : start + 1] in (b"<", b"[") and data[start - 1 : start] in (b'"', b"'", b"`", b"|", b"\\"):
        return False
    before = data[max(0, start - 100) : start]
    return _QUOTED.search(before) is None and _NEGATED.search(before[-24:]) is None


def _graded(
    text: Text, found: list[tuple[int, int, str, float]], suspected: list[tuple[int, int, float]]
) -> list[Detection]:
    """One detection a place and type, the surest. The model's own stands only where no rule does."""
    detections: list[Detection] = []
    for start, end, rule, score in found:
        if score < _AGREED and any(a < end and start < b for a, b, _ in suspected):
            score = _AGREED
        detections.append(Detection("injection", _type(rule), score, *text.span(start, end), rule))
    for start, end, score in suspected:
        if not any(a < end and start < b for a, b, _, _ in found):
            at = text.span(start, end)
            detections.append(
                Detection("injection", "injection", min(score, _MODEL_AT_MOST), *at, "injection.model")
            )
    detections.sort(key=lambda d: (-d.score, d.start, -d.end))
    kept: list[Detection] = []
    for one in detections:
        if all(one.type != k.type or one.end <= k.start or k.end <= one.start for k in kept[-_COMPARED:]):
            kept.append(one)
    return sorted(kept, key=lambda d: (d.start, d.end))


# How many neighbours a detection is compared with: a text full of attacks must not take quadratic time.
_COMPARED = 64


_JAILBREAK = frozenset(
    "unfiltered_persona jailbreak_name dan can_do_anything never_refuse no_ethics two_answers without_restrictions hypothetical_harm in_character from_now_on_role you_are_now game_confess".split()
)


def _type(rule: str) -> str:
    name = rule.partition(".")[2]
    return "jailbreak" if name in _JAILBREAK else "prompt_extraction" if name in _EXTRACTION else "injection"


_EXTRACTION = frozenset(
    "reveal_prompt reveal_system_prompt what_is_your_prompt repeat_above beginning_with_you_are".split()
)
