"""Patterns for RE2, and what each begins with.

Patterns are bytes in Latin-1 mode over the UTF-8 of a text: the automata stay small, and a pattern with accents is
given as its own UTF-8.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import re2

_MAX_AUTOMATON_BYTES = 32 << 20


@cache
def compiled(pattern: str, *, capture: bool = True, longest: bool = False) -> Any:
    """An RE2 pattern over UTF-8 bytes. With `longest` the longest alternative wins instead of the first."""
    return re2.compile(pattern.encode(), options(capture=capture, longest=longest))


def options(*, capture: bool, longest: bool) -> Any:
    made = re2.Options()
    made.encoding = re2.Options.Encoding.LATIN1
    made.log_errors = False
    made.max_mem = _MAX_AUTOMATON_BYTES
    made.never_capture = not capture
    made.longest_match = longest
    return made


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
