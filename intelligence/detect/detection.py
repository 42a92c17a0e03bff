"""What a detector reports, and the deadline that all of them keep.

A deadline is a value of `time.thread_time`: what the thread itself has worked. A detector is bounded by its own work, so the
same text gives the same answer on a machine that is busy with others; time in which the thread was not scheduled, or waited,
does not count, and no bound of this kind can be one on it. A deadline holds only in the thread that took it. The clock has a
resolution of a nanosecond on Linux; asking it is a system call of about a microsecond, so it is asked between windows and
every so many candidates, not for each.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal["secret", "pii", "injection", "exfiltration", "command", "content", "canary"]
KINDS: tuple[Kind, ...] = get_args(Kind)

# From this score on a detection may block: a rule of high precision hit, or two signals that do not know of each other.
CERTAIN = 0.9


@dataclass(frozen=True, slots=True)
class Detection:
    """`start` and `end` are code points of the text scanned. `score` is 0 to 1, see `CERTAIN`. `rule` names what saw
    it."""

    kind: Kind
    type: str
    score: float
    start: int
    end: int
    rule: str


class Stretches:
    """Stretches of a text, joined where they overlap."""

    def __init__(self, stretches: Iterable[tuple[int, int]]) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        for start, end in sorted(stretches):
            if self._ends and start < self._ends[-1]:
                self._ends[-1] = max(self._ends[-1], end)
            else:
                self._starts.append(start)
                self._ends.append(end)

    def touch(self, start: int, end: int) -> bool:
        """Whether one of them has a byte between `start` and `end`."""
        before = bisect_left(self._starts, end)
        return before > 0 and self._ends[before - 1] > start


class DeadlineExceeded(Exception):
    """Scanning took longer than the caller allows. What was found so far is not handed out: half a scan is no scan."""


def check(deadline: float | None) -> None:
    """Raise when `deadline`, a value of this thread's `time.thread_time`, has passed."""
    if deadline is not None and time.thread_time() > deadline:
        raise DeadlineExceeded
