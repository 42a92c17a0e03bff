"""The calls on a WebSocket, through journal and drain."""

import json
from contextlib import closing

import pytest

from intelligence.store.bodies import FROM_CLIENT, TEXT
from intelligence.store.drain import Drain
from intelligence.store.ids import id_text, uuid7
from intelligence.store.journal import EndHead, ResponseHead
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from tests.intelligence.store.traffic import (
    CLIENT,
    JSON,
    SERVER,
    UPGRADED,
    arrivals,
    body,
    calls,
    everything,
    rows,
    socket_head,
    turn,
)


@pytest.fixture
def journal(tmp_path):
    writer = JournalWriter(tmp_path / "journal")
    yield writer
    writer.close()


@pytest.fixture
def db(tmp_path, journal):
    with closing(open_database(tmp_path / "traffic.db")) as connection:
        yield connection


def step(db, tmp_path):
    """A worker of its own for each step, so that nothing is known but what is stored."""
    with closing(Drain(db, tmp_path / "journal")) as drain:
        while drain.step():
            pass
        return drain.stored


def opened(journal):
    raw = uuid7()
    journal.request(raw, socket_head(), b"")
    journal.response(raw, UPGRADED)
    return raw


def say(journal, raw, messages):
    for head, data in messages:
        journal.message(raw, head, data)


@pytest.mark.parametrize("restarts", [False, True])
def test_each_response_asked_for_is_a_row(tmp_path, journal, db, restarts):
    raw = opened(journal)
    first, second = id_text(raw), id_text(raw) + ".2"
    if restarts:
        step(db, tmp_path)
        assert calls(db)[first]["state"] == "pending"
    say(journal, raw, turn(1, "one", " two")[:3])
    if restarts:
        step(db, tmp_path)
        row = calls(db)[first]
        assert (row["state"], row["model"], row["stream"]) == ("pending", "gpt-5", 1)
    say(journal, raw, turn(1, "one", " two")[3:])
    if restarts:
        assert step(db, tmp_path) == 1
        assert calls(db)[first]["state"] == "complete"
    say(journal, raw, turn(2, "three")[:2])
    if restarts:
        step(db, tmp_path)
        assert calls(db)[second]["state"] == "pending"
    say(journal, raw, turn(2, "three")[2:])
    journal.end(raw, EndHead("client_left", close_code=1005))
    step(db, tmp_path)
    found = calls(db)
    assert list(found) == [first, second]
    common = {
        "provider": "openai",
        "operation": "responses",
        "model": "gpt-5",
        "response_model": "gpt-5-2026",
        "stream": 1,
    }
    for call_id, text, tokens, chunks in ((first, "one two", (10, 2), 4), (second, "three", (20, 1), 3)):
        row = found[call_id]
        assert {key: row[key] for key in common} == common
        assert (row["state"], row["status_code"], row["text"]) == ("complete", 101, text)
        assert (row["input_tokens"], row["output_tokens"]) == tokens
        assert row["chunks"] == chunks
        assert 0 < row["ttft_ms"] <= row["duration_ms"]
        asked = json.loads(body(db, call_id, "request"))
        assert asked["input"][0]["content"] == f"question {1 if call_id == first else 2}"
    assert found[first]["started_at"] <= found[second]["started_at"]
    messages = [*turn(1, "one", " two"), *turn(2, "three")]
    kept = arrivals(db, first, "messages")
    assert [(p.flags, p.data) for p in kept] == [
        (h.from_client * FROM_CLIENT | TEXT, data) for h, data in messages
    ]
    assert rows(db, "select ended, close_code from responses") == [
        {"ended": "client_left", "close_code": 1005},
        {"ended": "complete", "close_code": None},
    ]
    assert everything(db)["open"] == []


@pytest.mark.parametrize(
    ("cause", "state"),
    [("client_left", "aborted"), ("upstream_error", "error"), ("proxy_stopped", "interrupted")],
)
def test_a_response_cut_off_keeps_what_had_come(tmp_path, journal, db, cause, state):
    raw = opened(journal)
    say(journal, raw, [*turn(1, "whole"), *turn(2, "par", "tial", done=False)])
    step(db, tmp_path)
    journal.end(raw, EndHead(cause))
    step(db, tmp_path)
    assert [(r["state"], r["text"]) for r in calls(db).values()] == [
        ("complete", "whole"),
        (state, "partial"),
    ]


def test_a_run_that_died_interrupts_what_was_open(tmp_path, db):
    other = JournalWriter(tmp_path / "journal")
    raw = opened(other)
    say(other, raw, [*turn(1, "whole"), *turn(2, "partial", done=False)])
    other.close()
    step(db, tmp_path)
    assert [(r["state"], r["text"]) for r in calls(db).values()] == [
        ("complete", "whole"),
        ("interrupted", "partial"),
    ]


def test_a_socket_that_asks_for_nothing_is_one_row(tmp_path, journal, db):
    raw = opened(journal)
    say(journal, raw, [(SERVER, b'{"type": "session.created", "session": {}}'), (CLIENT, b"\x00 no JSON")])
    step(db, tmp_path)
    journal.end(raw, EndHead("client_left", close_code=1001))
    step(db, tmp_path)
    (row,) = calls(db).values()
    assert (row["state"], row["text"], row["error_type"], row["chunks"]) == ("complete", None, None, 1)
    assert [p.data for p in arrivals(db, row["id"], "messages")][1] == b"\x00 no JSON"


def test_a_refused_upgrade_is_an_error(tmp_path, journal, db):
    raw = uuid7()
    journal.request(raw, socket_head(), b"")
    journal.response(raw, ResponseHead(401, "Unauthorized", "HTTP/1.1", JSON))
    journal.chunk(raw, b'{"error": {"message": "bad key", "type": "invalid_request_error"}}')
    journal.end(raw, EndHead("complete"))
    step(db, tmp_path)
    (row,) = calls(db).values()
    assert (row["state"], row["status_code"], row["error_message"]) == ("error", 401, "bad key")
    assert b"bad key" in body(db, row["id"], "response")


def test_messages_whose_request_was_lost_are_kept(tmp_path, journal, db):
    raw = uuid7()
    journal.message(raw, CLIENT, b"{}")
    step(db, tmp_path)
    journal.message(raw, SERVER, b"{}")
    journal.end(raw, EndHead("complete"))
    step(db, tmp_path)
    (row,) = calls(db).values()
    assert row["state"] == "complete"
    assert len(arrivals(db, row["id"], "messages")) == 2
