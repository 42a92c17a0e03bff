"""What is reckoned when calls end, in the transaction that ends them: their cost, their part in the hour's sums, and a place
in the queue of those whose words are still to be read (see `reading`).
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from intelligence.store import rollups
from intelligence.store.pricing import Prices, Used

_COLUMNS = {
    "provider": "q.provider",
    "host": "q.host",
    "operation": "q.operation",
    "credential_kind": "q.credential_kind",
    "started_at": "q.started_at",
    "model": "q.model",
    "response_model": "r.model",
    "input_tokens": "r.input_tokens",
    "output_tokens": "r.output_tokens",
    "cache_read_tokens": "r.cache_read_tokens",
    "cache_write_tokens": "r.cache_write_tokens",
    "reasoning_tokens": "r.reasoning_tokens",
    "usage_raw": "r.usage_raw",
    "service_tier": "r.service_tier",
}
_USED = f"""
select q.seq, {", ".join(_COLUMNS.values())}
from json_each(?) j join requests q on q.seq = j.value join responses r on r.request = q.seq
where q.state <> 'blocked'"""  # noqa: S608
_PUT_COST = "replace into costs (request, usd, basis, source) values (?, ?, ?, ?)"
_QUEUE = "insert or ignore into to_read (request, settled) select value, 1 from json_each(?)"

_object = msgspec.json.Decoder(dict[str, Any]).decode


def settle(db: sqlite3.Connection, seqs: Sequence[int], prices: Prices) -> None:
    """Of calls that have ended and were not settled before; in the caller's transaction. Raises `sqlite3.Error`."""
    if not seqs:
        return
    listed = json.dumps(list(seqs))
    costs = []
    for seq, *values in db.execute(_USED, (listed,)).fetchall():
        cost = prices.cost(_used(values))
        if cost is not None:
            costs.append((seq, cost.usd, cost.basis, cost.source))
    db.executemany(_PUT_COST, costs)
    rollups.add(db, seqs)
    db.execute(_QUEUE, (listed,))


def _used(values: list[Any]) -> Used:
    known = dict(zip(_COLUMNS, values, strict=True))
    return Used(**known | {"usage_raw": _raw(known["usage_raw"])})


def _raw(text: str | None) -> dict[str, Any] | None:
    try:
        return None if text is None else _object(text)
    except msgspec.MsgspecError:
        return None
