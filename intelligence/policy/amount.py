"""Numbers as people write them in a rule: `">= 100k"`, `"$2.50"`, `"30s"`, `"1 MB"`.

A comparison without a sign means "at least". `k` and `M` are thousands and millions, `KB` and `MB` powers of 1024, `s`, `m`,
`h`, `d` seconds, minutes, hours, days.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

_SIGNS: list[tuple[str, Callable[[float, float], bool]]] = [
    (">=", operator.ge),
    ("<=", operator.le),
    (">", operator.gt),
    ("<", operator.lt),
    ("=", operator.eq),
]
_UNITS = {
    "": 1.0,
    "k": 1e3,
    "m": 60.0,
    "M": 1e6,
    "KB": 1024.0,
    "MB": 1024.0**2,
    "GB": 1024.0**3,
    "%": 0.01,
    "ms": 0.001,
    "s": 1.0,
    "min": 60.0,
    "h": 3600.0,
    "d": 86400.0,
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`compare(value, amount)`; an unknown value compares to nothing."""

    compare: Callable[[float, float], bool]
    amount: float

    def holds(self, value: float | None) -> bool:
        return value is not None and self.compare(value, self.amount)


def amount(text: str | float | int) -> float:
    """The number a text stands for. Raises `ValueError`."""
    if isinstance(text, bool):
        raise ValueError(f"{text!r} is not a number")
    if isinstance(text, int | float):
        return float(text)
    bare = text.strip().removeprefix("$").strip().replace("_", "").replace(",", "")
    digits = len(bare) - len(bare.lstrip("0123456789.+-"))
    number, unit = bare[:digits], bare[digits:].strip()
    if unit not in _UNITS or not number:
        raise ValueError(f"{text!r} is not a number such as 5, 2.50, 100k, 1 MB or 30s")
    return float(number) * _UNITS[unit]


def comparison(text: str | float | int) -> Comparison:
    """`"> 5"`, `"<= 1k"`, or a number alone for "at least". Raises `ValueError`."""
    if isinstance(text, str):
        stripped = text.strip()
        for sign, compare in _SIGNS:
            if stripped.startswith(sign):
                return Comparison(compare, amount(stripped[len(sign) :]))
    return Comparison(operator.ge, amount(text))
