"""What the turns of a session cost, and how its context grew, as charts over the turns.

A long session has more turns than a chart has room for: then a point stands for several, their cost added up, their context that
of the fullest.
"""

from __future__ import annotations

from collections.abc import Sequence

from datasette_plugins import units
from datasette_plugins.charts import Chart, Series
from datasette_plugins.session_record import CONTEXT, Turn

MOST_POINTS = 180


def charts(turns: Sequence[Turn]) -> list[Chart]:
    """None for less than two turns, and none of what nobody knows."""
    if len(turns) < 2:
        return []
    step = -(-len(turns) // MOST_POINTS)
    groups = [turns[at : at + step] for at in range(0, len(turns), step)]
    numbers = [group[0].number for group in groups]
    each = "" if step == 1 else f" A point is {step} turns."
    made = []
    if any(turn.cost_usd is not None for turn in turns):
        made.append(_costs(turns, groups, numbers, each))
    if any(turn.context for turn in turns):
        made.append(_contexts(groups, numbers, each))
    return made


def _costs(turns: Sequence[Turn], groups: Sequence[Sequence[Turn]], numbers: list[int], each: str) -> Chart:
    known = [turn for turn in turns if turn.cost_usd is not None]
    dearest = max(known, key=lambda turn: turn.cost_usd or 0)
    values = [_sum([turn.cost_usd for turn in group]) for group in groups]
    return Chart(
        "cost-by-turn",
        "Cost by turn",
        f"The dearest is turn {dearest.number}, with {units.money(dearest.cost_usd)}.{each}",
        "bars",
        numbers,
        [Series("Cost", values, "money")],
        x="turn",
    )


def _contexts(groups: Sequence[Sequence[Turn]], numbers: list[int], each: str) -> Chart:
    fullest = [
        max((turn.context for turn in group if turn.context), key=sum, default=None) for group in groups
    ]
    totals = [sum(one) for one in fullest if one]
    series = [
        Series(name, [None if one is None else one[n] for one in fullest], "compact")
        for n, (name, _) in enumerate(CONTEXT)
        if any(one and one[n] for one in fullest)
    ]
    return Chart(
        "context-by-turn",
        "What fills the context",
        f"From {units.compact(totals[0])} to {units.compact(totals[-1])} tokens, {units.compact(max(totals))} at most.{each}",
        "stacked",
        numbers,
        series,
        x="turn",
    )


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
