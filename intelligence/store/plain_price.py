"""What plain text costs: the arithmetic of `genai-prices` for the usual case, many times faster than its general one.

Usual is a model that sells tokens of input, output and cache, and a call that used nothing else. A price by length of the
context is that of the whole input. For every model of the price list the result is the library's own, to the last digit.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genai_prices.types import ModelPrice

# A model may have these prices; the last three are of things that the counts below do not have.
_PRICES = frozenset(
    [
        "input_mtok",
        "output_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        "cache_write_1h_mtok",
        "web_searches_kcount",
        "storage_searches_kcount",
    ]
)
_COUNTS = frozenset(
    ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "output_reasoning_tokens"]
)
_MILLION = 1_000_000


def plain_price(price: ModelPrice, priced: set[str], counts: Mapping[str, int]) -> Decimal | None:
    """In US dollars. `priced`: what the model has a price for. None where it takes the library."""
    if not priced <= _PRICES or not counts.keys() <= _COUNTS:
        return None
    if not {"input_mtok", "output_mtok"} <= priced:
        return None
    whole = left = counts["input_tokens"]
    total = Decimal(0)
    for kind in ("cache_read", "cache_write"):
        if f"{kind}_mtok" in priced:
            part = counts[f"{kind}_tokens"]
            total += _rate(getattr(price, f"{kind}_mtok"), whole) * part
            left -= part
    total += _rate(price.input_mtok, whole) * left + _rate(price.output_mtok, whole) * counts["output_tokens"]
    return total / _MILLION


def _rate(value: Any, input_tokens: int) -> Decimal:
    """For a million tokens."""
    if isinstance(value, Decimal):
        return value
    for tier in reversed(value.tiers):
        if input_tokens > tier.start:
            return Decimal(tier.price)
    return Decimal(value.base)
