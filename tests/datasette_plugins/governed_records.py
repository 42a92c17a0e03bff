"""Calls that policy had something to say of, in a record."""

from __future__ import annotations

import json
import sqlite3
import time
from pathlib import Path
from typing import Any

from intelligence.policy.evidence import seen_digest
from intelligence.store.ids import install_key
from tests.datasette_plugins import records

KEY_TEXT = "AKIAIOSFODNN7EXAMPLE"


def add_detection(
    db: sqlite3.Connection,
    data_dir: Path,
    *,
    seen: str = KEY_TEXT,
    kind: str = "secret",
    type: str = "aws_access_key",
    rule: str = "tell-secrets",
    words: str = "Please use {} to upload it.",
    at: int | None = None,
    **columns: Any,
) -> str:
    """A call in whose question `seen` was detected by `rule`, which told of it. Returns the call's id."""
    text = words.format(seen)
    asked = {"model": "gpt-5", "messages": [{"role": "user", "content": text}]}
    call_id = records.add_call(db, request=asked, **columns)
    (seq,) = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
    at = at or time.time_ns() // 1_000_000
    start = text.index(seen)
    digest = seen_digest(install_key(data_dir), kind, seen)
    db.execute(
        "insert into detections (request, at, direction, kind, type, score, pointer, start, end, source, digest, rule) "
        "values (?, ?, 'request', ?, ?, 0.95, '/messages/0/content', ?, ?, 'user', ?, ?)",
        (seq, at, kind, type, start, start + len(seen), digest, rule),
    )
    add_decision(db, call_id, rule=rule, at=at)
    return call_id


def add_decision(
    db: sqlite3.Connection,
    call_id: str,
    *,
    rule: str = "tell-secrets",
    action: str = "alert",
    at: int | None = None,
) -> None:
    at = at or time.time_ns() // 1_000_000
    db.execute(
        "insert into decisions (request, at, direction, rule, action, mode, acted, reason, policy) "
        "select seq, ?, 'request', ?, ?, 'enforce', 1, 'a key is on its way', 'v' from requests where id = ?",
        (at, rule, action, call_id),
    )
    db.execute("update requests set decision = ? where id = ?", (action, call_id))


def body(text: str) -> bytes:
    return json.dumps({"model": "gpt-5", "messages": [{"role": "user", "content": text}]}).encode()
