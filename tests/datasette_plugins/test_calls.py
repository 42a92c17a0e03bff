from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from datasette_plugins import calls, queries
from tests.datasette_plugins import records


def row_of(db: sqlite3.Connection, **columns: Any) -> dict[str, Any]:
    records.add_call(db, **columns)
    db.row_factory = sqlite3.Row
    return calls.row(db.execute(queries.LATEST, {"limit": 1}).fetchone())


def test_a_finished_call(db: sqlite3.Connection) -> None:
    row = row_of(
        db,
        input_tokens=4822,
        ttft_ms=211.4,
        duration_ms=5321.0,
        text="a\n  b",
        tool_calls='[{"name": "Bash"}]',
    )
    assert row["input_tokens"] == "4,822"
    assert row["ttft"] == "211 ms"
    assert row["duration"] == "5.32 s"
    assert row["model"] == "gpt-5-2026"
    assert row["preview"] == "a b → Bash"
    assert row["cost"] == "unknown"
    assert row["state_label"] == "complete"


@pytest.mark.parametrize(
    ("state", "missing"),
    [("complete", "unknown"), ("aborted", "unknown"), ("pending", "…"), ("error", "–"), ("blocked", "–")],
)
def test_what_is_missing(db: sqlite3.Connection, state: str, missing: str) -> None:
    row = row_of(db, state=state, input_tokens=None, output_tokens=None)
    assert (row["input_tokens"], row["output_tokens"]) == (missing, missing)


def test_zero_is_not_unknown(db: sqlite3.Connection) -> None:
    assert row_of(db, output_tokens=0)["output_tokens"] == "0"


def test_an_error_shows_its_message_and_code(db: sqlite3.Connection) -> None:
    row = row_of(
        db, state="error", status_code=529, error_type="overloaded_error", error_message="Overloaded", text=""
    )
    assert row["state_label"] == "error 529"
    assert row["preview"] == "Overloaded"


@pytest.mark.parametrize("raw", [None, "", "{", "{}", "3"])
def test_tool_names_of_anything(raw: str | None) -> None:
    assert calls.tool_names(raw) == []


def test_everything_is_text(db: sqlite3.Connection, data_dir: Path) -> None:
    row = row_of(db, text=records.HOSTILE, client=None, provider=None, model=None, response_model=None)
    assert row["preview"].startswith("<script>")
    assert all(isinstance(value, str | int) for value in row.values())
