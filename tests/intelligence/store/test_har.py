"""HAR files of several makers, read and written."""

from __future__ import annotations

import base64
import json

import pytest

from intelligence.store import har
from intelligence.store.exchange import Damaged, Exchange

STREAM = 'data: {"id": "c"}\n\ndata: [DONE]\n\n'


def entry(**changes):
    values = {
        "startedDateTime": "2026-05-28T20:26:40.250Z",
        "time": 900.5,
        "request": {
            "method": "POST",
            "url": "https://api.openai.com/v1/chat/completions?a=b",
            "httpVersion": "http/2.0",
            "headers": [
                {"name": ":authority", "value": "api.openai.com"},
                {"name": "Content-Type", "value": "application/json"},
            ],
            "postData": {"mimeType": "application/json", "text": '{"model": "m", "ü": 1}'},
        },
        "response": {
            "status": 200,
            "statusText": "OK",
            "httpVersion": "http/2.0",
            "headers": [
                {"name": "content-type", "value": "text/event-stream"},
                {"name": "content-encoding", "value": "br"},
            ],
            "content": {"mimeType": "text/event-stream", "text": STREAM, "size": len(STREAM)},
        },
        "timings": {"blocked": -1, "connect": 40, "ssl": 20, "send": 1, "wait": 200, "receive": 659.5},
    }
    return values | changes


def write(path, entries, *, before="", after=""):
    listed = ",".join(json.dumps(e) for e in entries)
    path.write_text(
        f'{{"log": {{{before}"version": "1.2", "entries" : [{listed}]{after}}}}}', encoding="utf-8"
    )
    return path


def items(path):
    return [item for _, item in har.read(path)]


def test_an_entry(tmp_path):
    (found,) = items(write(tmp_path / "a.har", [entry()], after=', "pages": [{"id": "p", "title": "t"}]'))
    assert isinstance(found, Exchange) and found.reply and found.end
    assert (found.method, found.scheme, found.host, found.port) == ("POST", "https", "api.openai.com", 443)
    assert found.path == "/v1/chat/completions?a=b" and found.http_version == "HTTP/2.0"
    assert found.headers == [(b"Content-Type", b"application/json")]
    assert found.started_us == 1780000000_250000 and found.ended_us == found.started_us + 900500
    assert found.body == '{"model": "m", "ü": 1}'.encode()
    # The body is not encoded any more, so the header that says so is gone.
    assert found.reply.headers == [(b"content-type", b"text/event-stream")]
    assert found.reply.pieces == [(found.ended_us, STREAM.encode())]
    assert (found.end.connect_ms, found.end.tls_ms, found.end.request_ms) == (40, 20, 1)
    assert found.end.cause == "complete" and found.end.untimed


def test_a_body_in_base64(tmp_path):
    made = entry()
    made["response"]["content"] = {"text": base64.b64encode(b"\x00\xff").decode(), "encoding": "base64"}
    (found,) = items(write(tmp_path / "a.har", [made]))
    assert found.reply.pieces[0][1] == b"\x00\xff"


def test_events_and_messages_where_chrome_puts_them(tmp_path):
    streamed, socket = entry(), entry()
    del streamed["response"]["content"]["text"]
    streamed["_eventSourceMessages"] = [
        {"time": 1780000000.5, "eventName": "message", "eventId": "", "data": "one\ntwo"},
        {"time": 1780000000.75, "eventName": "done", "eventId": "", "data": "{}"},
    ]
    socket["response"]["status"] = 101
    socket["request"]["url"] = "wss://api.openai.com/v1/realtime?model=m"
    socket["_webSocketMessages"] = [
        {"type": "send", "time": 1780000001.5, "opcode": 1, "data": "{}"},
        {"type": "receive", "time": 1780000002, "opcode": 2, "data": "AP8="},
    ]
    first, second = items(write(tmp_path / "a.har", [streamed, socket]))
    assert first.reply.pieces == [
        (1780000000_500000, b"data: one\ndata: two\n\n"),
        (1780000000_750000, b"event: done\ndata: {}\n\n"),
    ]
    assert not first.end.untimed
    assert second.websocket and second.scheme == "https" and second.ended_us == 1780000002_000000
    assert [(m.from_client, m.text, m.data) for m in second.messages] == [
        (True, True, b"{}"),
        (False, False, b"\x00\xff"),
    ]


def test_an_answer_without_its_body_says_so(tmp_path):
    made = entry()
    del made["response"]["content"]["text"]
    (found,) = items(write(tmp_path / "a.har", [made]))
    assert found.reply.pieces is None and found.missing


def test_the_same_entry_has_the_same_id(tmp_path):
    other = entry(startedDateTime="2026-05-28T20:26:41+00:00")
    first, again, third = items(write(tmp_path / "a.har", [entry(), entry(), other]))
    assert first.id == again.id != third.id


def test_entries_are_found_behind_anything(tmp_path):
    before = f'"comment": {json.dumps(chr(34) + "entries" + chr(34) + ": [{}" + "x" * 600_000)}, '
    assert len(items(write(tmp_path / "a.har", [entry()] * 3, before=before))) == 3


def test_a_file_that_is_cut_off_keeps_what_is_whole(tmp_path):
    path = write(tmp_path / "a.har", [entry()] * 3)
    path.write_bytes(path.read_bytes()[:-300])
    *kept, damaged = items(path)
    assert len(kept) == 2 and str(damaged) == "the file stops being readable behind entry 2"


@pytest.mark.parametrize(
    "changes",
    [{"startedDateTime": "yesterday"}, {"request": {}}, {"request": {"url": "/x"}}, {"request": None}],
)
def test_an_entry_that_makes_no_sense_is_told(tmp_path, changes):
    damaged, found = items(write(tmp_path / "a.har", [entry(**changes), entry()]))
    assert isinstance(damaged, Damaged) and "entry 1 cannot be read" in str(damaged)
    assert isinstance(found, Exchange)


def test_no_har(tmp_path):
    path = tmp_path / "a.har"
    path.write_text('{"a": 1}')
    (damaged,) = items(path)
    assert "no HAR file" in str(damaged)


def test_what_is_written_is_read_again(tmp_path):
    (found,) = items(write(tmp_path / "a.har", [entry()]))
    made = har.entry_of(found)
    assert set(made) >= {"startedDateTime", "time", "request", "response", "cache", "timings"}
    assert made["time"] == sum(made["timings"].values())
    again = har.exchange_of(made)
    assert (again.started_us, again.ended_us, again.body) == (found.started_us, found.ended_us, found.body)
    assert again.reply.pieces == found.reply.pieces and again.headers == found.headers
