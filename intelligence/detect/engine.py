"""Many patterns, one pass, time linear in the text.

RE2 has no backtracking. It is used in two steps: one automaton of all patterns of a group says *where* something
stands, in one pass over the text; what matched is then told apart on that short stretch alone. So a group of a
hundred patterns costs what one costs, some 2 ms per MB, while nothing is found.

Patterns are bytes in Latin-1 mode over the UTF-8 of the text: the automata stay small, and a pattern with accents is
given as its own UTF-8. `Text` leads from bytes back to code points.

Limits. A group goes on after the end of a match, so of two overlapping matches of one group the first is seen. Every
repetition in a pattern has an upper bound: a match that could be as long as the text would be found anew from every
start.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import re2

from intelligence.detect import detection, features

# Bytes looked at between two looks at the clock.
WINDOW = 1 << 16
# Windows overlap by more than the longest match.
OVERLAP = 1 << 12
# The same of the pieces whose words are looked at.
_PIECES_SHARE = 1 << 10
# What follows the mark of a rule that has one in the middle.
_TAIL = 256
_MAX_AUTOMATON_BYTES = 32 << 20


def compiled(pattern: str, *, capture: bool = True, longest: bool = False) -> Any:
    """An RE2 pattern over UTF-8 bytes. With `longest` the longest alternative wins instead of the first."""
    return re2.compile(pattern.encode(), _options(capture=capture, longest=longest))


def _options(*, capture: bool, longest: bool) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.log_errors = False
    options.max_mem = _MAX_AUTOMATON_BYTES
    options.never_capture = not capture
    options.longest_match = longest
    return options


class Text:
    """A text with its UTF-8 bytes. A lone surrogate becomes one `?`, so positions stay true."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.data = text.encode("utf-8", "replace")

    @cached_property
    def lower(self) -> bytes:
        return self.data.lower()

    @cached_property
    def pieces(self) -> list[tuple[int, bytes, features.Words]]:
        """The text in overlapping pieces with their words, and where each begins (bytes)."""
        step = features.PIECE - _PIECES_SHARE
        begins = range(0, max(len(self.data) - _PIECES_SHARE, 1), step)
        cut = ((begin, self.data[begin : begin + features.PIECE]) for begin in begins)
        return [(begin, piece, features.words(piece)) for begin, piece in cut]

    @cached_property
    def _points(self) -> Any:
        """How many code points begin before each byte."""
        begins = (np.frombuffer(self.data, np.uint8) & 0xC0) != 0x80
        return np.concatenate(([0], np.cumsum(begins, dtype=np.int32)))

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Code points of a stretch of bytes; a character cut in the middle belongs to it."""
        if len(self.data) == len(self.text):
            return start, end
        first = int(self._points[start])
        if start < len(self.data) and self.data[start] & 0xC0 == 0x80:
            first -= 1
        return first, int(self._points[end])


@dataclass(frozen=True, slots=True)
class Rule:
    """A pattern. Its first group, if it has one, is what is reported, else the whole match.

    A pattern that begins with any letters and has its mark in the middle (`....8Q~...`) would keep an automaton busy
    at every byte: such a rule names the mark alone, and `whole` is searched from `before` bytes ahead of it. `accept`
    sees what would be reported, (data, start, end), and has the last word.
    """

    id: str
    type: str
    regex: str
    score: float = detection.CERTAIN
    accept: Callable[[bytes, int, int], bool] | None = None
    whole: str = ""
    before: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    rule: Rule
    start: int  # bytes
    end: int
    match_start: int
    match_end: int


_REPEAT = re2.compile(r"\{([0-9]+)(?:,([0-9]+))?\}[?]?")
_LONG = 16
_ENOUGH = 6
# A shorter beginning stands everywhere, or is empty.
_TELLING = 3


def beginning(regex: str) -> str:
    """The pattern up to its first long repetition: every match of `regex` begins with a match of it.

    A repetition of 200 letters is 200 states, times all that may stand at the same place; the few before it tell just
    as well where to look. Of one that must come at least six times, six are kept.
    """
    opened: list[int] = []
    atom = position = 0  # what a repetition at `position` would repeat begins at `atom`
    while position < len(regex):
        letter = regex[position]
        if letter == "{" and (repeat := _REPEAT.match(regex[position:])):
            least = int(repeat[1])
            if max(least, int(repeat[2] or 0)) >= _LONG:
                # Inside brackets alternatives would get lost: back to before the outermost.
                kept = regex[:position] + f"{{{_ENOUGH}}}" if least >= _ENOUGH else regex[:atom]
                cut = regex[: opened[0]] if opened else kept
                return cut if len(cut.removeprefix("(?i)").removeprefix("(?m)")) >= _TELLING else regex
            position += repeat.end()
            continue
        if letter == "(":
            opened.append(position)
        elif letter == ")":
            atom = opened.pop()
        elif letter not in "?*+|":
            atom = position
        if letter == "[":
            position = _class_end(regex, position)
        else:
            position += 2 if letter == "\\" else 1
    return regex


def _class_end(regex: str, start: int) -> int:
    position = start + 2
    while regex[position] != "]" or regex[position - 1] == "\\":
        position += 1
    return position + 1


class Group:
    """Rules found in one pass."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        begins = [beginning(r.regex) for r in rules]
        self._where = compiled("|".join(f"(?:{b})" for b in begins), capture=False, longest=True)
        self._each = [compiled(r.whole or r.regex) for r in rules]
        self._which = re2.Set.MatchSet(_options(capture=True, longest=False))
        for begin in begins:
            self._which.Add(begin.encode())
        self._which.Compile()

    def find(self, data: bytes, deadline: float | None = None) -> Iterator[Hit]:
        """Hits in order of their place. Raises `DeadlineExceeded`."""
        done = 0
        for start, end in spans(self._where, data, deadline):
            if start < done:
                continue
            # A slice has its own text borders, so this may name too many rules, never too few.
            for index in self._which.Match(data[start:end]) or ():
                rule = self.rules[index]
                each = self._each[index]
                match = (
                    _around(each, data, start, end, rule.before) if rule.whole else each.match(data, start)
                )
                if match is None:
                    continue
                first, last = match.span(1) if match.re.groups and match.span(1)[0] >= 0 else match.span()
                if rule.accept is None or rule.accept(data, first, last):
                    done = match.end()
                    yield Hit(rule, first, last, *match.span())


def _around(each: Any, data: bytes, start: int, end: int, before: int) -> Any:
    """The match that holds the mark at `start`."""
    stretch = each.finditer(data, max(0, start - before), min(len(data), end + _TAIL))
    return next((m for m in stretch if m.end() > start), None)


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
