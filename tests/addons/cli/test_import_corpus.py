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
from tests.intelligence.wire.test_corpus import parsed

pytestmark = pytest.mark.skipif(not corpus.FILES, reason=f"no corpus in {corpus.FOLDER}")


# The view has the names of the tools that were called, the table their arguments too.
ROWS = """
    select c.*, r.tool_calls as tools from calls c join requests q on q.id = c.id
        left join responses r on r.request = q.seq order by c.started_at, c.id"""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Each exchange with its rows: none, one, or those of a WebSocket."""
    folder: Path = tmp_path_factory.mktemp("corpus")
    exchanges = [e for file in corpus.FILES for e in corpus.exchanges(file)]
    flows = [of_exchange(e, START + n) for n, e in enumerate(exchanges)]
    ids = [id_text(call_id(f.id.encode(), round(f.request.timestamp_start * 1_000_000))) for f in flows]
    place = place_in(folder)
    result = place.llmitm("import", "--json", str(save(folder / "corpus.flows", flows)))
    assert result.returncode == 0, result.stderr
    with closing(sqlite3.connect(place.data_dir / "traffic.db")) as db:
        db.row_factory = sqlite3.Row
        rows: dict[str, list[dict[str, Any]]] = {}
        for row in db.execute(ROWS):
            rows.setdefault(row["id"][:36], []).append(dict(row))
    report = json.loads(result.stdout)
    assert report["imported"] + report["other"] == len(exchanges) and not report["problems"]
    return [(e, rows.get(id_, [])) for e, id_ in zip(exchanges, ids, strict=True)]


def differences(exchange: dict[str, Any], row: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    expected = exchange["expected"]
    # The corpus has a number where enums came as numbers.
    wanted = {
        "response_model": expected["model"],
        "finish_reason": expected["finish_reason"] and str(expected["finish_reason"]),
        **corpus.otel(exchange["format"], expected),
        "tool_calls": expected["tool_calls"],
        "arguments": [parsed(arguments) for arguments in expected["tool_args"]],
        "text": expected["text_sha256"],
    }
    # Of embeddings and counting the corpus keeps the counts but not where they stood.
    if row["operation"] not in ("embeddings", "count_tokens"):
        wanted["usage_raw"] = expected["usage_raw"]
    found = row | {
        "usage_raw": json.loads(row["usage_raw"]) if row["usage_raw"] else None,
        "tool_calls": json.loads(row["tool_calls"] or "[]"),
        "arguments": [parsed(call["arguments"]) for call in json.loads(row["tools"] or "[]")],
        "text": hashlib.sha256(row["text"].encode()).hexdigest()[:16] if row["text"] else None,
    }
    for field, value in wanted.items():
        if found[field] != value:
            yield field, found[field], value


def socket_differences(
    exchange: dict[str, Any], rows: list[dict[str, Any]]
) -> Iterator[tuple[str, Any, Any]]:
    expected = exchange["expected"]
    words = "".join(row["text"] or "" for row in rows)
    found = {
        "turns": len(rows),
        "usage_raw": [json.loads(row["usage_raw"]) for row in rows if row["usage_raw"]],
        "tool_calls": [name for row in rows for name in json.loads(row["tool_calls"] or "[]")],
        "finish_reason": rows[-1]["finish_reason"],
        "model": rows[0]["response_model"] or rows[0]["model"],
        "text_prefix": words[: len(expected["text_prefix"])],
        "text_len": len(words),
    }
    for field, value in found.items():
        if value != expected[field]:
            yield field, value, expected[field]


def test_every_exchange_reads_from_calls_as_expected(imported):
    wrong = []
    for exchange, rows in imported:
        if not rows or exchange["format"] == "other":
            continue  # nothing is expected of "other"
        socket = exchange["framing"] == "websocket"
        found = socket_differences(exchange, rows) if socket else differences(exchange, rows[0])
        wrong += [
            f"{exchange['id']} {exchange['format']} {exchange['framing']} {field}: {got!r} != {value!r}"
            for field, got, value in found
            if field != corpus.EXCEPTIONS.get(exchange["id"])
        ]
    assert not wrong, "\n".join(wrong)
    assert len(corpus.EXCEPTIONS) <= 5


def test_the_model_asked_for(imported):
    wrong = []
    for exchange, rows in imported:
        asked = exchange["expected_request"].get("model")
        if rows and asked and rows[0]["model"] != asked:
            wrong.append((exchange["id"], exchange["path"], rows[0]["model"], asked))
    # What the path says goes before the body: at Azure it names the deployment.
    assert [w for w in wrong if f"/deployments/{w[2]}/" not in w[1]] == []


def test_only_what_is_no_llm_call_is_left_out(imported):
    assert {exchange["format"] for exchange, rows in imported if not rows} <= {"other"}
    assert len(imported) >= 480
