"""Where in a text something may stand: the end of each place that the beginning of a pattern matches.

Hyperscan looks for all patterns at once, in time that hardly depends on how many they are. It comes as a binary for
the usual systems; where it cannot be loaded or the processor is not one of its own, RE2 looks for them in groups: put
together, patterns of different kinds make an automaton that never stops growing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import re2

from intelligence.detect.patterns import compiled, options

try:
    import hyperscan
except ImportError:
    hyperscan = None  # type: ignore[assignment]

type Candidates = Callable[[bytes], list[tuple[int, int]]]
"""Of a text: (end, number of the pattern), in order. A place may come more than once."""


def candidates(groups: Sequence[Sequence[str]]) -> tuple[Candidates, bool]:
    """Patterns are numbered through all groups. True if all are found, also those that overlap."""
    by_all = by_hyperscan([one for group in groups for one in group])
    return (by_all, True) if by_all else (by_re2(groups), False)


def by_hyperscan(patterns: Sequence[str]) -> Candidates | None:
    """None where it does not run."""
    if hyperscan is None:
        return None
    database: Any = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[one.encode() for one in patterns],
            ids=list(range(len(patterns))),
            elements=len(patterns),
            flags=[0] * len(patterns),
        )
    except hyperscan.error:
        return None

    def find(data: bytes) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []

        def seen(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            found.append((end, number))

        database.scan(data, match_event_handler=seen)
        found.sort()
        return found

    return find


def by_re2(groups: Sequence[Sequence[str]]) -> Candidates:
    passes = []
    first = 0
    for group in groups:
        if group:
            passes.append(_pass(group, first))
        first += len(group)
    return lambda data: sorted(found for one in passes for found in one(data))


def _pass(patterns: Sequence[str], first: int) -> Candidates:
    where = compiled("|".join(f"(?:{one})" for one in patterns), capture=False, longest=True)
    which = re2.Set.MatchSet(options(capture=True, longest=False))
    for one in patterns:
        which.Add(one.encode())
    which.Compile()

    def find(data: bytes) -> list[tuple[int, int]]:
        found = []
        for match in where.finditer(data):
            start, end = match.span()
            # A slice has its own text borders, so this may name too many, never too few.
            found += [(end, first + number) for number in which.Match(data[start:end]) or ()]
        return found

    return find
