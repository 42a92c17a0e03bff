from __future__ import annotations

import gzip
import json
import sqlite3

import pytest

from datasette_plugins import record
from intelligence.store.bodies import FROM_CLIENT, TEXT, Piece, compress, pack
from tests.datasette_plugins import records


@pytest.fixture
def reading(db: sqlite3.Connection) -> sqlite3.Connection:
    db.row_factory = sqlite3.Row
    return db


def test_bodies_and_when_they_came(reading: sqlite3.Connection) -> None:
    call_id = records.add_call(
        reading, request=b'{"a": 1}', answer=[(210.5, b"data: 1\n\n"), (300, b"data: 2\n\n")]
    )
    found = record.read(reading, call_id)
    assert found is not None
    assert found.request_body == b'{"a": 1}'
    assert found.response_body == b"data: 1\n\ndata: 2\n\n"
    assert found.arrivals == [(210.5, 9), (300.0, 9)]
    assert found.row["response_headers"] == [("content-type", "text/event-stream")]
    assert not found.cut


def test_a_compressed_answer_is_decoded(reading: sqlite3.Connection) -> None:
    packed = gzip.compress(b"data: hello\n\n")
    call_id = records.add_call(
        reading, headers=json.dumps([["Content-Encoding", "gzip"]]), answer=[(1, packed[:9]), (2, packed[9:])]
    )
    reading.execute('update responses set headers = \'[["Content-Encoding", "gzip"]]\'')
    reading.execute("update requests set headers = '[]'")
    found = record.read(reading, call_id)
    assert found is not None
    assert found.response_body == b"data: hello\n\n"
    assert found.response_raw == packed


def test_a_huge_answer_is_cut(reading: sqlite3.Connection) -> None:
    piece = b"x" * 1_000_000
    call_id = records.add_call(reading, answer=[(n, piece) for n in range(6)])
    found = record.read(reading, call_id)
    assert found is not None and found.cut
    assert len(found.response_body) == record.SHOWN_BYTES
    whole = record.body(reading, call_id, "response", 10_000_000)
    assert whole is not None and len(whole) == 6_000_000


def test_a_call_that_still_runs(reading: sqlite3.Connection) -> None:
    call_id = records.add_call(reading, state="pending", status_code=200)
    data, arrivals = pack([Piece(5_000, b"data: so far\n\n")])
    reading.execute(
        "insert into open_chunks (request, data, arrivals) select seq, ?, ? from requests", (data, arrivals)
    )
    found = record.read(reading, call_id)
    assert found is not None
    assert found.response_body == b"data: so far\n\n"
    assert found.arrivals == [(5.0, 14)]


def test_responses_of_one_websocket_share_its_messages(reading: sqlite3.Connection) -> None:
    first = records.add_call(reading, websocket=1)
    second = records.add_call(reading, websocket=1, call_id=f"{first}.2")
    data, arrivals = pack(
        [Piece(0, b'{"type":"response.create"}', FROM_CLIENT | TEXT), Piece(7_000, b"\x00\x01", 0)]
    )
    reading.execute(
        "insert into bodies (request, kind, part, bytes, data, arrivals) "
        "select seq, 'messages', 0, ?, ?, ? from requests where id = ?",
        (len(data), compress(data), compress(arrivals), first),
    )
    for call_id in (first, second):
        found = record.read(reading, call_id)
        assert found is not None
        assert [(m.from_client, m.text, m.size) for m in found.messages] == [
            (True, '{"type":"response.create"}', 26),
            (False, None, 2),
        ]
        assert found.arrivals == [(7.0, 2)]


def test_no_such_call(reading: sqlite3.Connection) -> None:
    assert record.read(reading, "x") is None
    assert record.body(reading, "x", "request", 1) is None
