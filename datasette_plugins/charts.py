"""Charts over time: what `static/chart.js` draws, and the table that says the same without it.

A `Chart` goes to the macro `chart` of llmitm_chart.html. Values are numbers or None (unknown, or nothing there to measure);
`unit` names a function of `units`, which the browser has by the same name (static/units.js).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from datasette_plugins import units

COLORS = 6  # the variables --c1 ... --c6 of the stylesheet; the last is grey, for what is left
DAY_MS = 86_400_000
type Unit = Literal["count", "compact", "money", "duration", "percent"]
SHOWN: dict[Unit, Callable[[float | None], str]] = {
    "count": units.count,
    "compact": units.compact,
    "money": units.money,
    "duration": units.duration,
    "percent": units.percent,
}


@dataclass(frozen=True)
class Series:
    """`color` names a colour of the stylesheet; None: the next of its row of colours."""

    label: str
    values: Sequence[float | None]
    unit: Unit = "count"
    color: str | None = None


@dataclass(frozen=True)
class Chart:
    """`says` is the chart in a sentence. `times` are Unix ms, evenly spaced, and if
    they are days or longer they begin at midnight UTC; with `x` they count what it names ("turn")."""

    id: str
    title: str
    says: str
    kind: Literal["line", "bars", "stacked"]
    times: Sequence[int]
    series: Sequence[Series]
    x: str | None = None

    @property
    def data(self) -> dict[str, Any]:
        """For `chart.js`."""
        shown = [
            {"label": s.label, "values": list(s.values), "unit": s.unit, "color": self.color(n)}
            for n, s in enumerate(self.series)
        ]
        return {"kind": self.kind, "x": self.x, "times": list(self.times), "series": shown}

    def color(self, n: int) -> str:
        return self.series[n].color or f"c{n % COLORS + 1}"

    def rows(self) -> list[list[str]]:
        """Of the table: when, then each series; what nobody knows is an en dash."""
        days = len(self.times) > 1 and self.times[1] - self.times[0] >= DAY_MS
        rows = []
        for i, time in enumerate(self.times):
            when = str(time) if self.x else units.date(time) if days else units.clock(time)
            values = ((s.values[i], SHOWN[s.unit]) for s in self.series)
            rows.append([when, *("–" if value is None else show(value) for value, show in values)])
        return rows
