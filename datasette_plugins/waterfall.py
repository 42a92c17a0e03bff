"""Where the time of a call went, step after step, as bars on one scale.

The record states durations of single steps; they happen in this order: the request is read from the client, a connection is
made if there is none to reuse, the provider is waited for, the answer streams. Steps nobody measured are left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from datasette_plugins import units

WIDTH = 1000
FIRST_BYTE = "select first_byte_ms from responses where request = :seq"


@dataclass(frozen=True)
class Step:
    """`x` and `width` in parts of `WIDTH`."""

    label: str
    kind: str
    x: float
    width: float
    duration: str


def first_byte_ms(db: sqlite3.Connection, seq: int) -> float | None:
    """From the request to the first byte of the answer. `None` also in a record of before this was kept."""
    try:
        found = db.execute(FIRST_BYTE, {"seq": seq}).fetchone()
    except sqlite3.OperationalError:
        return None
    return found and found["first_byte_ms"]


def steps(row: Mapping[str, Any]) -> list[Step]:
    """Of a row of `queries.call`, with `first_byte_ms` where it is known. Empty where too little was measured."""
    if row["duration_ms"] is None:
        return []
    spans: list[tuple[str, str, float, float]] = []
    at = 0.0
    for label, kind, column in (
        ("Request sent", "send", "request_ms"),
        ("Connect", "connect", "connect_ms"),
        ("TLS handshake", "tls", "tls_ms"),
    ):
        if row[column] is not None:
            spans.append((label, kind, at, row[column]))
            at += row[column]
    # Durations of the answer count from when the whole request had been read.
    zero = row["request_ms"] or 0.0
    end = max(zero + row["duration_ms"], at)
    answered = end
    for label, kind, column in (("Wait", "wait", "first_byte_ms"), ("To first token", "think", "ttft_ms")):
        value = row.get(column)
        if value is not None and zero + value >= at:
            answered = min(zero + value, end)
            spans.append((label, kind, at, answered - at))
            at = answered
    if answered < end:
        spans.append(("Stream" if row["stream"] else "Rest of the answer", "stream", at, end - at))
    if not end:
        return []
    return [
        Step(
            label,
            kind,
            round(start / end * WIDTH, 1),
            round(max(length / end * WIDTH, 2), 1),
            units.duration(length),
        )
        for label, kind, start, length in spans
    ]
