from __future__ import annotations

from datasette_plugins.charts import COLORS, Chart, Series

HOUR = 3_600_000
TIMES = [1_790_000_000_000 // HOUR * HOUR + n * HOUR for n in range(3)]


def chart(**more: object) -> Chart:
    cost = Series("Cost", [0.5, None, 1234], "money")
    return Chart(
        **{"id": "c", "title": "C", "says": "", "kind": "line", "times": TIMES, "series": [cost]} | more
    )  # type: ignore[arg-type]


def test_the_table_says_what_the_chart_shows() -> None:
    rows = chart().rows()
    assert [row[1] for row in rows] == ["$0.5000", "–", "$1,234.00"]
    assert ":" in rows[0][0]


def test_days_have_no_clock_and_turns_are_counted() -> None:
    days = chart(times=[TIMES[0], TIMES[0] + 24 * HOUR, TIMES[0] + 48 * HOUR])
    assert ":" not in days.rows()[0][0]
    assert [row[0] for row in chart(times=[1, 2, 3], x="turn").rows()] == ["1", "2", "3"]


def test_colours_are_named_and_come_in_a_row() -> None:
    many = chart(series=[Series(str(n), [1, 2, 3]) for n in range(COLORS + 1)])
    given = [s["color"] for s in many.data["series"]]
    assert given[:2] == ["c1", "c2"] and given[COLORS] == "c1"
    assert chart(series=[Series("E", [1], color="bad")]).data["series"][0]["color"] == "bad"
