"""The slowest queries since the dashboard started: kept in memory, a few of them, one of each text.

Values never are: parameters are not looked at, and literals in SQL that a person typed are left out. Times include the wait for
a free connection, as the reader of the page felt it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

KEPT = 12
LONGEST = 600
FROM_MS = 20.0

_LITERAL = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"(?=\s*(?:[,)]|$))|\b\d{5,}\b")


@dataclass(frozen=True)
class Slow:
    sql: str
    worst_ms: float
    times: int  # it took `FROM_MS` or longer
    at_ms: int  # when it was worst


class SlowQueries:
    def __init__(self) -> None:
        self._kept: dict[str, Slow] = {}

    @contextmanager
    def timed(self, sql: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.took(sql, (time.perf_counter() - began) * 1000)

    def took(self, sql: str, ms: float) -> None:
        if ms < FROM_MS:
            return
        text = " ".join(_LITERAL.sub("'…'", sql).split())[:LONGEST]
        now = time.time_ns() // 1_000_000
        known = self._kept.get(text)
        if known and known.worst_ms >= ms:
            self._kept[text] = Slow(text, known.worst_ms, known.times + 1, known.at_ms)
        else:
            self._kept[text] = Slow(text, ms, known.times + 1 if known else 1, now)
        if len(self._kept) > KEPT:
            del self._kept[min(self._kept, key=lambda t: self._kept[t].worst_ms)]

    def worst(self) -> list[Slow]:
        return sorted(self._kept.values(), key=lambda s: -s.worst_ms)
