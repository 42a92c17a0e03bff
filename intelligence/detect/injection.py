# ruff: noqa: E501  (a pattern reads better whole)
"""Injection and jailbreak: text that wants to command the model that reads it.

Two signals that do not know of each other. *Sentences* (`sentences`) are known by pattern; *the model*
(`injection_model`) knows which concepts follow each other in attacks. What they find is graded by how far it may be
trusted:

| score | when |
| --- | --- |
| 0.95 | a sentence that ordinary text does not hold |
| 0.9 | a weaker one, and the model says the same of that place |
| 0.8 | a weaker one alone |
| 0.8 to 0.85 | the model alone: it may alert, never block |

Text about attacks quotes them: a match in quotation marks behind words such as "for example" is left out.

Limits: a plain task planted in data has no words of its own, nor has an optimised suffix. Those are for `provenance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from math import exp
from typing import Any

import numpy as np

from intelligence.detect import features, injection_model
from intelligence.detect.detection import Detection, Stretches, check
from intelligence.detect.engine import Group, Rule, Text, compiled
from intelligence.detect.exfiltration import image
from intelligence.detect.lexicon import FAMILIES_AT_MOST
from intelligence.detect.sentences import FAMILIES, MARK, NEAR, SENTENCES, Sentence

# What is handed to a family's patterns, in bytes before and behind the words that called for it.
_BEFORE, _BEHIND = 120, 360
_WEAK, _AGREED, _CERTAIN = 0.8, 0.9, 0.95
_MODEL_AT_MOST = 0.85

_QUOTED = compiled(
    r"(?i)(?:example|e\.g\.|such as|\blike\b|phrases?|contains?|containing|says?|saying|commands?|later|attack|injection|jailbreak|detect|flag|block|reject|pattern|string|prompt:)"
    r"[^\n]{0,60}[\"'`“‘«(][^\"'`“”‘’«»\n]{0,20}$"
)
_NEGATED = compiled(
    r"(?i)(?:\bnot|n't|n’t|\bnever|\bcannot|without|avoid|refuse to|detects?|prevents?|blocks?)[ ](?:\w+ ){0,2}$"
)


@dataclass(frozen=True, slots=True)
class _Found:
    start: int  # bytes
    end: int
    type: str
    rule: str
    score: float


def injection(text: Text, deadline: float | None = None) -> list[Detection]:
    """What `text` tries to make a model do, in order. Raises `DeadlineExceeded`."""
    look = text.look
    found: list[_Found] = []
    suspected: list[tuple[int, int, float]] = []
    data = text.data
    for base, piece, words in text.pieces if look is None or look.called or look.model else ():
        check(deadline)
        if not len(words.starts):
            continue
        called = _called(piece, words, deadline) if look is None else look.called
        found += _sentences(base, piece, called)
        if look is None or look.model:
            for start, end, above in injection_model.windows(words, len(data)):
                suspected.append((base + start, base + end, above))
    for hit in marks().hits(text, deadline):
        found.append(_Found(hit.start, hit.end, hit.rule.type, hit.rule.id, hit.rule.score))
    return _graded(text, found, suspected) if found or suspected else []


def _rule(sentence: Sentence) -> tuple[str, float]:
    return f"injection.{sentence.name}", _CERTAIN if sentence.certain else _WEAK


@cache
def marks() -> Group:
    rules = []
    for sentence in SENTENCES:
        if sentence.family == MARK:
            id, score = _rule(sentence)
            rules.append(Rule(id, sentence.type, f"(?i){sentence.regex}", score, _not_quoted))
    beacon = r"[^)\s]{3,200}[?&][A-Za-z_]{1,20}=[\[{<(%$]"
    rules.append(image("injection.image_beacon", "injection", beacon, _CERTAIN, _not_quoted))
    return Group(rules)


@cache
def families() -> tuple[tuple[Any, tuple[tuple[Sentence, Any], ...]], ...]:
    """The compiled patterns of each family: all as one, which mostly says no, and each. Before the one, texts lie end to end:
    where a line ends, one may."""
    made = []
    for wanted in FAMILIES:
        listed = [one for one in SENTENCES if one.family == wanted]
        together = compiled("(?im)" + "|".join(f"(?:{one.regex})" for one in listed), capture=False)
        each = tuple((one, compiled(f"(?i){one.regex}", capture=False)) for one in listed)
        made.append((together, each))
    return tuple(made)


_BEGINS, _COMPLETES, _ALONE = (np.uint64(slot * FAMILIES_AT_MOST) for slot in range(3))


type Called = tuple[int, int, int]
"""(family, start, end): a stretch of bytes in which a family's patterns are to be tried, because one of its first words is
followed by one of its second, and some pattern matches there."""


def called(
    data: bytes,
    words: features.Words,
    numbers: Any,
    of: Any,
    begins: Any,
    ends: Any,
    deadline: float | None,
) -> Iterator[tuple[int, Called]]:
    """With the number of the text, for texts laid end to end in `data`, from `begins` to `ends`. For each of the known words:
    `numbers` that say how far apart they are, and `of` which text it is. Raises `DeadlineExceeded`."""
    tried = [0] * len(FAMILIES)
    patterns = families()
    for text, called_for, start, end in _stretches(words, numbers, of, begins, ends):
        while called_for:
            lowest = called_for & -called_for
            called_for ^= lowest
            family = lowest.bit_length() - 1
            # Stretches of one family overlap; what was tried once is not tried again.
            if end <= tried[family]:
                continue
            begin = max(start, tried[family] - _BEFORE)
            tried[family] = end
            check(deadline)
            if patterns[family][0].search(data, begin, end) is not None:
                yield text, (family, begin, end)


def _stretches(
    words: features.Words, numbers: Any, of: Any, begins: Any, ends: Any
) -> Iterable[tuple[int, int, int, int]]:
    """(text, families as bits, start, end)"""
    which = np.flatnonzero(bits := words.families)
    if not len(which):
        return ()
    bits, told = bits[which], numbers[which]
    opens, completes, calling = ((bits >> slot).astype(np.uint16) for slot in (_BEGINS, _COMPLETES, _ALONE))
    # Only words of the lists are left; how far apart two stand is told by their numbers.
    for ahead in range(1, min(NEAR, len(which) - 1) + 1):
        near = told[ahead:] - told[:-ahead] <= NEAR
        if not near.any():
            break  # those further ahead are further away
        calling[:-ahead] |= opens[:-ahead] & completes[ahead:] * near
    of_all = np.flatnonzero(calling)
    first = which[of_all]
    texts, first = of[first], words.known[first]
    return zip(
        texts.tolist(),
        calling[of_all].tolist(),
        np.maximum(words.starts[first] - _BEFORE, begins[texts]).tolist(),
        np.minimum(words.ends[first] + _BEHIND, ends[texts]).tolist(),
        strict=True,
    )


def _called(data: bytes, words: features.Words, deadline: float | None) -> Iterator[Called]:
    """Of one text."""
    of, begins, ends = np.zeros(len(words.known), np.intp), np.array([0]), np.array([len(data)])
    return (stretch for _, stretch in called(data, words, words.known, of, begins, ends, deadline))


def _sentences(base: int, piece: bytes, called: Iterable[Called]) -> Iterator[_Found]:
    """Matches of the families' patterns. The piece begins at `base`."""
    patterns = families()
    for family, start, end in called:
        for sentence, pattern in patterns[family][1]:
            for match in pattern.finditer(piece, start, end):
                first, last = match.span()
                if _not_quoted(piece, first, last):
                    yield _Found(base + first, base + last, sentence.type, *_rule(sentence))


