"""What the calls of a time add up to, from the coarsest sums that cover it: days, hours, and single calls for what is left.

So figures are exact to the millisecond, and cost what a few thousand rows cost, however many calls there are. Calls that have
not ended are in no sum.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from datasette_plugins.overview.asked import DAY_MS, HOUR_MS
from intelligence.store import rollups

NAMES = (*rollups.COUNTS, *rollups.columns("duration"), *rollups.columns("ttft"), *rollups.SUMS)
PLACE = {name: n for n, name in enumerate(NAMES)}
BUCKETS = {
    measure: slice(PLACE[names[0]], PLACE[names[-1]] + 1)
    for measure, names in ((measure, rollups.columns(measure)) for measure in ("duration", "ttft"))
}
KEYS = {"provider": "provider", "model": "model", "client": "client", "user": "user"}

CALLS = "calls"
HOURLY = "rollup_hourly"
DAILY = "rollup_daily"
WEEKLY = "rollup_weekly"
WIDTHS = {WEEKLY: rollups.WEEK_MS, DAILY: DAY_MS, HOURLY: HOUR_MS, CALLS: 1}
PERIODS = {CALLS: "q.started_at", **{table: column for table, (column, _, _) in rollups.TABLES.items()}}
CALL_TESTS = rollups.COUNTS | rollups.buckets("duration") | rollups.buckets("ttft")
CALL_VALUES = {name: f"sum({value})" for name, value in (CALL_TESTS | rollups.SUMS).items()}
CALL_KEYS = KEYS | {
    "provider": "q.provider",
    "model": "coalesce(q.model, r.model)",
    "client": "q.client",
    "user": "q.user",
}
CALL_TABLES = (
    "requests q indexed by requests_started_at left join responses r on r.request = q.seq "
    "left join costs c on c.request = q.seq"
)

type Key = tuple[Any, ...]
type Row = tuple[Key, tuple[float | None, ...]]
type Where = Sequence[tuple[str, str]]


class Sums:
    """What some calls add up to: `sums["cost_usd"]`; None where nothing is known."""

    __slots__ = ("values",)

    def __init__(self, values: Sequence[float | None] | None = None) -> None:
        self.values: list[float | None] = list(values) if values is not None else [None] * len(NAMES)

    def add(self, values: Sequence[float | None]) -> None:
        self.values = [
            b if a is None else a if b is None else a + b for a, b in zip(self.values, values, strict=True)
        ]

    def __getitem__(self, name: str) -> float | None:
        return self.values[PLACE[name]]

    def number(self, name: str) -> int:
        """Of a count: with nothing to count it is 0."""
        return int(self[name] or 0)

    def quantile(self, measure: str, q: float) -> float | None:
        return rollups.quantile([None if n is None else int(n) for n in self.values[BUCKETS[measure]]], q)

    def left_out(self, name: str) -> int:
        """Of `uncounted` or `unpriced`: calls that should have had it. One that failed or was blocked costs nothing."""
        return max(0, self.number(name) - self.number("errors") - self.number("blocked"))

    @property
    def error_share(self) -> float | None:
        return self.number("errors") / self.number("requests") if self.number("requests") else None

    @property
    def cache_share(self) -> float | None:
        """Of the input, what the provider read from its cache; unknown where no provider told."""
        read, tokens = self["cache_read_tokens"], self["input_tokens"]
        return min(1.0, read / tokens) if read is not None and tokens else None


def tables(width_ms: int) -> list[str]:
    """The tables to sum over a time of this width, coarsest first."""
    least = {WEEKLY: 90 * DAY_MS, DAILY: 30 * DAY_MS, HOURLY: 0, CALLS: 0}
    return [table for table in least if width_ms >= least[table]]


def begin(table: str, at_ms: int) -> int:
    """When the period of a table began in which that moment is."""
    _, _, origin = rollups.TABLES.get(table, ("", 1, 0))
    return at_ms - (at_ms - origin) % WIDTHS[table]


def pieces(start_ms: int, end_ms: int, given: Sequence[str]) -> list[tuple[str, int, int]]:
    """`start_ms` to `end_ms` as pieces, each with the coarsest of the tables `given` that has it whole."""
    table, *finer = given
    low, high = begin(table, start_ms + WIDTHS[table] - 1), begin(table, end_ms)
    if not finer or low >= high:
        return pieces(start_ms, end_ms, finer) if finer else [(table, start_ms, end_ms)] * (start_ms < end_ms)
    return [*pieces(start_ms, low, finer), (table, low, high), *pieces(high, end_ms, finer)]


def rows(
    db: sqlite3.Connection,
    piece: tuple[str, int, int],
    keys: Sequence[str],
    where: Where = (),
    names: Sequence[str] = NAMES,
    step: tuple[int, int] | None = None,
) -> Iterator[Row]:
    """Sums (`names`) of a piece by `keys`. With `step` (origin, width in ms) the first key is the number of the step;
    there may be several rows of one."""
    table, start_ms, end_ms = piece
    of_calls = table == CALLS
    columns = CALL_KEYS if of_calls else KEYS
    time = PERIODS[table]
    values = [CALL_VALUES[name] if of_calls else f"sum({name})" for name in names]
    # Periods are in order in their tables: what is added up by them need not be sorted.
    by = [] if not step else ["(q.started_at - :origin) / :width" if of_calls else time]
    by += [columns[key] for key in keys]
    tests = [f"{time} >= :start", f"{time} < :end", *(["q.state <> 'pending'"] if of_calls else [])]
    bound: dict[str, Any] = {"start": start_ms, "end": end_ms}
    if step:
        bound |= {"origin": step[0], "width": step[1]}
    for name, value in where:
        tests.append(f"{columns[name]} = :{name}" if value else f"{columns[name]} is null")
        bound[name] = value
    group = f"group by {', '.join(str(n + 1) for n in range(len(by)))}" if by else ""
    sql = f"""select {", ".join([*by, *values])} from {CALL_TABLES if of_calls else table}
        where {" and ".join(tests)} {group}"""  # noqa: S608
    for row in db.execute(sql, bound):
        key = tuple(row[: len(by)])
        if step and not of_calls:
            key = ((key[0] - step[0]) // step[1], *key[1:])
        yield key, tuple(row[len(by) :])


def by(
    db: sqlite3.Connection,
    start_ms: int,
    end_ms: int,
    given: Sequence[str],
    keys: Sequence[str],
    where: Where = (),
) -> dict[Key, Sums]:
    """Everything about the calls of a time, by `keys`."""
    found: dict[Key, Sums] = {}
    for piece in pieces(start_ms, end_ms, given):
        for key, values in rows(db, piece, keys, where):
            add(found, key, values)
    return found


def add[K](found: dict[K, Sums], key: K, values: Sequence[float | None]) -> None:
    if key in found:
        found[key].add(values)
    else:
        found[key] = Sums(values)


def folded(found: dict[Key, Sums], place: int | None = None) -> dict[Any, Sums]:
    """By one of the keys alone; without `place` everything, under None."""
    folded: dict[Any, Sums] = {}
    for key, sums in found.items():
        add(folded, None if place is None else key[place], sums.values)
    return folded
