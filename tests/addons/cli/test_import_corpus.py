"""Every recorded exchange of the corpus, imported as a flow file and read from the view `calls`."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from intelligence.store.exchange import call_id
from intelligence.store.ids import id_text
from tests.addons.cli.conftest import place_in
from tests.addons.flows import START, of_exchange, save
from tests.intelligence.wire import corpus

pytestmark = pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")

# Exchange id -> field -> why it may differ.
EXCEPTIONS: dict[str, dict[str, str]] = {}


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Each exchange with its row; None where there is none."""
    folder: Path = tmp_path_factory.mktemp("corpus")
    exchanges = [e for file in corpus.FILES for e in corpus.exchanges(file)]
    flows = [of_exchange(e, START + n) for n, e in enumerate(exchanges)]
    ids = [id_text(call_id(f.id.encode(), round(f.request.timestamp_start * 1_000_000))) for f in flows]
    place = place_in(folder)
    result = place.llmitm("import", "--json", str(save(folder / "corpus.flows", flows)))
    assert result.returncode == 0, result.stderr
    with closing(sqlite3.connect(place.data_dir / "traffic.db")) as db:
        db.row_factory = sqlite3.Row
        rows = {row["id"]: dict(row) for row in db.execute("select * from calls")}
    report = json.loads(result.stdout)
    assert report["imported"] + report["other"] == len(exchanges) and not report["problems"]
    return [(e, rows.get(id_)) for e, id_ in zip(exchanges, ids, strict=True)]


def differences(exchange: dict[str, Any], row: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    expected = exchange["expected"]
    usage = json.loads(row["usage_raw"]) if row["usage_raw"] else None
    if exchange["framing"] == "websocket":
        yield from _socket_differences(expected, row, usage)
        return
    # The corpus has a number where enums came as numbers.
    wanted = {
        "response_model": expected["model"],
        "finish_reason": expected["finish_reason"] and str(expected["finish_reason"]),
        **corpus.otel(exchange["format"], expected),
        "tool_calls": expected["tool_calls"],
        "text": expected["text_sha256"],
    }
    # Of embeddings and counting the corpus keeps the counts but not where they stood.
    if row["operation"] not in ("embeddings", "count_tokens"):
        wanted["usage_raw"] = expected["usage_raw"]
    found = row | {
        "usage_raw": usage,
        "tool_calls": json.loads(row["tool_calls"] or "[]"),
        "text": hashlib.sha256(row["text"].encode()).hexdigest()[:16] if row["text"] else None,
    }
    for field, value in wanted.items():
        if found[field] != value:
            yield field, found[field], value


def _socket_differences(
    expected: dict[str, Any], row: dict[str, Any], usage: Any
) -> Iterator[tuple[str, Any, Any]]:
    """Its first response."""
    if usage != expected["usage_raw"][0]:
        yield "usage_raw", usage, expected["usage_raw"][0]
    if not (row["text"] or "").startswith(expected["text_prefix"]):
        yield "text", row["text"], expected["text_prefix"]
    if row["model"] != expected["model"] and row["response_model"] != expected["model"]:
        yield "model", row["response_model"], expected["model"]


def test_every_exchange_reads_from_calls_as_expected(imported):
    wrong = []
    for exchange, row in imported:
        if row is None or exchange["format"] == "other":
            continue  # nothing is expected of "other"
        known = EXCEPTIONS.get(exchange["id"], {})
        wrong += [
            f"{exchange['id']} {exchange['format']} {exchange['framing']} {field}: {got!r} != {value!r}"
            for field, got, value in differences(exchange, row)
            if field not in known
        ]
    assert not wrong, "\n".join(wrong)
    assert len(EXCEPTIONS) <= 5


def test_the_model_asked_for(imported):
    wrong = [
        (e["id"], row["model"], e["expected_request"]["model"])
        for e, row in imported
        if row and e["expected_request"].get("model") and row["model"] != e["expected_request"]["model"]
    ]
    assert not wrong


def test_only_what_is_no_llm_call_is_left_out(imported):
    assert {e["format"] for e, row in imported if row is None} <= {"other"}
    assert sum(row is not None for _, row in imported) > 400