def _not_quoted(data: bytes, start: int, end: int) -> bool:
    # Code about chat templates has its marks in string literals.
    if data[start : start + 1] in (b"<", b"[") and data[start - 1 : start] in (b'"', b"'", b"`", b"|", b"\\"):
        return False
    before = data[max(0, start - 100) : start]
    return _QUOTED.search(before) is None and _NEGATED.search(before[-24:]) is None


def _graded(text: Text, found: list[_Found], suspected: list[tuple[int, int, float]]) -> list[Detection]:
    """One detection a place and type, the surest. The model's own stands only where no sentence does."""
    detections: list[Detection] = []
    by_model = Stretches((start, end) for start, end, _ in suspected)
    by_sentence = Stretches((one.start, one.end) for one in found)
    for one in found:
        score = one.score
        if score < _AGREED and by_model.touch(one.start, one.end):
            score = _AGREED
        detections.append(Detection("injection", one.type, score, *text.span(one.start, one.end), one.rule))
    for start, end, above in suspected:
        if not by_sentence.touch(start, end):
            score = _WEAK + (_MODEL_AT_MOST - _WEAK) * (1 - exp(-above))
            detections.append(
                Detection("injection", "injection", score, *text.span(start, end), "injection.model")
            )
    detections.sort(key=lambda d: (-d.score, d.start, -d.end))
    kept: list[Detection] = []
    for detection in detections:
        if all(
            detection.type != k.type or detection.end <= k.start or k.end <= detection.start
            for k in kept[-_COMPARED:]
        ):
            kept.append(detection)
    return sorted(kept, key=lambda d: (d.start, d.end))


# How many neighbours a detection is compared with: a text full of attacks must not take quadratic time.
_COMPARED = 64
