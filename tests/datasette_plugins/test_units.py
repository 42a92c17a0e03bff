from __future__ import annotations

import pytest

from datasette_plugins import units


@pytest.mark.parametrize(
    ("show", "value", "text"),
    [
        (units.count, 1234567, "1,234,567"),
        (units.count, 0, "0"),
        (units.compact, 999, "999"),
        (units.compact, 999_600, "1M"),
        (units.compact, 12_345, "12.3k"),
        (units.compact, 4_560_000, "4.56M"),
        (units.duration, 0.24, "0.2 ms"),
        (units.duration, 9.96, "10 ms"),
        (units.duration, 999.4, "999 ms"),
        (units.duration, 999.6, "1 s"),
        (units.duration, 2314, "2.31 s"),
        (units.duration, 99_960, "1 min 40 s"),
        (units.duration, 3_599_600, "1 h 00 min"),
        (units.duration, 7_500_000, "2 h 05 min"),
        (units.money, 0, "$0"),
        (units.money, 0.00001, "$0.00001"),
        (units.money, 0.000048, "$0.000048"),
        (units.money, 1e-9, "< $0.0000001"),
        (units.money, 0.0123, "$0.0123"),
        (units.money, 1234.5, "$1,234.50"),
        (units.size, 999, "999 B"),
        (units.size, 12_300, "12.3 KB"),
        (units.size, 4_000_000, "4 MB"),
    ],
)
def test_shown(show: object, value: float, text: str) -> None:
    assert show(value) == text  # type: ignore[operator]


@pytest.mark.parametrize(
    "show", [units.count, units.compact, units.duration, units.money, units.size, units.clock]
)
def test_what_nobody_stated_is_unknown(show: object) -> None:
    assert show(None) == "unknown"  # type: ignore[operator]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "now"), (0.4, "now"), (3, "3 s ago"), (61, "1 min ago"), (7200, "2 h ago"), (200_000, "2 d ago")],
)
def test_ago(seconds: float, text: str) -> None:
    now = 1_790_000_000_000
    assert units.ago(now - seconds * 1000, now) == text


def test_times_are_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert units.clock(0) == "1 Jan 1970, 09:00:00"
        assert units.iso(0) == "1970-01-01T09:00:00.000+09:00"
    finally:
        monkeypatch.undo()
        time.tzset()
