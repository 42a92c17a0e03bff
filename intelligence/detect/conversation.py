"""What the order of a conversation's parts shows and no part by itself: a call that serves what a result brought in, a secret
that a later call carries on.

`Order` is told of one part after the other. `Known` is what is kept of a piece: no text, only hashes, and the names of the tools
it calls. Where nothing was found it is all that is needed to pass over the piece.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from intelligence.detect.detection import Detection
from intelligence.detect.exfiltration import carried
from intelligence.detect.provenance import served, targets

_ASKS = ("user", "system", "tool_definition")
_FOLLOWED = frozenset({"exfiltration", "secret"})
# Of a conversation, so many secrets are looked for in later tool calls.
_SECRETS_FOLLOWED = 64
# What names more is read again each time.
_MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class Known:
    """Of a piece that was looked at for `kinds`: whether some was `found`; `calls` and `aims`: it has tool calls, and these name
    targets. `asked` and `brought` are targets too, `names` tools by call id."""

    kinds: frozenset[str]
    found: bool
    calls: bool
    aims: bool
    asked: frozenset[int]
    brought: frozenset[int]
    names: Mapping[str, str]

    def and_(self, before: Known | None) -> Known:
        """What is known of it, and what was known `before`, of other kinds."""
        if before is None:
            return self
        return Known(
            self.kinds | before.kinds,
            self.found or before.found,
            self.calls,
            self.aims or before.aims,
            self.asked | before.asked,
            self.brought | before.brought,
            self.names,
        )

    @property
    def small(self) -> bool:
        held = len(self.asked) + len(self.brought) + sum(len(i) + len(n) for i, n in self.names.items()) // 64
        return held <= _MOST_KEPT


class Order:
    """The order of one request's parts, as far as it is read. `kinds` are those that are looked for. Raises
    `DeadlineExceeded`."""

    def __init__(self, kinds: frozenset[str], deadline: float | None = None) -> None:
        self._deadline = deadline
        self._origins = "injection" in kinds
        self._follows = kinds >= _FOLLOWED
        self._asked: set[int] = set()
        self._brought: dict[int, bool] = {}
        self._secrets: list[str] = []

    def passes(self, known: Known) -> bool:
        """Whether nothing can be found there, after what came before."""
        return not (known.calls and self._secrets) and not (known.aims and self._origins and self._brought)

    def passed(self, known: Known) -> None:
        if known.asked:
            self._asked |= known.asked
        for target in known.brought:
            self._brought.setdefault(target, False)

    def part(self, place: Any, found: Iterable[Detection], named: frozenset[int]) -> list[Detection]:
        """What the part's place in the order shows. `found` in it by itself; the targets it `named`, as `named` tells."""
        if place.source == "tool_call":
            more = []
            if not self._asked.issuperset(named) and not self._brought.keys().isdisjoint(named):
                more += served(place, self._asked, self._brought, self._deadline)
            if self._secrets:
                more += carried(self._secrets[-_SECRETS_FOLLOWED:], place.text)
            return more
        if self._follows:
            self._secrets += [place.text[d.start : d.end] for d in found if d.kind == "secret"]
        if place.source == "tool_result" and named:
            injected = any(d.kind == "injection" for d in found)
            for target in named:
                self._brought[target] = self._brought.get(target, False) or injected
        elif place.source in _ASKS:
            self._asked |= named
        return []

    def named(self, places: Sequence[Any], *, any_marks: bool = True) -> list[frozenset[int]]:
        """The targets of each part, as far as they matter. `any_marks`: whether some part may name one."""
        if not (self._origins and any_marks):
            return [_NONE] * len(places)
        texts = [place.text if place.source in _ORIGINS else "" for place in places]
        return targets(texts, self._deadline)


_ORIGINS = frozenset({*_ASKS, "tool_result", "tool_call"})
_NONE: frozenset[int] = frozenset()


def known(
    kinds: frozenset[str],
    places: Sequence[Any],
    named: Sequence[frozenset[int]],
    names: Mapping[str, str],
    *,
    found: bool,
) -> Known:
    """Of a piece that was read."""
    calls = any(place.source == "tool_call" for place in places)
    if not (found or calls or names or any(named)):
        return plain(kinds)
    asked, brought, aims = set[int](), set[int](), False
    for place, targets_ in zip(places, named, strict=True):
        if place.source == "tool_call":
            aims = aims or bool(targets_)
        else:
            (brought if place.source == "tool_result" else asked).update(targets_)
    return Known(kinds, found, calls, aims, frozenset(asked), frozenset(brought), names)


@cache
def plain(kinds: frozenset[str]) -> Known:
    """As most are."""
    return Known(kinds, False, False, False, _NONE, _NONE, {})
