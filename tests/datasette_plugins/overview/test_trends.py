from __future__ import annotations

import sqlite3

import pytest

from datasette_plugins.charts import Chart
from datasette_plugins.overview import content, sums, trends
from datasette_plugins.overview.asked import SPANS, Asked
from tests.datasette_plugins.overview.records import DAY, HOUR, add_call, now_ms


def charts(db: sqlite3.Connection, asked: Asked) -> dict[str, Chart]:
    now = now_ms()
    given = sums.tables(asked.span.width_ms)
    total = sums.folded(sums.by(db, now - asked.span.width_ms, now + DAY, given, ()))[None]
    return {c.id: c for c in trends.charts(trends.read(db, asked, now, given), asked, total)}


@pytest.mark.parametrize("span", SPANS)
def test_what_a_span_adds_up_to_is_exact(db: sqlite3.Connection, span: str) -> None:
    """Also of the step that it begins in."""
    now, width, step = now_ms(), SPANS[span].width_ms, SPANS[span].step_ms
    ages = [
        0,
        step // 2,
        step,
        width // 2,
        width,
        *(width + sign * step * n // 8 for n in range(1, 17) for sign in (1, -1)),
    ]
    # Some way from where the span begins: the calls are given by how long ago they were, a moment before.
    ages = [age for age in ages if (age >= 0 and abs(age - width) > 10_000) or age == 0]
    for n, age in enumerate(ages):
        add_call(db, age_ms=age, client=f"c{n % 3}")
    for by in ("model", "client"):
        asked = Asked(span, by)
        found = content.made(asked, content.read_span(db, asked, now), content.read_besides(db, asked, now))
        assert found.requests == sum(age < width for age in ages) > 3
        assert sum(int(row.requests) for row in found.table) == found.requests


@pytest.mark.parametrize("span", SPANS)
def test_every_span_has_its_steps_and_its_calls(db: sqlite3.Connection, span: str) -> None:
    width = SPANS[span].width_ms
    for part in (0, 0.3, 0.7):
        add_call(db, age_ms=round(width * part), usd=1.0)
    add_call(db, age_ms=2 * width + 8 * DAY)
    found = charts(db, Asked(span))
    for chart in found.values():
        assert 24 <= len(chart.times) <= 200
        assert chart.times[-1] <= now_ms() < chart.times[-1] + SPANS[span].step_ms
        assert all(len(s.values) == len(chart.times) for s in chart.series)
    assert sum(v or 0 for s in found["requests"].series for v in s.values) == 3
    assert sum(v or 0 for s in found["cost"].series for v in s.values) == 3


def test_stacks_have_a_rest_and_name_what_is_unknown(db: sqlite3.Connection) -> None:
    for n in range(9):
        add_call(db, usd=1.0 + n, client=f"c{n}" if n else None)
    cost = charts(db, Asked(by="client"))["cost"]
    assert [s.label for s in cost.series] == ["c8", "c7", "c6", "c5", "c4", "4 others"]
    assert sum(cost.series[-1].values) == 4 + 3 + 2 + 1  # type: ignore[arg-type]
    assert cost.data["series"][-1]["color"] == "c6"
    two = charts(db, Asked(by="client", where=(("client", ""),)))["cost"]
    assert [s.label for s in two.series] == ["unknown client"]


def test_where_only_a_flat_rate_pays_the_chart_says_so(db: sqlite3.Connection) -> None:
    add_call(db, usd=3.0, basis="subscription")
    cost = charts(db, Asked())["cost"]
    assert "flat rate" in cost.title and cost.says == "$3.00"


def test_nothing_measured_is_a_gap(db: sqlite3.Connection) -> None:
    add_call(db, duration_ms=1000.0, ttft_ms=None, age_ms=3 * HOUR)
    found = charts(db, Asked())
    latency = found["duration"].series[0].values
    assert sum(v is not None for v in latency) == 1
    assert found["ttft"].says == "nothing measured"
