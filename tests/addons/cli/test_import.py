"""`llmitm import`: what it takes in, what it leaves out, and that it can be run again."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from addons.cli.import_ import command
from tests.addons.cli.conftest import Place, place_in
from tests.addons.flows import START, chat_flow, flow, save, saved, socket_flow

CANARY = b"sk-canary-1234567890"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return place_in(tmp_path)


def run(place: Place, *args: object, code: int = 0) -> dict:
    result = invoke(place, "--json", *args)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def invoke(place: Place, *args: object) -> Result:
    """In this process: the command's imports take longer than what it does."""
    return CliRunner().invoke(command, [str(a) for a in args], env=place.env)


def rows(place: Place) -> list[dict]:
    with closing(sqlite3.connect(place.data_dir / "traffic.db")) as db:
        db.row_factory = sqlite3.Row
        sql = "select c.*, q.client_version, q.credential_kind, q.headers from calls c join requests q using (id)"
        return [dict(row) for row in db.execute(f"{sql} order by c.started_at")]


def test_a_call_is_stored_as_the_proxy_would_have_stored_it(place, tmp_path):
    other = flow("example.com", "/", b"", b"<html>", method="GET")
    report = run(place, save(tmp_path / "f", [chat_flow(), other]))
    assert report == {"imported": 1, "known": 0, "other": 1, "problems": [], "dry_run": False}
    (row,) = rows(place)
    assert row["started_at"] == round(START * 1000) and row["duration_ms"] == 900
    assert (row["client"], row["client_version"], row["credential_kind"]) == (
        "openai-python",
        "3.0.1",
        "api_key",
    )
    assert (row["provider"], row["operation"], row["model"]) == ("openai", "chat", "gpt-5.4-mini")
    assert (row["state"], row["text"], row["input_tokens"]) == ("complete", "Hi there", 9)
    # In how many pieces the answer came, and when the first token did, a flow file does not tell.
    assert row["chunks"] is None and row["ttft_ms"] is None
    assert not list((place.data_dir / "journal").iterdir())


def test_credentials_do_not_come_along(place, tmp_path):
    run(place, save(tmp_path / "f", [chat_flow(n) for n in range(3)]))
    for path in place.data_dir.rglob("*"):
        assert not path.is_file() or CANARY not in path.read_bytes(), path


def test_twice_gives_no_duplicates(place, tmp_path):
    path = save(tmp_path / "f", [chat_flow(n) for n in range(5)])
    assert run(place, path)["imported"] == 5
    before = rows(place)
    assert run(place, path) == {"imported": 0, "known": 5, "other": 0, "problems": [], "dry_run": False}
    more = save(tmp_path / "g", [chat_flow(9)])
    assert run(place, path, path, more)["imported"] == 1
    assert [row for row in rows(place) if row in before] == before and len(rows(place)) == 6


def test_the_same_flow_twice_in_one_file(place, tmp_path):
    made = chat_flow()
    report = run(place, save(tmp_path / "f", [made, made]))
    assert (report["imported"], report["known"]) == (1, 1) and len(rows(place)) == 1


def test_a_dry_run_stores_nothing(place, tmp_path):
    report = run(place, "--dry-run", save(tmp_path / "f", [chat_flow()]))
    assert report["imported"] == 1 and report["dry_run"]
    assert not place.data_dir.exists() or not list(place.data_dir.rglob("*.db"))


def test_a_damaged_file_keeps_what_is_sound(place, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(saved([chat_flow(n) for n in range(3)])[:-50])
    result = invoke(place, path)
    assert result.exit_code == 1 and "flow 3 (at byte" in result.stderr and "Traceback" not in result.stderr
    assert "2 calls imported" in result.stdout and len(rows(place)) == 2


def test_a_websocket_gives_a_row_for_each_response(place, tmp_path):
    def answer(n: int) -> list[tuple[bool, bytes]]:
        response = {
            "id": f"r{n}", "status": "completed", "model": "gpt-realtime",
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": f"no {n}"}]}],
            "usage": {"input_tokens": 3, "output_tokens": n, "total_tokens": 3 + n},
        }  # fmt: skip
        said = [
            {"type": "response.created", "response": {"id": f"r{n}"}},
            {"type": "response.done", "response": response},
        ]
        return [(True, b'{"type": "response.create"}'), *((False, json.dumps(m).encode()) for m in said)]

    made = socket_flow("api.openai.com", "/v1/realtime?model=gpt-realtime", [*answer(1), *answer(2)])
    path = save(tmp_path / "f", [made])
    assert run(place, path)["imported"] == 1 and run(place, path)["known"] == 1
    first, second = rows(place)
    assert (first["operation"], first["output_tokens"], second["output_tokens"]) == ("realtime", 1, 2)
    assert second["id"] == f"{first['id']}.2" and second["started_at"] == round((START + 1.3) * 1000)


def test_an_unknown_path_is_known_by_its_body(place, tmp_path):
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "x"}]}).encode()
    answer = json.dumps({"choices": [{"message": {"content": "y"}, "finish_reason": "stop"}]}).encode()
    flows = [
        flow("llm.corp.example", "/ask", body, answer),
        flow("llm.corp.example", "/ask", b'{"a": 1}', b"{}"),
    ]
    assert run(place, save(tmp_path / "f", flows))["imported"] == 1
    (row,) = rows(place)
    assert (row["provider"], row["model"], row["text"]) == (None, "m", "y")


def test_an_answer_that_the_file_lost_is_no_error_of_the_provider(place, tmp_path):
    made = chat_flow()
    assert made.response
    made.response.raw_content = None
    run(place, save(tmp_path / "f", [made]))
    (row,) = rows(place)
    assert row["state"] == "complete" and not row["text"] and row["input_tokens"] is None


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04", b"[1, 2]"])
def test_what_is_no_recording_is_refused(place, tmp_path, content):
    path = tmp_path / "f"
    path.write_bytes(content)
    result = invoke(place, path)
    assert result.exit_code == 1 and str(path) in result.stderr and "Traceback" not in result.stderr


def test_json_that_is_none_of_ours_is_told(place, tmp_path):
    path = tmp_path / "f"
    path.write_text('{"some": "json"}')
    assert run(place, path, code=1)["problems"] == [f"{path}: no HAR file: it has no log with entries"]


def test_more_than_one_segment_goes_through_a_running_worker(place, tmp_path):
    """And what an import that was killed has left is cleared away."""
    staging = place.data_dir / "importing"
    staging.mkdir(parents=True)
    (staging / "0-000001.seg").write_bytes(b"rest of an import that was killed")
    path = save(tmp_path / "f", [chat_flow(n, text="word " * 50_000) for n in range(80)])
    worker = place.start("worker")
    try:
        assert run(place, path)["imported"] == 80
    finally:
        worker.terminate()
        worker.wait(20)
    assert len(rows(place)) == 80 and not staging.exists()
