"""Numbers and times as people read them. Plain functions, also Jinja filters of the same name.

`None` means that the provider did not say, and is shown as "unknown", never as 0. Times are milliseconds since 1970 UTC and are
shown in the time zone of the reader's preferences (`ZONE`), else of this machine.
"""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

UNKNOWN = "unknown"
# Of the request being answered; code in a thread of its own does not see it.
ZONE: ContextVar[ZoneInfo | None] = ContextVar("zone", default=None)


def count(value: float | None) -> str:
    """`1234567` as `1,234,567`."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def compact(value: float | None) -> str:
    """At most four characters of digits: `999`, `12.3k`, `4.56M`."""
    if value is None:
        return UNKNOWN
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{letter}" if value / size < 999.5 else f"{value / size:.0f}{letter}"
    return f"{value:.0f}"


def duration(ms: float | None) -> str:
    """Milliseconds as `0.4 ms`, `850 ms`, `2.31 s`, `3 min 20 s`, `2 h 05 min`."""
    if ms is None:
        return UNKNOWN
    if ms < 9.95:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 99.95:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def money(usd: float | None) -> str:
    """US dollars, with as many digits as a small amount needs."""
    if usd is None:
        return UNKNOWN
    if usd == 0:
        return "$0"
    if usd >= 0.0001:
        return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"
    return f"${usd:.7f}".rstrip("0") if usd >= 1e-7 else "< $0.0000001"


def size(bytes_: float | None) -> str:
    """Bytes as `512 B`, `12.3 KB`, `1.2 MB` (steps of 1,000)."""
    if bytes_ is None:
        return UNKNOWN
    for step, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "KB")):
        if bytes_ >= step:
            return f"{bytes_ / step:.3g} {unit}"
    return f"{bytes_:.0f} B"


def clock(ms: float | None) -> str:
    """`21 Nov 2026, 08:06:41`."""
    if ms is None:
        return UNKNOWN
    local = _local(ms)
    return f"{local.day} {local:%b %Y, %H:%M:%S}"


def date(ms: float | None) -> str:
    """`21 Nov 2026`, in UTC: days are summed up there."""
    if ms is None:
        return UNKNOWN
    day = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{day.day} {day:%b %Y}"


def percent(share: float | None) -> str:
    """A share of 1 in at most three digits: `0.12 %`, `4.5 %`, `97.3 %`."""
    return UNKNOWN if share is None else f"{share * 100:.3g} %"


def iso(ms: float | None) -> str:
    """RFC 3339 with the offset of the zone, for `<time datetime>`."""
    return "" if ms is None else _local(ms).isoformat(timespec="milliseconds")


def ago(ms: float | None, now_ms: float) -> str:
    """`3 s ago`. Pages keep it up to date in the browser by the same steps."""
    if ms is None:
        return UNKNOWN
    seconds = max(0, (now_ms - ms) / 1000)
    for step, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= step:
            return f"{seconds // step:.0f} {unit} ago"
    return f"{seconds:.0f} s ago" if seconds >= 1 else "now"


def _local(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC).astimezone(ZONE.get())


FILTERS = {f.__name__: f for f in (count, compact, duration, money, percent, size, clock, date, iso, ago)}
