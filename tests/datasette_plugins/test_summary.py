from __future__ import annotations

import sqlite3
import time

import pytest

from datasette_plugins import dashboard, summary
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site

HOUR = 3_600_000


def read(db: sqlite3.Connection, span: str = "24h") -> dict[str, object]:
    db.row_factory = sqlite3.Row
    return summary.read(db, span, time.time_ns() // 1_000_000)


def test_nothing_yet(db: sqlite3.Connection) -> None:
    found = read(db)
    assert found["models"] == []
    assert found["figures"]["calls"] == "0"  # type: ignore[index]
    assert found["figures"]["cost"] == "$0"  # type: ignore[index]


def test_sums_name_what_they_leave_out(db: sqlite3.Connection) -> None:
    records.add_call(db, input_tokens=1000, output_tokens=5)
    records.add_call(db, input_tokens=None, output_tokens=7)
    records.add_call(db, state="error", input_tokens=None, output_tokens=None)
    records.add_call(db, state="pending")
    figures = read(db)["figures"]
    assert figures == {  # type: ignore[comparison-overlap]
        "calls": "4",
        "running": "1 running",
        "errors": "1",
        "error_share": "25 %",
        "input": "1k",
        "input_note": "+ 1 unknown",
        "output": "12",
        "output_note": "",
        "cost": "unknown",
        "cost_note": "",
    }


def test_what_no_provider_stated_is_unknown_not_zero(db: sqlite3.Connection) -> None:
    records.add_call(db, input_tokens=None, output_tokens=None)
    figures = read(db)["figures"]
    assert figures["input"] == figures["output"] == "unknown"  # type: ignore[index]


def test_spans(db: sqlite3.Connection) -> None:
    now = time.time_ns() // 1_000_000
    for age in (0, 2 * HOUR, 48 * HOUR, 24 * 30 * HOUR):
        records.add_call(db, started_at=now - age)
    shown = {span: read(db, span)["figures"]["calls"] for span in summary.SPANS}  # type: ignore[index]
    assert shown == {"1h": "1", "24h": "2", "7d": "3", "all": "4"}


def test_an_unknown_span_is_the_usual_one() -> None:
    assert summary.span_named("x' or 1") == summary.span_named(None) == "24h"


def test_models_are_ordered_and_cut(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary, "SHOWN_MODELS", 12)
    for n in range(15):
        records.add_call(db, response_model=f"m{n:02}", provider="openai")
    records.add_call(db, response_model="m07", provider="openai")
    found = read(db)
    models = found["models"]
    assert [m["model"] for m in models[:2]] == ["m07", "m00"]  # type: ignore[index]
    assert models[0]["calls"] == "2"  # type: ignore[index]
    assert (len(models), found["more_models"]) == (12, 3)  # type: ignore[arg-type]


async def test_viewers_share_a_summary_for_a_while(
    site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached = dashboard.here(site.datasette).traffic.attached(site.datasette)
    summaries = summary.Summaries()
    assert (await summaries.of(None, "24h")).content["figures"]["calls"] == "0"
    first = await summaries.of(attached, "24h")
    records.add_call(db)
    assert await summaries.of(attached, "24h") is first
    assert (await summaries.of(attached, "all")).content["figures"]["calls"] == "1"
    monkeypatch.setattr(summary, "LEAST_SECONDS", 0)
    monkeypatch.setattr(summary, "REST", 0)
    assert (await summaries.of(attached, "24h")).content["figures"]["calls"] == "1"


async def test_slow_counting_rests(
    site: Site, db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    attached = dashboard.here(site.datasette).traffic.attached(site.datasette)
    monkeypatch.setattr(summary, "LEAST_SECONDS", 0)
    summaries = summary.Summaries()
    counted = 0

    def slow(*args: object) -> dict[str, object]:
        nonlocal counted
        counted += 1
        time.sleep(0.05)
        return {}

    monkeypatch.setattr(summary, "read", slow)
    for _ in range(5):
        await summaries.of(attached, "all")
    assert counted == 1
