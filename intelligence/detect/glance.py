"""A glance at pieces of a request before they are decoded: most have nothing that anybody looks for.

All their strings lie end to end and are looked over together. A piece is read if there is something in one of its strings, or if
what it names matters for what comes after it: targets, tools.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from intelligence.detect import canary
from intelligence.detect.one_text import sieve_of
from intelligence.detect.together import NOTHING, Look, look
from intelligence.wire.strings import Strings, strings


@dataclass(frozen=True, slots=True)
class Glance:
    """`to_read` are the pieces that have to be decoded; some of them may name targets."""

    to_read: frozenset[int]
    naming: frozenset[int]
    _strings: Strings
    _looks: Mapping[int, Look | None]

    def looks(self, piece: int) -> dict[bytes, Look | None]:
        """What was seen of each string in it; None for one to be looked at anew. A text made of several is not among them."""
        said = self._strings
        return {
            said.data[said.begins[n] : said.begins[n] + said.lengths[n]]: self._looks.get(n, NOTHING)
            for n in range(said.pieces[piece] + 1, said.pieces[piece + 1], 2)
        }


def glance(
    pieces: Sequence[Any], kinds: frozenset[str], tokens: Sequence[str], deadline: float | None = None
) -> Glance | None:
    """At pieces of a body, as `wire.pieces` cuts it. None where it cannot tell. Raises `DeadlineExceeded`."""
    said = strings([piece.raw for piece in pieces])
    if said is None:
        return None
    looks = look(said.data, said.begins, said.lengths, sieve_of(kinds, 1), kinds, deadline)
    naming = {n for n, one in looks.items() if one is None or one.marks}
    segments = naming | {n for n, one in looks.items() if one is None or one.worth_it(kinds)}
    if "canary" in kinds and tokens:
        begins = said.begins.tolist()
        for start, _ in canary.places(said.data.lower(), tokens):
            segments.add(number := bisect_right(begins, start) - 1)
            looks[number] = None

    def of_strings(numbers: set[int]) -> frozenset[int]:
        return frozenset(said.piece(n) for n in numbers if n % 2)

    return Glance(
        of_strings(segments) | said.calling(piece.member.key for piece in pieces),
        of_strings(naming),
        said,
        looks,
    )
