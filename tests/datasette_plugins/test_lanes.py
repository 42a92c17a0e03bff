from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from datasette_plugins.lanes import MOST_LANES, layout
from datasette_plugins.session_record import Turn


def turn(seq: int, parent: int | None, link: str = "continue") -> Turn:
    return Turn(seq, seq, f"id-{seq}", link, parent, "complete", seq, None, *[None] * 8)


def drawn(*turns: Turn) -> list[str]:
    """A character a cell: `o` a turn, `|` a line, `+` where a branch leaves, `.` nothing."""
    rows = []
    for cells in layout(turns):
        rows.append("".join("o" if c.dot else "+" if c.across else "|" if c.above else "." for c in cells))
    return rows


def test_a_conversation_is_one_line() -> None:
    cells = layout([turn(1, None, "start"), turn(2, 1), turn(3, 2)])
    assert [(c.above, c.below, c.dot) for (c,) in cells] == [
        (False, True, True),
        (True, True, True),
        (True, False, True),
    ]


def test_an_edit_leaves_the_turn_it_goes_on_from() -> None:
    assert drawn(turn(1, None, "start"), turn(2, 1), turn(3, 2), turn(4, 1, "edit"), turn(5, 4)) == [
        "o+",
        "o|",
        "o|",
        ".o",
        ".o",
    ]


def test_a_retry_stays_in_its_line_and_a_free_lane_is_taken_again() -> None:
    turns = [turn(1, None, "start"), turn(2, 1), turn(3, 2, "retry"), turn(4, 2, "edit"), turn(5, 3)]
    assert drawn(*turns) == ["o.", "o+", "o|", "|o", "o."]
    assert drawn(*turns, turn(6, 3, "edit")) == ["o..", "o+.", "o++", "|o|", "o.|", "..o"]


def test_a_sub_agent_always_branches() -> None:
    assert drawn(turn(1, None, "start"), turn(2, 1, "subagent"), turn(3, 1)) == ["o+", "|o", "o."]


def test_a_turn_whose_parent_is_not_there_begins_a_line() -> None:
    assert drawn(turn(5, 2), turn(6, 5), turn(7, 3)) == ["o", "o", "o"]
    assert layout([]) == []


def test_thousands_of_branches_from_one_turn() -> None:
    turns = [turn(1, None, "start"), *(turn(n, 1, "edit") for n in range(2, 5_001))]
    grid = layout(turns)
    assert len(grid) == 5_000 and len(grid[0]) == MOST_LANES
    assert [cell.dot for cell in grid[-1]].index(True) == MOST_LANES - 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["continue", "edit", "subagent"])), max_size=40)
)
def test_every_turn_is_drawn_once_and_lines_meet(shape: list[tuple[int, str]]) -> None:
    turns = [turn(n, back or None, link) for n, (back, link) in enumerate(shape, 1) if back < n]
    grid = layout(turns)
    assert len(grid) == len(turns)
    for row in grid:
        assert sum(cell.dot for cell in row) == 1
        assert len(row) == len(grid[0]) <= MOST_LANES
    for above, below in pairwise(grid):
        assert [c.below for c in above] == [c.above for c in below]
