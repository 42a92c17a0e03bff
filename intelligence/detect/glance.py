"""A glance at pieces of a request before they are decoded: most have nothing that anybody looks for.

All their strings lie end to end and are looked over together. A piece is read if there is something in one of its strings, or if
what it names matters for what comes after it: targets, tools.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import numpy as np

from intelligence.detect import canary
from intelligence.detect.one_text import sieve_of
from intelligence.detect.together import Look, look
from intelligence.wire.strings import strings


@dataclass(frozen=True, slots=True)
class Glance:
    """By their numbers, the `pieces` that were looked at. `to_read` are those that have to be decoded, with what was seen of
    their texts: nothing of those not told, and None of one to be looked at anew. `naming` may name targets."""

    pieces: AbstractSet[int]
    to_read: Mapping[int, Mapping[bytes, Look | None]]
    naming: AbstractSet[int]


def glance(
    numbers: Sequence[int],
    pieces: Sequence[Any],
    kinds: frozenset[str],
    tokens: Sequence[str],
    deadline: float | None = None,
) -> Glance | None:
    """At those of these `numbers` among the pieces of a body, as `wire.pieces` cuts it. None where it cannot tell. Raises
    `DeadlineExceeded`."""
    looked_at = [pieces[number] for number in numbers]
    said = strings([piece.raw for piece in looked_at])
    if said is None:
        return None
    looks = look(said.data, said.begins, said.lengths, sieve_of(kinds, 1), kinds, deadline)
    if "canary" in kinds and tokens:
        for place in canary.places(said.data.lower(), tokens):
            # One that goes over a border hides one behind it.
            first, last = (np.searchsorted(said.begins, place, side="right") - 1).tolist()
            looks |= dict.fromkeys(range(first, last + 1))
    calling = said.calling([piece.member.key for piece in looked_at])
    to_read: dict[int, dict[bytes, Look | None]] = {numbers[n]: {} for n in calling}
    naming = set()
    texts = [n for n in looks if n % 2]
    for text, piece in zip(texts, said.within(texts), strict=True):
        one = looks[text]
        if one is None or one.marks:
            naming.add(numbers[piece])
        elif not one.worth_it(kinds):
            continue
        to_read.setdefault(numbers[piece], {})[said[text]] = one
    return Glance(frozenset(numbers), to_read, naming)
