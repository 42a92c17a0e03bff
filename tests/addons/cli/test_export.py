"""`llmitm export`: what leaves comes back the same, and is what each format asks for."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from addons.cli.export import command
from addons.cli.import_ import command as import_command
from tests.addons.cli.conftest import Place, place_in
from tests.addons.flows import START, chat_flow, flow, save, socket_flow

TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "d", "parameters": {"type": "object"}},
}
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bern"}'}}


def anthropic_flow() -> Any:
    """A stream, with the request in zstd and a tool used before."""
    said = [
        {"role": "user", "content": "Weather in Bern?"},
        {
            "role": "assistant",
            "content": [{"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Bern"}}],
        },
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "12 degrees"}]},
    ]
    tools = [{"name": "weather", "description": "d", "input_schema": {"type": "object"}}]
    body = {"model": "claude-x", "stream": True, "system": "Be brief", "messages": said, "tools": tools}
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {"model": "claude-x-1", "usage": {"input_tokens": 5, "output_tokens": 1}},
        },
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Twelve, zwölf"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 4}},
        {"type": "message_stop"},
    ]
    stream = "".join(f"event: {e['type']}\ndata: {json.dumps(e)}\n\n" for e in events).encode()
    return flow(
        "api.anthropic.com",
        "/v1/messages",
        json.dumps(body).encode(),
        stream,
        response_headers={"content-type": "text/event-stream"},
        at=START + 3600,
    )


def realtime_flow() -> Any:
    response = {
        "id": "r",
        "status": "completed",
        "model": "gpt-realtime",
        "output": [],
        "usage": {"total_tokens": 1},
    }
    said = [
        (True, b'{"type": "response.create"}'),
        (False, json.dumps({"type": "response.done", "response": response}).encode()),
    ] * 2
    return socket_flow("api.openai.com", "/v1/realtime?model=gpt-realtime", said, at=START + 7200)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """With a chat that called a tool, a stream, a failure and a WebSocket of two responses."""
    folder = tmp_path_factory.mktemp("export")
    place = place_in(folder)
    failed = chat_flow(2)
    assert failed.response
    failed.response.status_code = 429
    failed.response.raw_content = b'{"error": {"message": "slow down", "type": "rate_limit"}}'
    flows = [chat_flow(0, words="Grüezi", tools=[TOOL]), failed, anthropic_flow(), realtime_flow()]
    take_in(place, save(folder / "f", flows))
    return place


def take_in(place: Place, path: Path) -> dict[str, Any]:
    result = CliRunner().invoke(import_command, ["--json", str(path)], env=place.env)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def export(place: Place, *args: object, code: int = 0) -> Result:
    result = CliRunner().invoke(command, [str(a) for a in args], env=place.env)
    assert result.exit_code == code, result.output
    return result


def calls(place: Place) -> dict[str, dict[str, Any]]:
    with closing(sqlite3.connect(place.data_dir / "traffic.db")) as db:
        db.row_factory = sqlite3.Row
        return {row["id"]: dict(row) for row in db.execute("select * from calls")}


def differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    assert before.keys() == after.keys()
    return {c for i, row in before.items() for c in row if row[c] != after[i][c]}


@pytest.mark.parametrize("format_", ["jsonl", "har"])
def test_what_leaves_comes_back_the_same(place, tmp_path, format_):
    (tmp_path / "other").mkdir()
    other = place_in(tmp_path / "other")
    path = tmp_path / f"out.{format_}"
    export(place, "-f", format_, "-o", path)
    assert path.stat().st_mode & 0o077 == 0
    assert take_in(other, path)["imported"] == 4 and take_in(other, path)["known"] == 4
    assert differing(calls(place), calls(other)) == set()
    if format_ == "jsonl":
        again = tmp_path / "again.jsonl"
        export(other, "-o", again)
        assert again.read_bytes() == path.read_bytes()


def test_it_is_known_where_it_came_from(place, tmp_path):
    export(place, "-f", "har", "-o", tmp_path / "o")
    assert take_in(place, tmp_path / "o") == {
        "imported": 0, "known": 4, "other": 0, "problems": [], "dry_run": False,
    }  # fmt: skip


def test_a_line_holds_the_exchange_and_the_row(place):
    first = json.loads(export(place).stdout.splitlines()[0])
    assert (
        first["call"]["text"] == "Grüezi" and json.loads(first["request"]["body"])["model"] == "gpt-5.4-mini"
    )
    assert first["response"]["status_code"] == 200 and first["end"]["cause"] == "complete"
    assert "canary" not in json.dumps(first)


def test_har_is_har_1_2(place):
    log = json.loads(export(place, "-f", "har").stdout)["log"]
    assert (
        log["version"] == "1.2" and {"name", "version"} <= log["creator"].keys() and len(log["entries"]) == 4
    )
    for entry in log["entries"]:
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= entry.keys()
        assert entry["time"] == pytest.approx(sum(entry["timings"].values())) and entry["timings"].keys() == {
            "send", "wait", "receive",
        }  # fmt: skip
        request, response = entry["request"], entry["response"]
        assert request.keys() - {"postData"} == {
            "method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize",
        }  # fmt: skip
        assert response.keys() == {
            "status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize",
            "bodySize",
        }  # fmt: skip
        assert {"size", "mimeType"} <= response["content"].keys()
        assert all(h.keys() == {"name", "value"} for h in request["headers"] + response["headers"])
        # HAR allows custom fields that begin with an underscore.
        known = {"startedDateTime", "time", "request", "response", "cache", "timings"}
        assert all(key.startswith("_") for key in entry.keys() - known)


def test_csv_has_a_row_a_call(place):
    table = list(csv.DictReader(io.StringIO(export(place, "-f", "csv").stdout)))
    assert [row["id"] for row in table] == sorted(calls(place)) and table[0]["text"] == "Grüezi"
    assert table[1]["error_message"] == "slow down" and table[1]["input_tokens"] == ""


def test_a_transcript_says_everything_once(place):
    said = export(place, "-f", "markdown", "--provider", "anthropic").stdout
    assert said.startswith("# Weather in Bern?\n") and said.count("Be brief") == 1
    assert "**Calls `weather`**" in said and "12 degrees" in said and "Twelve, zwölf" in said


def test_fine_tuning_for_openai(place):
    lines = [json.loads(line) for line in export(place, "-f", "openai-jsonl").stdout.splitlines()]
    assert [line["messages"][-1]["content"] for line in lines] == ["Grüezi", "Twelve, zwölf"]
    assert lines[0]["tools"] == [TOOL]
    assert lines[1]["messages"][:4] == [
        {"role": "system", "content": "Be brief"},
        {"role": "user", "content": "Weather in Bern?"},
        {"role": "assistant", "content": None, "tool_calls": [CALL | {"id": "t", "function": {
            "name": "weather", "arguments": '{"city":"Bern"}'}}]},
        {"role": "tool", "tool_call_id": "t", "content": "12 degrees"},
    ]  # fmt: skip


def test_fine_tuning_for_anthropic(place):
    lines = [json.loads(line) for line in export(place, "-f", "anthropic-jsonl").stdout.splitlines()]
    assert lines[0]["messages"][-1] == {"role": "assistant", "content": "Grüezi"}
    made = lines[1]
    assert made["system"] == "Be brief" and [m["role"] for m in made["messages"]] == ["user", "assistant"] * 2
    assert made["messages"][1]["content"][0]["input"] == {"city": "Bern"}
    assert made["tools"] == [{"name": "weather", "description": "d", "input_schema": {"type": "object"}}]


@pytest.mark.parametrize(
    ("args", "count"),
    [
        (["--provider", "anthropic"], 1),
        (["--model", "claude-*"], 1),
        (["--model", "gpt-5.4-mini"], 2),
        (["--client", "openai-*"], 2),
        (["--since", "2026-05-28T21:00+00:00"], 3),
        (["--until", "2026-05-28T21:00+00:00"], 2),
        (["--text", "zwolf twelve"], 1),
        (["--text", 'nothing "says" this'], 0),
        (["--session", "none"], 0),
    ],
)
def test_filters(place, args, count):
    assert len(export(place, "-f", "csv", *args).stdout.splitlines()) == count + 1


def test_nothing_recorded_is_said(tmp_path):
    assert "nothing is recorded" in export(place_in(tmp_path), code=1).stderr


def test_a_time_that_is_none(place):
    assert "'soon' is no time" in export(place, "--since", "soon", code=2).stderr
