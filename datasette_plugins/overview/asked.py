"""What a reader asks the overview: a span, what to tell apart, and which calls. All of it is in the page's address.

`?span=7d&by=client&model=gpt-5`. An empty value (`&user=`) asks for calls of which it is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass(frozen=True)
class Span:
    """`step_ms` is what a bar of a chart stands for."""

    label: str
    width_ms: int
    step_ms: int

    @property
    def before(self) -> str:
        return f"the {self.label} before"


SPANS = {
    "1h": Span("hour", HOUR_MS, 60_000),
    "24h": Span("24 hours", DAY_MS, HOUR_MS),
    "7d": Span("7 days", 7 * DAY_MS, 3 * HOUR_MS),
    "30d": Span("30 days", 30 * DAY_MS, DAY_MS),
    "90d": Span("90 days", 90 * DAY_MS, DAY_MS),
    "1y": Span("year", 365 * DAY_MS, 7 * DAY_MS),
}
LINKS = {"1h": "1 h", "24h": "24 h", "7d": "7 d", "30d": "30 d", "90d": "90 d", "1y": "1 y"}
DEFAULT_SPAN = "24h"
DIMENSIONS = ("model", "provider", "client", "user")
MOST_LETTERS = 300


@dataclass(frozen=True)
class Asked:
    """`where` holds a value for each dimension that is asked for; "" is what is unknown."""

    span_name: str = DEFAULT_SPAN
    by: str = DIMENSIONS[0]
    where: tuple[tuple[str, str], ...] = ()

    @property
    def span(self) -> Span:
        return SPANS[self.span_name]

    def query(self, **changes: str | None) -> str:
        """The query string of this with changes: `span`, `by`, or a dimension (None: any value of it)."""
        where = dict(self.where) | {name: value for name, value in changes.items() if name in DIMENSIONS}
        given = {
            "span": changes.get("span") or self.span_name,
            "by": changes.get("by") or self.by,
            **{name: where.get(name) for name in DIMENSIONS},
        }
        usual = {"span": DEFAULT_SPAN, "by": DIMENSIONS[0]}
        left = {
            name: value for name, value in given.items() if value is not None and usual.get(name) != value
        }
        return f"?{urlencode(left)}" if left else "?"


def asked(args: Mapping[str, str]) -> Asked:
    """What is strange or missing becomes what is usual."""
    span, by = args.get("span"), args.get("by")
    where = ((name, args.get(name)) for name in DIMENSIONS)
    return Asked(
        span if span in SPANS else DEFAULT_SPAN,
        by if by in DIMENSIONS else DIMENSIONS[0],
        tuple((name, value[:MOST_LETTERS]) for name, value in where if value is not None),
    )
