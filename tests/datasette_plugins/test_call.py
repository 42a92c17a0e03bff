from __future__ import annotations

import json
import sqlite3

from datasette_plugins.guard import RAW_CSP
from intelligence.store.bodies import FROM_CLIENT, TEXT, Piece, compress, pack
from tests.datasette_plugins import records
from tests.datasette_plugins.conftest import Site, as_user

AGENT = {
    "model": "claude-opus-4-5",
    "max_tokens": 32000,
    "system": [{"type": "text", "text": "You are careful."}],
    "tools": [{"name": "Bash", "description": "Runs a command.", "input_schema": {"type": "object"}}],
    "messages": [
        {"role": "user", "content": "Mend the test."},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "First look.", "signature": "s"},
                {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls -l"}},
            ],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "total 0"}]},
    ],
}
ANTHROPIC = {
    "provider": "anthropic",
    "format": "anthropic-messages",
    "path": "/v1/messages",
    "host": "api.anthropic.com",
    "client": "claude-code",
}


async def test_request_answer_and_facts(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(
        db,
        request=AGENT,
        answer=[(210, b"data: {}\n\n"), (300, b"data: {}\n\n")],
        text="Mended.",
        reasoning="I should look first.",
        tool_calls=json.dumps([{"id": "t2", "name": "Edit", "arguments": '{"path":"a.py"}'}]),
        usage_raw='{"input_tokens":12}',
        reasoning_tokens=7,
        cache_read_tokens=4000,
        connect_ms=12.0,
        client_version="2.0.14",
        **ANTHROPIC,
    )
    page = (await site.get(f"/-/calls/{call_id}")).text
    for shown in (
        "You are careful.",
        "Mend the test.",
        "ls -l",
        "total 0",
        "Mended.",
        "I should look first.",
        "Edit",
        "claude-code 2.0.14",
        "4,000 from cache",
        "7 reasoning",
        "max_tokens",
        "32000",
        "12 ms",
        'class="profile"',
        "2 pieces",
        "https://api.anthropic.com/v1/messages",
        f"/-/calls/{call_id}/request",
    ):
        assert shown in page, shown


async def test_an_error_is_in_sight(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(
        db, state="error", status_code=529, error_type="overloaded_error", error_message="Try later", text=""
    )
    page = (await site.get(f"/-/calls/{call_id}")).text
    assert "error 529" in page and "overloaded_error" in page and "Try later" in page


async def test_what_cannot_be_read_is_there_as_it_was_sent(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db, request=b"\x00\xff not json", format=None, operation=None, text=None)
    page = (await site.get(f"/-/calls/{call_id}")).text
    assert "a form llmitm does not read yet" in page
    raw = await site.get(f"/-/calls/{call_id}/request")
    assert raw.text == "\x00\\xff not json"


async def test_a_call_of_nothing_but_a_row(site: Site, db: sqlite3.Connection) -> None:
    """As the worker leaves it when the request's frame was lost."""
    db.execute(
        "insert into requests (id, run, state, started_at, websocket, body_redacted, truncated) "
        "values ('lost', 'run', 'interrupted', 1790000000000, 0, 0, 1)"
    )
    response = await site.get("/-/calls/lost")
    assert response.status_code == 200
    assert "Part of this record was lost" in response.text


async def test_what_has_come_of_a_running_call(site: Site, db: sqlite3.Connection) -> None:
    waiting = await site.get(f"/-/calls/{records.add_call(db, state='pending')}")
    assert waiting.status_code == 200
    assert "Nothing has been stored of it yet" in waiting.text

    call_id = records.add_call(db, state="pending", status_code=200)
    event = {"choices": [{"index": 0, "delta": {"content": "As far as I know"}}]}
    data, arrivals = pack([Piece(5_000, f"data: {json.dumps(event)}\n\n".encode())])
    db.execute(
        "insert into open_chunks (request, data, arrivals) select seq, ?, ? from requests where id = ?",
        (data, arrivals, call_id),
    )
    assert "As far as I know" in (await site.get(f"/-/calls/{call_id}")).text


async def test_a_response_on_a_websocket(site: Site, db: sqlite3.Connection) -> None:
    first = records.add_call(db, websocket=1, operation="realtime", format="openai-realtime", request=b"")
    second = records.add_call(db, websocket=1, call_id=f"{first}.2", ttft_ms=2.5)
    sent = [
        Piece(0, b'{"type":"response.create"}', FROM_CLIENT | TEXT),
        Piece(40_000, b'{"type":"response.done"}', TEXT),
        Piece(90_000, b"\x00\x01", 0),
    ]
    data, arrivals = pack(sent)
    db.execute(
        "insert into bodies (request, kind, part, bytes, data, arrivals) "
        "select seq, 'messages', 0, ?, ?, ? from requests where id = ?",
        (len(data), compress(data), compress(arrivals), first),
    )
    page = (await site.get(f"/-/calls/{second}")).text
    for shown in ("response.create", "response.done", "2 B of binary", "of the whole connection", "2 pieces"):
        assert shown in page, shown
    assert "first token 2.5 ms" not in page


async def test_no_such_call(site: Site, db: sqlite3.Connection) -> None:
    for path in ("/-/calls/x", "/-/calls/x/request", "/-/calls/%2e%2e%2ftraffic.db", "/-/calls/' or 1=1--"):
        response = await site.get(path, follow_redirects=True)
        assert response.status_code == 404
        assert "Traceback" not in response.text


async def test_a_raw_body_is_inert(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(
        db, request=b"<html><script>alert(1)</script>", answer=[(1, b"<svg onload=alert(1)>")]
    )
    for side in ("request", "response"):
        raw = await site.get(f"/-/calls/{call_id}/{side}")
        assert raw.headers["content-type"] == "text/plain; charset=utf-8"
        assert raw.headers["content-security-policy"] == RAW_CSP
        assert raw.headers["x-content-type-options"] == "nosniff"


async def test_nothing_is_cached(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db)
    for path in ("/", f"/-/calls/{call_id}", f"/-/calls/{call_id}/request", "/traffic/calls.json"):
        assert "no-store" in (await site.get(path)).headers["cache-control"], path


async def test_policy_has_its_place(site: Site, db: sqlite3.Connection) -> None:
    call_id = records.add_call(db)
    assert 'id="policy-title"' not in (await site.get(f"/-/calls/{call_id}")).text, "nothing to tell"
    (seq,) = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()
    db.execute(
        "insert into decisions (request, at, direction, rule, action, mode, acted, reason, policy)"
        " values (?, 1, 'request', 'keys-stay', 'redact', 'enforce', 1, 'a key of <b>AWS</b>', 'v1')",
        (seq,),
    )
    db.execute(
        "insert into rewrites (request, at, direction, rule, reason, pointer, before, after)"
        " values (?, 1, 'request', 'keys-stay', 'redacted', '/messages/0', null, '<SECRET_1>')",
        (seq,),
    )
    db.executemany(
        "insert into detections (request, at, direction, kind, type, score, pointer, start, end, source, digest)"
        " values (?, 1, 'request', 'secret', 'aws_key', 0.98, '/messages/0', ?, 9, 'user', 'd')",
        [(seq, 1), (seq, 5)],
    )
    page = (await site.get(f"/-/calls/{call_id}")).text
    assert "<b>redact</b>" in page and "a key of &lt;b&gt;AWS&lt;/b&gt;" in page
    assert "What stood there is not kept." in page and "<ins>&lt;SECRET_1&gt;</ins>" in page
    assert "2 times" in page and "score 0.98" in page


async def test_what_was_rewritten_is_shown_word_by_word(
    locked: Site, db: sqlite3.Connection, tokens: dict[str, str]
) -> None:
    asked = {"model": "m", "messages": [{"role": "user", "content": "send it with <SECRET> to the server"}]}
    call_id = records.add_call(db, request=asked)
    db.execute(
        "insert into rewrites (request, at, direction, rule, reason, pointer, before, after)"
        " select seq, 1, 'request', 'keys', 'a key', '/messages/0/content', 'KEY-123', '<SECRET>' from requests"
    )
    page = (await locked.get(f"/-/calls/{call_id}", headers=as_user(tokens["reviewer"]))).text
    assert "send it with <del>KEY-123</del><ins>&lt;SECRET&gt;</ins> to the server" in page
    page = (await locked.get(f"/-/calls/{call_id}", headers=as_user(tokens["viewer"]))).text
    assert "KEY-123" not in page and "not shown to you" in page
