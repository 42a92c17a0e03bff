"""Many patterns, one pass, time linear in the text.

Nothing here backtracks. A pattern is used in two steps: its *beginning* (`beginning`) says where something may stand,
and what stands there is told on that short stretch alone. The beginnings of all groups of a `Sieve` are looked for at
once by Hyperscan, 200 KB in less than half a millisecond; where there is no Hyperscan for a machine, each group has an RE2
automaton of its own, which takes some ten times as long and finds the same. Stretches are RE2's in any case.

Patterns are bytes in Latin-1 mode over the UTF-8 of the text: the automata stay small, and a pattern with accents is
given as its own UTF-8. `Text` leads from bytes back to code points.

Limits. A group goes on after the end of a match, so of two overlapping matches of one group the first is seen. Every
repetition in a pattern has an upper bound: a match that could be as long as the text would be found anew from every
start. Patterns keep to what both engines read alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from intelligence.detect import detection, features, lexicon
from intelligence.detect.candidates import candidates
from intelligence.detect.patterns import beginning, compiled

if TYPE_CHECKING:
    from intelligence.detect.together import Look

__all__ = ["BETWEEN_LOOKS", "Group", "Hit", "Rule", "Sieve", "Text", "compiled", "spans"]

# Bytes looked at between two looks at the clock.
WINDOW = 1 << 16
# Windows overlap by more than the longest match.
OVERLAP = 1 << 12
# The same of the pieces whose words are looked at.
_PIECES_SHARE = 1 << 10
# The longest beginning.
_BEGIN_AT_MOST = 192
# Bytes whose code points are counted together.
_STRETCH = 1 << 12
# Candidates between two looks at the clock.
BETWEEN_LOOKS = 512
# The longest mark of a rule that has one in the middle.
_MARK_AT_MOST = 40


class Text:
    """A text with its UTF-8 bytes. A lone surrogate becomes one `?`, so positions stay true."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = text.encode("utf-8", "replace")
        # What groups of rules have found in it.
        self.sifted: dict[Group, list[Hit]] = {}
        # What was seen of it together with others.
        self.look: Look | None = None

    @cached_property
    def lower(self) -> bytes:
        return self.data.lower()

    @cached_property
    def pieces(self) -> list[tuple[int, bytes, features.Words]]:
        """The text in overlapping pieces with their words, and where each begins (bytes)."""
        if self.look is not None:
            return [(0, self.data, self.look.words)]
        step = features.PIECE - _PIECES_SHARE
        begins = range(0, max(len(self.data) - _PIECES_SHARE, 1), step)
        cut = ((begin, self.data[begin : begin + features.PIECE]) for begin in begins)
        return [(begin, piece, lexicon.words(piece)) for begin, piece in cut]

    @cached_property
    def _begins(self) -> Any:
        """Which bytes begin a code point."""
        return np.frombuffer(self.data, np.int8) >= -64

    @cached_property
    def _points(self) -> Any:
        """How many code points begin before each stretch of `_STRETCH` bytes."""
        counts = np.add.reduceat(self._begins, np.arange(0, len(self.data), _STRETCH), dtype=np.int64)
        return np.concatenate(([0], np.cumsum(counts)))

    def _before(self, byte: int) -> int:
        stretch = byte // _STRETCH
        return int(self._points[stretch]) + int(np.count_nonzero(self._begins[stretch * _STRETCH : byte]))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Code points of a stretch of bytes; a character cut in the middle belongs to it."""
        if len(self.data) == len(self.text):
            return start, end
        first = self._before(start)
        if start < len(self.data) and not self._begins[start]:
            first -= 1
        return first, self._before(end)


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern. Its first group, if it has one, is what is reported, else the whole match.

    A pattern that begins with any letters and has its mark in the middle (`....8Q~...`) would keep an automaton busy
    at every byte: such a rule names the mark alone, and `whole` is searched from `before` bytes ahead of it to
    `behind` bytes behind, if what is `near` stands ahead. `begin` is given where what `beginning` tells stands too
    often, or where Hyperscan, for that one pattern, would take a slower automaton for all. `accept` sees what would be
    reported, (data, start, end), and has the last word.
    """

    id: str
    type: str
    regex: str
    score: float = detection.CERTAIN
    accept: Callable[[bytes, int, int], bool] | None = None
    whole: str = ""
    before: int = 0
    behind: int = 256
    near: bytes = b""
    begin: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    rule: Rule
    start: int  # bytes
    end: int
    match_start: int
    match_end: int


