from __future__ import annotations

from dataclasses import replace

from datasette_plugins import session_charts
from tests.datasette_plugins.test_lanes import turn


def test_each_turn_is_a_point() -> None:
    turns = [
        replace(turn(1, None), cost_usd=0.5, context=(100, 0, 0, 0, 20, 0)),
        replace(turn(2, 1), cost_usd=None, context=None),
        replace(turn(3, 2), cost_usd=1.5, context=(100, 0, 60, 40, 20, 0)),
    ]
    costs, contexts = session_charts.charts(turns)
    assert costs.x == contexts.x == "turn" and list(costs.times) == [1, 2, 3]
    assert costs.series[0].values == [0.5, None, 1.5]  # unknown is no zero
    assert "turn 3, with $1.50" in costs.says
    assert [(s.label, s.values) for s in contexts.series] == [
        ("System prompt", [100, None, 100]),
        ("History", [0, None, 60]),
        ("Tool results", [0, None, 40]),
        ("New", [20, None, 20]),
    ]
    assert "From 120 to 220 tokens, 220 at most." in contexts.says


def test_many_turns_share_a_point() -> None:
    turns = [replace(turn(n, None), cost_usd=1.0, context=(n, 0, 0, 0, 0, 0)) for n in range(1, 1001)]
    costs, contexts = session_charts.charts(turns)
    assert len(costs.times) <= session_charts.MOST_POINTS
    assert sum(value or 0 for value in costs.series[0].values) == 1000
    assert contexts.series[0].values[-1] == 1000
    assert "A point is 6 turns." in costs.says


def test_nothing_to_draw() -> None:
    assert session_charts.charts([]) == []
    assert session_charts.charts([replace(turn(1, None), cost_usd=1.0)]) == []
    assert session_charts.charts([turn(1, None), turn(2, 1)]) == []
