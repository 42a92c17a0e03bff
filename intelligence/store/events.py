"""What the worker itself has to tell, beside what proxies put into the journal."""

from __future__ import annotations

import sqlite3

_INSERT = "insert into events (at, kind, message, data) values (?, ?, ?, '{}')"


def tell(db: sqlite3.Connection, at: int, kind: str, message: str) -> None:
    """`at` is Unix ms. Raises `sqlite3.Error`."""
    db.execute(_INSERT, (at, kind, message))
