"""Our own export, read again: lines that are damaged are told, the others kept."""

from __future__ import annotations

import json

from intelligence.store import jsonl
from intelligence.store.exchange import Damaged, Exchange, Message, Reply, call_id
from intelligence.store.journal import EndHead
from tests.intelligence.store.traffic import request_head

ID = "019e7044-8ce2-7439-aafc-d00e9d853c07"


def exchange(**changes):
    values = {
        "id": call_id(ID.encode(), 1000),
        "started_us": 1000,
        "method": "POST",
        "scheme": "https",
        "host": "api.openai.com",
        "port": 443,
        "path": "/v1/chat/completions",
        "http_version": "HTTP/1.1",
        "headers": [(b"content-type", b"application/json"), (b"x-name", b"caf\xe9")],
        "body": "ü".encode(),
        "reply": Reply(200, "OK", "HTTP/1.1", [], 1500, [(1500, b"\xff\x00"), (1600, b"x")]),
        "end": EndHead("complete", request_ms=1.5),
        "ended_us": 1700,
        "client_address": None,
        "head": request_head(),
    }
    return Exchange(**(values | changes))


def line(made):
    return jsonl.line_of(made, {"id": ID, "text": "t"})


def test_what_is_written_is_read(tmp_path):
    path = tmp_path / "a"
    socket = exchange(
        websocket=True, messages=[Message(1200, True, True, b"{}"), Message(1300, False, False, b"\xff")]
    )
    socket.head.websocket = True
    path.write_text(line(exchange()) + "\n" + line(socket), encoding="utf-8")
    assert jsonl.looks_like(path.read_bytes())
    (_, first), (end, second) = jsonl.read(path)
    assert first.head.model == "gpt-4o" and end == path.stat().st_size
    for made, found in ((exchange(), first), (socket, second)):
        for name in (
            "id",
            "started_us",
            "body",
            "headers",
            "reply",
            "end",
            "ended_us",
            "messages",
            "websocket",
        ):
            assert getattr(found, name) == getattr(made, name), name


def test_lines_that_cannot_be_read_are_told(tmp_path):
    path = tmp_path / "a"
    good = json.loads(line(exchange()))
    bad = [
        good | {"llmitm": 99},
        {k: v for k, v in good.items() if k != "request"},
        good | {"request": good["request"] | {"port": "https"}},
        good | {"response": good["response"] | {"pieces": [[1, 1]]}},
    ]
    path.write_text("\n".join([*map(json.dumps, bad), "{", "[]", json.dumps(good)]), encoding="utf-8")
    found = [item for _, item in jsonl.read(path)]
    assert isinstance(found.pop(), Exchange)
    assert [isinstance(item, Damaged) and str(item).split(" ")[1] for item in found] == list("123456")
    assert "format 99" in str(found[0])
