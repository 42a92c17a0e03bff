"""curl and a plain WebSocket client; and the other ways to a provider: with a password, behind a company's proxy, in reverse, by
SOCKS."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import TOOL, Ask, Plain, Rig, check, check_all, program, recorded, unavailable
from tests.rig.processes import calls, drain, proxy_process

GPT, CODEX, CLAUDE = "gpt-5.2", "gpt-5.2-codex", "claude-sonnet-4-6"
CHAT = "https://api.openai.com/v1/chat/completions"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with recorded(tmp_path_factory.mktemp("other")) as rig:
        yield rig


@pytest.fixture(scope="session")
def curl() -> str:
    return shutil.which("curl") or unavailable("curl is not installed")


def body(prompt: str, **more: Any) -> str:
    return json.dumps({"model": GPT, "messages": [{"role": "user", "content": prompt}], **more})


def curl_command(curl: str, url: str, *more: str) -> list[str | Path]:
    """`-q`: no settings of the user's."""
    headers = ["-H", "content-type: application/json", "-H", "authorization: Bearer sk-test"]
    return [curl, "-q", "-sS", "-m", "30", *headers, "-d", "@-", *more, url]


@pytest.mark.parametrize("version", ["--http1.1", "--http2"])
def test_curl(rig: Rig, curl: str, version: str) -> None:
    told = ["-w", "\n%{http_version}"]
    whole = rig.output(curl_command(curl, CHAT, version, *told), body(f"whole {version}"))
    answer, _, http_version = whole.rpartition("\n")
    assert http_version == version.removeprefix("--http").removesuffix(".0")
    document = json.loads(answer)

    given = body(f"streamed {version}", stream=True, stream_options={"include_usage": True})
    lines = rig.output(curl_command(curl, CHAT, version, "-N"), given).splitlines()
    assert lines[-2] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]

    first, second = rig.rows()
    for row, usage in ((first, document["usage"]), (second, chunks[-1]["usage"])):
        assert (row["provider"], row["client"], row["model"]) == ("openai", "curl", GPT)
        assert (row["state"], row["finish_reason"]) == ("complete", "stop")
        assert (row["input_tokens"], row["output_tokens"]) == (
            usage["prompt_tokens"],
            usage["completion_tokens"],
        )
    assert first["text"] == document["choices"][0]["message"]["content"]
    assert second["text"] == "".join(
        choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"]
    )
    assert (first["stream"], second["stream"]) == (False, True)


def test_curl_calls_a_tool_of_anthropic(rig: Rig, curl: str) -> None:
    tools = [{"name": "get_weather", "input_schema": {"type": "object", "properties": {}}}]
    given = {
        "model": CLAUDE,
        "max_tokens": 100,
        "tools": tools,
        "messages": [{"role": "user", "content": TOOL}],
    }
    command = curl_command(curl, "https://api.anthropic.com/v1/messages", "-H", "x-api-key: sk-ant-test")
    document = json.loads(rig.output(command, json.dumps(given)))
    (row,) = rig.rows()
    assert document["stop_reason"] == row["finish_reason"] == "tool_use"
    assert (row["provider"], row["operation"], row["tool_calls"]) == ("anthropic", "chat", ["get_weather"])


def test_curl_asks_a_model_in_the_network_over_plain_http(tmp_path: Path, curl: str) -> None:
    """As a client of Ollama on another machine does."""
    with recorded(tmp_path) as rig:
        plain = Plain("{}:{}".format(*rig.provider.http_address), rig.proxy.ca_file)
        with proxy_process(tmp_path / "plain", plain) as proxy:
            rig = Rig(rig.provider, proxy, f"http://{proxy.address}")
            output = rig.output(curl_command(curl, "http://gpu.lan:11434/api/chat", "-N"), body("hello"))
            (row,) = rig.rows()
    pieces = [json.loads(line) for line in output.splitlines()]
    assert (row["operation"], row["client"], row["stream"]) == ("chat", "curl", True)
    assert (row["host"], row["state"], row["finish_reason"]) == ("gpu.lan", "complete", "stop")
    assert row["text"] == "".join(piece["message"]["content"] for piece in pieces)
    assert row["output_tokens"] == pieces[-1]["eval_count"] > 0


def test_a_websocket_client_speaks_responses(rig: Rig) -> None:
    """A warm-up, an ask, the results of its tool: three responses asked for on one socket, three rows."""
    ask = Ask("responses", TOOL, CODEX, stream=True, tool=True)
    seen = rig.run(program("websocket_responses.py"), [ask])
    assert [one["tool_calls"] for one in seen] == [[], ["get_weather"], []]
    warm_up, *turns = rig.rows()
    expected = {"provider": "openai", "operation": "responses", "status_code": 101}
    assert {name: warm_up[name] for name in expected} == expected
    assert (warm_up["state"], warm_up["model"], warm_up["text"] or "") == ("complete", CODEX, "")
    assert warm_up["output_tokens"] == 0 < warm_up["input_tokens"]
    check_all(seen[1:], turns, [ask], expected)


