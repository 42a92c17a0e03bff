"""The turns of a session as a drawing: a column for each branch of the conversation, a row for each turn.

A turn that goes on from the last one of a branch stands in its column. One that goes on from an earlier turn begins a branch of
its own, in the first column that is free from there on. Columns beyond `MOST_LANES` are drawn in the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from datasette_plugins.session_record import Turn

MOST_LANES = 6


@dataclass(frozen=True, slots=True)
class Cell:
    """What is drawn in a column of a row: the line from above, the line to below, the turn itself, and a line across, to the
    columns where branches begin."""

    above: bool = False
    below: bool = False
    dot: bool = False
    across: bool = False


@dataclass(slots=True)
class _Branch:
    fork: int | None  # row of the turn it leaves from
    first: int
    last: int
    lane: int = 0

    @property
    def begins(self) -> int:
        return self.first if self.fork is None else self.fork


def layout(turns: Sequence[Turn]) -> list[list[Cell]]:
    """Of each turn its row of cells; all rows are equally long. Takes time in proportion to the turns, however they fork."""
    branches, of_row = _branches(turns)
    _place(branches)
    width = 1 + max((branch.lane for branch in branches), default=0)
    # How many branches go on below a row, in each lane: told by where they begin and end, as many may share a lane.
    changes = [[0] * (len(turns) + 1) for _ in range(width)]
    across: dict[int, set[int]] = {}
    for branch in branches:
        changes[branch.lane][branch.begins] += 1
        changes[branch.lane][branch.last] -= 1
        if branch.fork is not None:
            start = branches[of_row[branch.fork]].lane
            between = range(min(start, branch.lane), max(start, branch.lane) + 1)
            across.setdefault(branch.fork, set()).update(lane for lane in between if lane != start)
    rows = []
    above = [0] * width
    for row, number in enumerate(of_row):
        below = [above[lane] + changes[lane][row] for lane in range(width)]
        dot, crossed = branches[number].lane, across.get(row, ())
        rows.append(
            [Cell(above[lane] > 0, below[lane] > 0, lane == dot, lane in crossed) for lane in range(width)]
        )
        above = below
    return rows


def _branches(turns: Sequence[Turn]) -> tuple[list[_Branch], list[int]]:
    """The branches, and for each row the number of its own."""
    branches: list[_Branch] = []
    of_row: list[int] = []
    rows: dict[int, int] = {}
    for row, turn in enumerate(turns):
        parent = rows.get(turn.parent) if turn.parent is not None else None
        goes_on = parent is not None and turn.link != "subagent" and branches[of_row[parent]].last == parent
        if parent is not None and goes_on:
            of_row.append(of_row[parent])
            branches[of_row[parent]].last = row
        else:
            of_row.append(len(branches))
            branches.append(_Branch(parent, row, row))
        rows[turn.seq] = row
    return branches, of_row


def _place(branches: Sequence[_Branch]) -> None:
    """Each in the first lane in which nothing is drawn while it lasts."""
    free: list[int] = []
    taken: list[tuple[int, int]] = []  # until which row, lane
    lanes = 0
    for branch in sorted(branches, key=lambda b: (b.begins, b.first)):
        while taken and taken[0][0] < branch.begins:
            heappush(free, heappop(taken)[1])
        if not free:
            heappush(free, lanes)
            lanes += 1
        lane = heappop(free)
        heappush(taken, (branch.last, lane))
        branch.lane = min(lane, MOST_LANES - 1)
