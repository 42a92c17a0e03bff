"""Hostile texts take time in proportion to their length. Not by the clock: by the calls that are made, each of which
sees a stretch of bounded length, in engines that do not backtrack."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from intelligence.detect.scanner import Scanner
from tests.eval.cost import HOSTILE

_SIZE = 4_000
# What is decided once for a window of a text does not grow with it.
_CONSTANT = 3_000


def calls(text: str) -> int:
    made = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal made
        made += event in ("call", "c_call")

    scanner = Scanner()
    sys.setprofile(count)
    try:
        scanner.scan(text)
    finally:
        sys.setprofile(None)
    return made


@pytest.mark.parametrize("name", HOSTILE)
def test_four_times_the_text_is_four_times_the_work(name: str) -> None:
    unit = HOSTILE[name]
    text = (unit * (4 * _SIZE // len(unit) + 1))[: 4 * _SIZE]
    calls(text[:_SIZE])  # patterns are compiled at first use
    assert calls(text) <= 5 * calls(text[:_SIZE]) + _CONSTANT