def test_a_websocket_client_that_leaves(rig: Rig) -> None:
    """What was complete stays so; the response under way is aborted, with the text that had come."""
    ask = Ask("responses", "hello", CODEX, stream=True, leave_after=5)
    *whole, left = rig.run(program("websocket_responses.py"), [ask])
    rig.provider.wait_for(lambda r: r.websocket and r.aborted)
    *rows, aborted = rig.rows()
    assert [row["state"] for row in rows] == ["complete"] * len(whole)
    assert (aborted["state"], aborted["model"]) == ("aborted", CODEX)
    assert left["text"] and aborted["text"].startswith(left["text"])


def test_the_user_is_recorded_and_the_password_is_not(tmp_path: Path) -> None:
    password = "correct-horse-battery"
    digest = base64.b64encode(hashlib.sha1(password.encode()).digest()).decode()
    users = tmp_path / "users"
    users.write_text(f"alice:{{SHA}}{digest}\n")
    asks = [Ask("chat", "who am I", GPT), Ask("realtime", "who am I", "gpt-realtime", stream=True)]
    with recorded(tmp_path, user=f"alice:{password}", proxy__users=users, log__level="debug") as rig:
        seen = rig.run(program("openai_sdk.py"), asks)
        for one, row in zip(seen, rig.rows(), strict=True):
            expected = {"user": "alice", "client": "openai-python"}
            status = 101 if asks[one["ask"]].api == "realtime" else 200
            check(one, row, asks[one["ask"]], status_code=status, **expected)
        rig.proxy_url = rig.proxy_url.replace(password, "wrong")
        (refused,) = rig.run(program("openai_sdk.py"), [asks[0]])
        assert "broken" in refused and rig.rows() == []
        sent = [request for request in rig.provider.requests if request.header("proxy-authorization")]
        assert sent == [], "the provider never sees who uses the proxy"
    marks = (password.encode(), base64.b64encode(f"alice:{password}".encode()))
    for file in [*rig.proxy.data_dir.rglob("*"), rig.proxy.log_file]:
        if file.is_file():
            written = file.read_bytes()
            assert not any(mark in written for mark in marks), file


def test_behind_a_companys_proxy(tmp_path: Path) -> None:
    """Which asks for a password and opens TLS itself: here another proxy of ours, so it has a record of its own."""
    digest = base64.b64encode(hashlib.sha1(b"pass").digest()).decode()
    users = tmp_path / "users"
    users.write_text(f"branch:{{SHA}}{digest}\n")
    asks = [
        Ask("chat", "one", GPT),
        Ask("chat", "two", GPT, stream=True),
        Ask("realtime", "three", "gpt-realtime", stream=True),
    ]
    with recorded(tmp_path / "company", proxy__users=users) as company:
        place = Plain(company.proxy.address, company.proxy.ca_file)
        settings = {
            "proxy__connect_to": [],
            "proxy__upstream_proxy": f"http://branch:pass@{company.proxy.address}",
        }
        with proxy_process(tmp_path / "ours", place, **settings) as proxy:
            rig = Rig(company.provider, proxy, f"http://{proxy.address}")
            seen = rig.run(program("openai_sdk.py"), asks)
            ours, theirs = rig.rows(), company.rows()
    for rows, user in ((ours, None), (theirs, "branch")):
        assert len(rows) == len(seen)
        for one, row in zip(seen, rows, strict=True):
            ask = asks[one["ask"]]
            status = 101 if ask.api == "realtime" else 200
            check(one, row, ask, user=user, host="api.openai.com", status_code=status)


def test_reverse_mode_for_a_client_that_takes_only_a_base_url(tmp_path: Path) -> None:
    asks = [Ask("chat", "one", GPT), Ask("responses", TOOL, CODEX, stream=True, tool=True)]
    with recorded(tmp_path, proxy__modes=["reverse:https://api.openai.com@0"]) as rig:
        env = {"OPENAI_BASE_URL": f"http://{rig.proxy.address}/v1", "NO_PROXY": "*", "no_proxy": "*"}
        seen = rig.run(program("openai_sdk.py"), asks, **env)
        hosts = {request.host for request in rig.provider.requests}
        check_all(seen, rig.rows(), asks, {"provider": "openai", "host": "api.openai.com"})
    assert hosts == {"api.openai.com"}


def test_socks_mode(tmp_path: Path, curl: str) -> None:
    with recorded(tmp_path, proxy__modes=["socks5@0"]) as rig:
        proxy = f"socks5h://{rig.proxy.address}"
        env = {"HTTPS_PROXY": proxy, "https_proxy": proxy}
        document = json.loads(rig.output(curl_command(curl, CHAT), body("by socks"), **env))
        (row,) = rig.rows()
    assert (row["host"], row["state"], row["model"]) == ("api.openai.com", "complete", GPT)
    assert row["text"] == document["choices"][0]["message"]["content"]


def test_an_unreachable_provider_is_an_error_the_client_understands(tmp_path: Path) -> None:
    """502 in the provider's own shape, and a row that says why."""
    ask = Ask("chat", "nobody there", GPT)
    with recorded(tmp_path, proxy__connect_to=["*=127.0.0.1:9"]) as rig:
        (seen,) = rig.run(program("openai_sdk.py"), [ask])
        drain(tmp_path)
        (row,) = calls(tmp_path)
    assert seen["status"] == 502
    assert (row["state"], row["model"]) == ("error", GPT) and row["error_message"]
