"""Recorded exchanges of every provider, through journal and worker: stored byte by byte, read without a complaint."""

import base64
import json
import os
from contextlib import closing
from pathlib import Path

import pytest

from intelligence.store.drain import Drain
from intelligence.store.ids import id_text, uuid7
from intelligence.store.journal import EndHead, MessageHead, ResponseHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.wire.registry import Registry
from tests.intelligence.store.traffic import UPGRADED, arrivals, body, calls, request_head, rows

REGISTRY = Registry()
ROOT = Path(__file__).parents[3]
CORPUS = Path(os.environ.get("LLMITM_CORPUS") or ROOT.parent / "shared" / "corpus")


def exchanges():
    return [
        json.loads(line) for path in sorted(CORPUS.glob("*.jsonl")) for line in path.open(encoding="utf-8")
    ]


def content(text, encoding):
    return base64.b64decode(text) if encoding == "base64" else (text or "").encode()


def record(journal, exchange):
    raw = uuid7()
    socket = exchange["framing"] == "websocket"
    path = exchange["path"] or "/"
    target = REGISTRY.classify(exchange["host"], 443, exchange["method"], path, websocket=socket)
    target = target or REGISTRY.classify_any(exchange["method"], path, websocket=socket)
    head = request_head(
        method=exchange["method"],
        host=exchange["host"],
        path=path,
        headers=list(exchange["request_headers"].items()),
        provider=exchange["provider"],
        operation=target.operation if target else exchange["operation"],
        format=target.format if target else exchange["format"],
        model=None,
        stream=None,
        websocket=socket,
    )
    if socket:
        journal.request(raw, head, b"")
        journal.response(raw, UPGRADED)
        for head, data in messages(exchange):
            journal.message(raw, head, data)
    else:
        journal.request(raw, head, content(exchange["request_body"], exchange["request_encoding"]))
        headers = list(exchange["response_headers"].items())
        journal.response(raw, ResponseHead(exchange["response_status"], "", "HTTP/1.1", headers))
        data = content(exchange["response_body"], exchange["response_encoding"])
        for start in range(0, len(data), 997):
            journal.chunk(raw, data[start : start + 997])
    journal.end(raw, EndHead("complete"))
    return id_text(raw)


def messages(exchange):
    for message in json.loads(exchange["response_body"]):
        data = message["data"]
        text = data if isinstance(data, str) else json.dumps(data)
        yield MessageHead(message["dir"] == "out", True), text.encode()


@pytest.mark.skipif(not CORPUS.is_dir(), reason=f"no corpus at {CORPUS} (LLMITM_CORPUS)")
def test_every_exchange_is_stored_whole_and_read(tmp_path):
    journal = JournalWriter(tmp_path / "journal")
    recorded = {record(journal, exchange): exchange for exchange in exchanges()}
    journal.close()
    with closing(open_database(tmp_path / "traffic.db")) as db:
        with closing(Drain(db, tmp_path / "journal")) as drain:
            while drain.step():
                pass
        found = calls(db)
        odd = []
        for call_id, exchange in recorded.items():
            row = found[call_id]
            if exchange["framing"] == "websocket":
                kept = [p.data for p in arrivals(db, call_id, "messages")]
                assert kept == [data for _, data in messages(exchange)]
                continue
            sent = content(exchange["request_body"], exchange["request_encoding"])
            kept = body(db, call_id, "request")
            assert kept == sent or json.loads(kept) == json.loads(sent)
            assert body(db, call_id, "response") == content(
                exchange["response_body"], exchange["response_encoding"]
            )
            if "content-type-header-restored" in exchange["notes"]:
                continue  # what it says of the framing is not what the provider said
            failed = exchange["response_status"] >= 400 or bool(exchange["expected"].get("error"))
            if (row["state"] == "error") != failed:
                odd.append((exchange["id"], exchange["format"], exchange["framing"], row["error_message"]))
        assert {row["state"] for row in found.values()} <= {"complete", "error"}
        assert rows(db, "select * from events") == []
    assert odd == []
