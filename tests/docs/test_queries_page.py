"""Each example of docs/queries.md is run on a record that has something of everything."""

import json
import re
import sqlite3
import time
from contextlib import closing
from pathlib import Path

import pytest

from intelligence.store import queries
from intelligence.store.drain import Drain
from intelligence.store.journal_writer import JournalWriter
from intelligence.store.migrations import open_database
from intelligence.store.pricing import Prices
from intelligence.store.reading import read_some
from tests.intelligence.store.traffic import call, delta, event, request_head, stream

PAGE = (Path(__file__).parents[2] / "docs" / "queries.md").read_text("utf-8")
EXAMPLES = re.findall(r"```sql\n(.*?)```", PAGE, re.S)


def body(*texts: str, system: str = "You are terse.") -> bytes:
    messages = [{"role": "system", "content": system}]
    for n, text in enumerate(texts):
        messages.append({"role": "user" if n % 2 == 0 else "assistant", "content": text})
    tools = [{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city"}}]
    return json.dumps({"model": "gpt-4o", "stream": True, "messages": messages, "tools": tools}).encode()


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("record")
    with closing(JournalWriter(folder / "journal")) as journal:
        call(journal, stream("Sunny"), body=body("What is the weather in Paris?"))
        usage = {
            "prompt_tokens": 100,
            "completion_tokens": 5,
            "total_tokens": 105,
            "prompt_tokens_details": {"cached_tokens": 50},
        }
        asked = {"index": 0, "id": "t1", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}
        answer = [delta("Let me look. ")]
        answer += [
            event(choices=[{"index": 0, "delta": {"tool_calls": [asked]}, "finish_reason": "tool_calls"}])
        ]
        answer += [event(choices=[], usage=usage), b"data: [DONE]\n\n"]
        call(journal, answer, body=body("What is the weather in Paris?", "Sunny", "And in Oslo?"))
        call(journal, [b'{"error": {"message": "slow down"}}'], status=429, body=body("hello"))
        call(journal, stream("Hi"), head=request_head(model="my-own"), body=body("hello"))
        time.sleep(0.002)  # a duration beyond the first token's
    with closing(open_database(folder / "traffic.db")) as db, closing(Drain(db, folder / "journal")) as drain:
        while drain.step():
            pass
        while read_some(db, Prices()):
            pass
    with closing(queries.connect(folder / "traffic.db")) as db:
        yield db


def test_there_are_examples_for_every_view():
    views = ("calls", "sessions_overview", "messages_text", "daily_cost")
    for name in (*views, "rollup_hourly", "rollup_daily", "contexts"):
        assert any(re.search(rf"\b(from|join) {name}\b", sql) for sql in EXAMPLES), name


@pytest.mark.parametrize("sql", EXAMPLES, ids=[" ".join(sql.split())[:60] for sql in EXAMPLES])
def test_each_example_finds_something(record: sqlite3.Connection, sql: str) -> None:
    found = record.execute(sql).fetchall()
    assert found, sql
