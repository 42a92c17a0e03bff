"""The turns of a session as a drawing: a column for each branch of the conversation, a row for each turn.

A turn that goes on from the last one of a branch stands in its column. One that goes on from an earlier turn begins a branch of
its own, in the first column that is free from there on. Columns beyond `MOST_LANES` are drawn in the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Of each turn its row of cells; all rows are equally long."""
    branches, of_row = _branches(turns)
    _place(branches)
    width = 1 + max((branch.lane for branch in branches), default=0)
    grid = [[[False] * 4 for _ in range(width)] for _ in turns]
    for branch in branches:
        for row in range(branch.begins, branch.last + 1):
            cell = grid[row][branch.lane]
            cell[0] |= row > branch.begins
            cell[1] |= row < branch.last
        if branch.fork is not None:
            start = branches[of_row[branch.fork]].lane
            for lane in range(min(start, branch.lane), max(start, branch.lane) + 1):
                if lane != start:
                    grid[branch.fork][lane][3] = True
    for row, branch_number in enumerate(of_row):
        grid[row][branches[branch_number].lane][2] = True
    return [[Cell(*cell) for cell in row] for row in grid]


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
    free_from: list[int] = []  # of each lane, the first row in which it is free
    for branch in sorted(branches, key=lambda b: (b.begins, b.first)):
        lane = next((n for n, row in enumerate(free_from) if row <= branch.begins), len(free_from))
        if lane == len(free_from):
            free_from.append(0)
        free_from[lane] = branch.last + 1
        branch.lane = min(lane, MOST_LANES - 1)