class Group:
    """Rules of one detector, found in one pass."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)

    @cached_property
    def _alone(self) -> Sieve:
        return Sieve((self,))

    def hits(self, text: Text, deadline: float | None = None) -> list[Hit]:
        """Hits in order of their place: those of a sieve that went over the text before, or of a pass of its own.
        Raises `DeadlineExceeded`."""
        if self not in text.sifted:
            self._alone.sift(text, deadline)
        return text.sifted[self]


class Sieve:
    """Groups found together, in one pass for all of them. Each group sees its own hits as if it were alone. The numbers of
    candidates that are only `marks` are from `size`."""

    def __init__(self, groups: Sequence[Group], marks: Sequence[str] = ()) -> None:
        self.groups = tuple(groups)
        rules = [(group, rule) for group in groups for rule in group.rules]
        self._looked = [_Looked.of(index, group, rule) for index, (group, rule) in enumerate(rules)]
        self.candidates, self.overlapping = candidates(
            [*([one.begin for one in self._looked if one.group is group] for group in groups), marks]
        )
        self.size = len(self._looked)

    def sift(
        self, text: Text, deadline: float | None = None, known: list[tuple[int, int]] | None = None
    ) -> None:
        """Fill `text.sifted` for each of the groups. `known` are candidates that this sieve has found, or one that begins with
        the same groups. Raises `DeadlineExceeded`."""
        data = text.data
        hits: dict[Group, list[Hit]] = {group: [] for group in self.groups}
        done = dict.fromkeys(self.groups, 0)
        tried = [0] * len(self._looked)
        for base in range(0, max(len(data), 1), WINDOW):
            detection.check(deadline)
            seen = self.candidates(data[base : base + WINDOW + OVERLAP]) if known is None else known
            for number, (to, index) in enumerate(seen, 1):
                if not number % BETWEEN_LOOKS:
                    detection.check(deadline)
                if index >= self.size:
                    continue
                one = self._looked[index]
                end = base + to
                if end <= done[one.group]:
                    continue
                for match in one.matches(data, end, done[one.group], tried):
                    hit = one.accepted(data, match)
                    if hit is not None:
                        done[one.group] = hit.match_end
                        hits[one.group].append(hit)
                        break
        text.sifted.update(hits)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A rule of a group with its patterns."""

    index: int
    group: Group
    rule: Rule
    begin: str
    where: Any
    each: Any
    grouped: bool

    @classmethod
    def of(cls, index: int, group: Group, rule: Rule) -> _Looked:
        begin = beginning(rule.regex)
        where = compiled(begin, capture=False)
        each = compiled(rule.whole or rule.regex)
        return cls(index, group, rule, rule.begin or begin, where, each, each.groups > 0)

    def matches(self, data: bytes, end: int, since: int, tried: list[int]) -> Iterator[Any]:
        """Matches whose beginning, or whose mark, ends at `end`. What is `tried` up to some place is not tried again."""
        if self.rule.whole:
            yield from self._around(data, end, since)
            return
        # What is known is where a beginning ends, not where it begins.
        for begin in self.where.finditer(data, max(since, end - _BEGIN_AT_MOST, tried[self.index]), end):
            tried[self.index] = begin.start() + 1
            match = self.each.match(data, begin.start())
            if match is not None:
                yield match

    def _around(self, data: bytes, end: int, since: int) -> Iterator[Any]:
        first = max(since, end - self.rule.before - _MARK_AT_MOST)
        if self.rule.near and data.find(self.rule.near, first, end) < 0:
            return
        for match in self.each.finditer(data, first, min(len(data), end + self.rule.behind)):
            if match.end() >= end:
                if match.start() < end:
                    yield match
                return

    def accepted(self, data: bytes, match: Any) -> Hit | None:
        first, last = match.span(1) if self.grouped and match.span(1)[0] >= 0 else match.span()
        if self.rule.accept is not None and not self.rule.accept(data, first, last):
            return None
        return Hit(self.rule, first, last, *match.span())


def spans(pattern: Any, data: bytes, deadline: float | None = None) -> Iterator[tuple[int, int]]:
    """Where `pattern` stands, by windows, with a look at the clock before each."""
    position = 0
    for base in range(0, max(len(data), 1), WINDOW):
        detection.check(deadline)
        limit = min(len(data), base + WINDOW)
        reach = min(len(data), limit + OVERLAP)
        for match in pattern.finditer(data, max(base, position), reach):
            start, end = match.span()
            if start >= limit and reach < len(data):
                break
            position = end
            yield start, end
