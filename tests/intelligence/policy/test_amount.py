from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intelligence.policy.amount import amount, comparison


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (5, 5), (2.5, 2.5), ("5", 5), ("$2.50", 2.5), ("100k", 100_000), ("1 MB", 1 << 20), ("2KB", 2048), ("30s", 30),
        ("5 min", 300), ("2h", 7200), ("1d", 86400), ("80%", 0.8), ("1_000", 1000), ("1,000", 1000), ("500ms", 0.5),
    ],
)  # fmt: skip
def test_amounts(text: str | float, value: float) -> None:
    assert amount(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "five", "5 apples", "$", True, "k", "5..5", "5 5"])
def test_what_is_no_amount_is_refused(text: object) -> None:
    with pytest.raises(ValueError):
        amount(text)  # type: ignore[arg-type]


@given(st.sampled_from([">=", "<=", ">", "<", "="]), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_a_comparison_compares(sign: str, limit: int, value: int) -> None:
    expected = {
        ">=": value >= limit, "<=": value <= limit, ">": value > limit, "<": value < limit, "=": value == limit,
    }[sign]  # fmt: skip
    assert comparison(f"{sign} {limit}").holds(value) is expected


def test_a_number_alone_means_at_least() -> None:
    assert comparison(5).holds(5)
    assert not comparison("5").holds(4.9)


def test_the_unknown_compares_to_nothing() -> None:
    assert not comparison("< 5").holds(None)
    assert not comparison(">= 0").holds(None)
