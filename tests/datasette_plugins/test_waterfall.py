from __future__ import annotations

from typing import Any

from datasette_plugins.waterfall import WIDTH, steps

NONE: dict[str, Any] = dict.fromkeys(
    ("request_ms", "connect_ms", "tls_ms", "first_byte_ms", "ttft_ms", "duration_ms")
)


def test_steps_follow_each_other() -> None:
    row = NONE | {"request_ms": 10.0, "connect_ms": 20.0, "tls_ms": 30.0, "first_byte_ms": 100.0}
    row |= {"ttft_ms": 150.0, "duration_ms": 990.0, "stream": 1}
    found = steps(row)
    assert [(s.kind, s.duration) for s in found] == [
        ("send", "10 ms"),
        ("connect", "20 ms"),
        ("tls", "30 ms"),
        ("wait", "50 ms"),
        ("think", "50 ms"),
        ("stream", "840 ms"),
    ]
    assert [s.x for s in found] == [0, 10, 30, 60, 110, 160]
    assert found[-1].x + found[-1].width == WIDTH


def test_what_was_not_measured_is_left_out() -> None:
    assert [s.kind for s in steps(NONE | {"ttft_ms": 5.0, "duration_ms": 9.0, "stream": 0})] == [
        "think",
        "stream",
    ]
    assert steps(NONE | {"stream": 1}) == []
    assert steps(NONE | {"duration_ms": 0.0, "stream": 0}) == []


def test_clocks_that_disagree() -> None:
    row = NONE | {"connect_ms": 500.0, "ttft_ms": 5.0, "duration_ms": 9.0, "stream": 1}
    for step in steps(row):
        assert 0 <= step.x <= WIDTH and step.width >= 0
