from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest

from datasette_plugins import progress
from datasette_plugins.progress import AT_ONCE, Answers
from intelligence.store.bodies import Piece, pack
from tests.datasette_plugins import records


@pytest.fixture(autouse=True)
def by_name(db: sqlite3.Connection) -> None:
    db.row_factory = sqlite3.Row


def say(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


def think(text: str) -> bytes:
    delta = {"reasoning_content": text}
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


class Stream:
    """A running call as the worker keeps it."""

    def __init__(self, db: sqlite3.Connection, **columns: Any) -> None:
        self.db = db
        call_id = records.add_call(db, state="pending", status_code=200, **columns)
        self.seq = db.execute("select seq from requests where id = ?", (call_id,)).fetchone()[0]
        self.chunks = self.bytes = self.at_us = 0

    def grow(self, *pieces: bytes, every_us: int = 100_000, parts: int = 0) -> None:
        grown = []
        for data in pieces:
            self.at_us += every_us
            grown.append(Piece(self.at_us, data))
        self.chunks += len(pieces)
        self.bytes += sum(map(len, pieces))
        self.db.execute(
            "replace into open_calls values (?, ?, ?, ?, ?, ?)",
            (self.seq, 0, self.at_us, self.chunks, self.bytes, parts),
        )
        if grown and not parts:
            self.db.execute(
                "insert into open_chunks (request, data, arrivals) values (?, ?, ?)", (self.seq, *pack(grown))
            )


def told(answers: Answers, db: sqlite3.Connection) -> dict[int, dict[str, str]]:
    answers.again()
    told = {}
    while answers.waiting:
        told |= {found.seq: found.values for found in answers.read(db)}
    return told


def test_an_answer_grows(db: sqlite3.Connection) -> None:
    answers, stream = Answers(), Stream(db)
    stream.grow(say("Because "), say("light "))
    first = told(answers, db)[stream.seq]
    assert (first["preview"], first["output_tokens"], first["ttft"]) == ("Because light", "≈ 4", "100 ms")
    assert first["progress"].startswith("2 pieces, ")
    assert told(answers, db) == {}, "nothing came"
    stream.grow(*(say("is scattered ") for _ in range(8)))
    later = told(answers, db)[stream.seq]
    assert later["preview"].startswith("Because light is scattered is scattered")
    assert later["output_tokens"] == "≈ 30"
    assert later["progress"].endswith(", 33/s")


def test_of_a_long_answer_the_end_is_shown(db: sqlite3.Connection) -> None:
    answers, stream = Answers(), Stream(db)
    stream.grow(*(say(f"word{n} ") for n in range(200)))
    preview = told(answers, db)[stream.seq]["preview"]
    assert preview.startswith("…") and preview.endswith("word199") and len(preview) <= progress.SHOWN + 1


def test_thinking_is_told_until_something_is_said(db: sqlite3.Connection) -> None:
    answers, stream = Answers(), Stream(db)
    stream.grow(think("hm, "), think("sky"))
    assert told(answers, db)[stream.seq]["preview"] == "thinking: hm, sky"
    stream.grow(say("Blue."))
    assert told(answers, db)[stream.seq]["preview"] == "Blue."


def test_what_no_one_can_tell_is_not_told(db: sqlite3.Connection) -> None:
    """A body that is no stream, and a WebSocket: numbers, but no tokens."""
    answers = Answers()
    for columns in ({"stream": 0}, {"websocket": 1}):
        stream = Stream(db, **columns)
        stream.grow(say("x"))
        assert set(told(answers, db)[stream.seq]) == {"progress"}


def test_beyond_what_is_read_tokens_follow_the_bytes(
    db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers, stream = Answers(), Stream(db)
    stream.grow(*(say("abcd") for _ in range(10)))
    assert told(answers, db)[stream.seq]["output_tokens"] == "≈ 10"
    monkeypatch.setattr(progress, "MOST_BYTES", 1)
    stream.grow(*(say("abcd") for _ in range(10)))
    assert told(answers, db)[stream.seq]["output_tokens"] == "≈ 20"
    late = Stream(db)
    late.grow(say("abcd"))
    assert set(told(answers, db)[late.seq]) == {"progress"}, "begun too late to be read from its beginning"


def test_an_answer_that_was_put_away_in_parts(db: sqlite3.Connection) -> None:
    answers, stream = Answers(), Stream(db)
    stream.grow(say("abcd"))
    told(answers, db)
    db.execute("delete from open_chunks")
    stream.grow(say("abcd"), parts=1)
    assert told(answers, db)[stream.seq]["output_tokens"] == "≈ 2"


def test_not_more_than_so_many(db: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MOST_ANSWERS", 1)
    answers = Answers()
    streams = [Stream(db), Stream(db)]
    for stream in streams:
        stream.grow(say("abcd"))
    assert sum("preview" in values for values in told(answers, db).values()) == 1
    db.execute("delete from open_calls where request = ?", (streams[1].seq,))
    told(answers, db)
    streams[0].grow(say("abcd"))
    assert "preview" in told(answers, db)[streams[0].seq], "there is room again"


def test_hostile_bytes(db: sqlite3.Connection) -> None:
    answers, stream = Answers(), Stream(db)
    stream.grow(b"\xff\xfe\x00data: {", b"}\n\ndata: [[[[\n\n", say(records.HOSTILE))
    assert "{% raw %}" in told(answers, db)[stream.seq]["preview"]


def test_a_look_reads_some_and_the_next_goes_on(db: sqlite3.Connection) -> None:
    answers = Answers()
    for _ in range(2 * AT_ONCE + 1):
        Stream(db).grow(say("word " * 20))
    answers.again()
    looks = []
    while answers.waiting:
        looks.append({found.seq for found in answers.read(db)})
    assert [len(look) for look in looks] == [AT_ONCE, AT_ONCE, 1] and len(
        set().union(*looks)
    ) == 2 * AT_ONCE + 1
    assert told(answers, db) == {}
