"""The providers' own Python SDKs and httpx, unmodified, through the real proxy: each call is one row that says what they saw."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.e2e.clients import TOOL, Ask, Rig, check, check_all, program, recorded

GPT, CODEX, CLAUDE, GEMINI = "gpt-5.2", "gpt-5.2-codex", "claude-sonnet-4-6", "gemini-3-flash"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with recorded(tmp_path_factory.mktemp("python")) as rig:
        yield rig


def test_openai(rig: Rig) -> None:
    asks = [
        Ask("chat", "why is the sky blue", GPT),
        Ask("chat", "why is the sea blue [[offline: thinking]]", GPT, stream=True),
        Ask("chat", TOOL, GPT, tool=True),
        Ask("chat", TOOL, GPT, tool=True, stream=True),
        Ask("responses", "tell of trees", CODEX),
        Ask("responses", "tell of bees [[offline: encoding=gzip]]", CODEX, stream=True),
        Ask("responses", TOOL, CODEX, tool=True),
        Ask("responses", TOOL, CODEX, tool=True, stream=True),
    ]
    seen = rig.run(program("openai_sdk.py"), asks)
    assert len(seen) == 12
    expected = {
        "provider": "openai",
        "host": "api.openai.com",
        "client": "openai-python",
        "operation": {"chat": "chat", "responses": "responses"},
    }
    check_all(seen, rig.rows(), asks, expected)


def test_openai_embeddings(rig: Rig) -> None:
    ask = Ask("embeddings", "embed me", "text-embedding-3-small")
    (seen,) = rig.run(program("openai_sdk.py"), [ask])
    (row,) = rig.rows()
    check(
        seen, row, ask, provider="openai", client="openai-python", operation="embeddings", output_tokens=None
    )


def test_openai_realtime(rig: Rig) -> None:
    """One WebSocket, two responses asked for: two rows."""
    asks = [Ask("realtime", TOOL, "gpt-realtime", tool=True, stream=True)]
    seen = rig.run(program("openai_sdk.py"), asks)
    assert [one["tool_calls"] for one in seen] == [["get_weather"], []]
    expected = {"provider": "openai", "client": "openai-python", "operation": "realtime", "status_code": 101}
    check_all(seen, rig.rows(), asks, expected)


def test_anthropic(rig: Rig) -> None:
    asks = [
        Ask("messages", "why is the sky blue", CLAUDE),
        Ask("messages", "why is the sea blue [[offline: thinking]]", CLAUDE, stream=True),
        Ask("messages", TOOL, CLAUDE, tool=True),
        Ask("messages", TOOL, CLAUDE, tool=True, stream=True),
        Ask("count_tokens", "how long is this", CLAUDE),
    ]
    seen = rig.run(program("anthropic_sdk.py"), asks)
    assert len(seen) == 7
    assert seen[0]["cache_write_tokens"] > 0 and seen[1]["cache_read_tokens"] > 0
    expected = {
        "provider": "anthropic",
        "host": "api.anthropic.com",
        "client": "anthropic-python",
        "operation": {"messages": "chat", "count_tokens": "count_tokens"},
    }
    check_all(seen, rig.rows(), asks, expected)


def test_google_genai(rig: Rig) -> None:
    asks = [
        Ask("generate_content", "why is the sky blue", GEMINI),
        Ask("generate_content", "why is the sea blue [[offline: thinking]]", GEMINI, stream=True),
        Ask("generate_content", TOOL, GEMINI, tool=True),
        Ask("generate_content", TOOL, GEMINI, tool=True, stream=True),
        Ask("generate_content_async", "and asynchronously", GEMINI),
    ]
    seen = rig.run(program("google_genai_sdk.py"), asks)
    assert len(seen) == 7
    expected = {
        "provider": "gcp.gemini",
        "host": "generativelanguage.googleapis.com",
        "client": "google-genai",
        "operation": "generate_content",
    }
    check_all(seen, rig.rows(), asks, expected)


@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
def test_httpx(rig: Rig, version: str) -> None:
    asks = [Ask("chat", f"over {version}", GPT), Ask("chat", f"over {version}", GPT, stream=True)]
    seen = rig.run([*program("httpx_plain.py"), version], asks)
    assert [one["http_version"] for one in seen] == [version] * 2
    rows = rig.rows()
    check_all(seen, rows, asks, {"provider": "openai", "client": "httpx", "operation": "chat"})
    with closing(sqlite3.connect(rig.proxy.data_dir / "traffic.db")) as db:
        ids = json.dumps([row["id"] for row in rows])
        found = db.execute(
            "select http_version from requests where id in (select value from json_each(?))", [ids]
        ).fetchall()
    # mitmproxy writes it as "HTTP/2.0".
    assert {name for (name,) in found} == {version.replace("HTTP/2", "HTTP/2.0")}


def test_thirty_streams_of_one_http2_connection_run_in_parallel(rig: Rig) -> None:
    """Each answer takes minutes. All have begun, and none has ended, when the client, having read of each, leaves."""
    with subprocess.Popen(
        [str(part) for part in program("httpx_parallel.py")],
        env=rig.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin and client.stdout
        begun = json.loads(client.stdout.readline() or "null")
        seen = [request for request in rig.provider.requests if b"in parallel" in request.body]
        open_at_once = sum(request.status == 200 and not request.ended for request in seen)
        client.communicate("leave\n", timeout=30)
    assert begun == {"connections": 1, "streams": 30}
    assert open_at_once == len(seen) == 30
    for request in seen:
        rig.provider.wait_for(lambda r, wanted=request: r is wanted and r.aborted)
    rows = rig.rows()
    assert [row["state"] for row in rows] == ["aborted"] * 30
    assert all(row["text"] for row in rows)


FAULTS = {
    "429": ("[[offline: status=429 retry_after=2]]", {"status": 429, "retry_after": "2"}),
    "500": ("[[offline: status=500]]", {"status": 500}),
    "529": ("[[offline: status=529]]", {"status": 529}),
    "error event": ("[[offline: error_event=4 status=529]]", {}),
    "cut": ("[[offline: cut=5]]", {}),
    "end without terminal event": ("[[offline: eof=5]]", {}),
}
"""Prompt, and what the client must have seen. (What SDKs make of a stream that breaks off differs.)"""


@pytest.mark.parametrize(
    ("name", "api", "model", "provider"),
    [
        ("openai_sdk.py", "chat", GPT, "openai"),
        ("openai_sdk.py", "responses", GPT, "openai"),
        ("anthropic_sdk.py", "messages", CLAUDE, "anthropic"),
        ("google_genai_sdk.py", "generate_content", GEMINI, "gcp.gemini"),
    ],
)
def test_faults(rig: Rig, name: str, api: str, model: str, provider: str) -> None:
    asks = [Ask(api, f"{title} {prompt}", model, stream=True) for title, (prompt, _) in FAULTS.items()]
    seen = {one["ask"]: one for one in rig.run(program(name), asks)}
    rows = rig.rows()
    assert len(rows) == len(FAULTS), "one attempt each"
    for number, (title, (_, wanted)) in enumerate(FAULTS.items()):
        one, row = seen[number], rows[number]
        where = (title, one, row)
        assert row["state"] == "error", where
        assert (row["provider"], row["model"], row["stream"]) == (provider, model, True), where
        assert row["error_type"] and row["error_message"], where
        if wanted:
            assert row["status_code"] == wanted["status"] == one["status"], where
            assert "asked to fail" in row["error_message"] and not row["text"], where
            assert one.get("retry_after") in (wanted.get("retry_after"), None), where
        else:
            assert row["status_code"] == 200, where
            assert row["text"] is not None and len(row["text"]) < 100, "the part that came"
            assert ("asked to fail" in row["error_message"]) == (title == "error event"), where


def test_a_whole_answer_cut_in_the_middle(rig: Rig) -> None:
    (seen,) = rig.run(program("openai_sdk.py"), [Ask("chat", "x [[offline: cut]]", GPT)])
    (row,) = rig.rows()
    assert "broken" in seen and (row["state"], row["status_code"]) == ("error", 200)


def test_each_retry_of_an_sdk_is_a_row(rig: Rig) -> None:
    ask = Ask("chat", "[[offline: status=429 retry_after=0.01 times=1]] and then?", GPT, retries=1)
    (seen,) = rig.run(program("openai_sdk.py"), [ask])
    first, second = rig.rows()
    assert (first["state"], first["status_code"]) == ("error", 429)
    check(seen, second, ask)


@pytest.mark.parametrize(
    ("name", "api", "model"), [("openai_sdk.py", "chat", GPT), ("anthropic_sdk.py", "messages", CLAUDE)]
)
def test_a_client_that_leaves(rig: Rig, name: str, api: str, model: str) -> None:
    ask = Ask(api, "leaving [[offline: length=2000 drip_ms=30]]", model, stream=True, leave_after=5)
    (seen,) = rig.run(program(name), [ask])
    left = rig.provider.wait_for(lambda r: r.aborted and model.encode() in r.body and b"leaving" in r.body)
    assert left.events < 1000
    (row,) = rig.rows()
    check(seen, row, ask, finish_reason=None)
    assert len(row["text"].split()) < 1000
