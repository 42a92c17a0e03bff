"""The line that `llmitm exec` ends with: how many calls, tokens, what they cost, where to look.

With a private proxy these are the calls of that proxy. With the suite's they are those the suite's proxy recorded while the
command ran: another client that used it meanwhile is counted too, as nothing in a call says which command made it.
"""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlencode

from intelligence.store import queries


@dataclass(frozen=True)
class Usage:
    """Sums over the calls for which the provider said a number; None where it did for none."""

    calls: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    uncounted: int = 0
    cost_usd: float | None = None
    unpriced: int = 0
    first_id: str | None = None


def usage(data_dir: Path, since_ms: int, until_ms: int, run: str | None) -> Usage:
    """Calls that began within the window, of one proxy run if one is named. Raises `sqlite3.Error`."""
    database = data_dir / "traffic.db"
    if not database.exists():
        return Usage()
    with closing(queries.connect(database)) as db:
        found = queries.totals(db, since_ms=since_ms, until_ms=until_ms, run=run)
    return Usage(**{field.name: found[field.name] for field in fields(Usage)})


def describe(used: Usage) -> str:
    """`3 calls, 1,234 tokens in, 567 out (1 call unknown), cost unknown`"""
    if not used.calls:
        return "no LLM calls"
    parts = [_count(used.calls, "call")]
    if used.input_tokens is None and used.output_tokens is None:
        parts.append("tokens unknown")
    else:
        unknown = f" ({_count(used.uncounted, 'call')} unknown)" if used.uncounted else ""
        output = "" if used.output_tokens is None else f", {used.output_tokens:,} out"
        parts.append(f"{_number(used.input_tokens)} tokens in{output}{unknown}")
    if used.cost_usd is None:
        parts.append("cost unknown")
    else:
        unknown = f" ({_count(used.unpriced, 'call')} unknown)" if used.unpriced else ""
        parts.append(money(used.cost_usd) + unknown)
    return ", ".join(parts)


def money(usd: float) -> str:
    """`$1,204.50`, `$0.50`; below a cent two digits that count, as in `$0.000012`."""
    if usd <= 0 or usd >= 0.01:
        return f"${usd:,.2f}"
    return f"${usd:.{1 - math.floor(math.log10(usd))}f}"


def link(dashboard_url: str, used: Usage, since_ms: int, until_ms: int) -> str:
    """Where the dashboard shows these calls."""
    if used.calls == 1:
        return f"{dashboard_url}-/calls/{used.first_id}"
    window = urlencode({"started_at__gte": since_ms, "started_at__lte": until_ms, "_sort_desc": "started_at"})
    return f"{dashboard_url}traffic/calls?{window}" if used.calls else dashboard_url


def _count(n: int, noun: str) -> str:
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


def _number(n: int | None) -> str:
    return "unknown" if n is None else f"{n:,}"
