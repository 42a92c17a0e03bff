"""What a call used: tokens as the provider stated them, what it cost and by whose price, what filled its input."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datasette_plugins import units

COST = "select usd, basis, source from costs where request = :seq"
CONTEXT = "select * from contexts where request = :seq"

BASES = {
    "list": "at list price",
    "subscription": "at list price; the subscription covers it",
    "stated": "stated by the provider",
    "override": "at the price in mitm.toml",
}
KINDS = (
    ("System prompt", "system_tokens"),
    ("Tool definitions", "tools_tokens"),
    ("History", "history_tokens"),
    ("Tool results", "tool_results_tokens"),
    ("New", "new_tokens"),
    ("Images and files", "image_tokens"),
)


@dataclass(frozen=True)
class Filling:
    """A kind of content in the input, `share` of it in percent."""

    label: str
    tokens: str
    share: float


@dataclass(frozen=True)
class Costs:
    basis: str | None
    source: str | None
    context: list[Filling]
    estimated: bool  # the tokens of `context` are estimates by length


def read(db: sqlite3.Connection, row: Mapping[str, Any]) -> Costs | None:
    """`None` where the record knows no costs, being of an earlier version."""
    try:
        cost = db.execute(COST, {"seq": row["seq"]}).fetchone()
        context = db.execute(CONTEXT, {"seq": row["seq"]}).fetchone()
    except sqlite3.OperationalError:
        return None
    total = sum(context[column] for _, column in KINDS) if context else 0
    return Costs(
        BASES.get(cost["basis"], cost["basis"]) if cost else None,
        cost["source"] if cost else None,
        [
            Filling(label, units.count(context[column]), round(100 * context[column] / total, 1))
            for label, column in KINDS
            if total and context[column]
        ],
        bool(context) and not context["scaled"],
    )


def tokens(row: Mapping[str, Any], as_text: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Token counts, the parts of a whole only where the provider stated them."""
    shown = [("Input tokens", as_text["input_tokens"])]
    for label, column in (
        ("of them from cache", "cache_read_tokens"),
        ("of them to cache", "cache_write_tokens"),
    ):
        if row[column] is not None:
            shown.append((label, units.count(row[column])))
    shown.append(("Output tokens", as_text["output_tokens"]))
    if row["reasoning_tokens"] is not None:
        shown.append(("of them reasoning", units.count(row["reasoning_tokens"])))
    shown.append(("Cost", as_text["cost"]))
    return shown
