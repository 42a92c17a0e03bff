from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from datasette_plugins.copies import INLINE_BYTES, copy

ROW: dict[str, Any] = {
    "provider": "openai",
    "scheme": "https",
    "host": "api.openai.com",
    "port": 443,
    "path": "/v1/chat/completions",
    "request_headers": [
        ("content-type", "application/json"),
        ("authorization", "[redacted]"),
        ("cookie", "[redacted]"),
        ("user-agent", "x"),
    ],
}
NASTY = {"content": "it's $(id) `id` \"q\" @/etc/passwd \x1b[31m \u202e \x9b31m \n'; rm -rf / #"}


def test_curl() -> None:
    shown = copy("curl", ROW, json.dumps(NASTY).encode())
    words = shlex.split(shown.replace("\\\n", ""))
    assert words[:2] == ["curl", "https://api.openai.com/v1/chat/completions"]
    assert "authorization: Bearer $OPENAI_API_KEY" in words
    assert json.loads(words[words.index("--data-raw") + 1]) == NASTY
    assert shown.isascii() and all(c.isprintable() or c == "\n" for c in shown)
    assert "cookie" not in shown and "redacted" not in shown


def test_python_runs_and_sends_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = copy("python", ROW, json.dumps(NASTY).encode())
    assert shown.isascii() and 'os.environ["OPENAI_API_KEY"]' in shown.replace("'", '"')
    sent: dict[str, Any] = {}

    def post(url: str, **how: Any) -> Any:
        sent.update(how, url=url)
        return type("Answer", (), {"status_code": 200, "text": ""})

    monkeypatch.setattr("httpx.post", post)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    exec(compile(shown, "copied", "exec"), {})
    assert json.loads(sent["content"]) == NASTY
    assert sent["headers"]["authorization"] == "Bearer sk-test"


def test_json_is_readable_and_has_no_control_characters() -> None:
    shown = copy("json", ROW, json.dumps({"a": "ä\x9b\u202e"}).encode())
    assert shown == '{\n  "a": "ä\\u009b\\u202e"\n}\n'
    assert copy("json", ROW, b"\xff no json") == "\\xff no json"


@pytest.mark.parametrize("host", ["x; rm -rf /", "$(id)", "'", "-o/tmp/x"])
def test_a_hostile_address_is_one_word(host: str) -> None:
    words = shlex.split(copy("curl", ROW | {"host": host, "path": f"/{host}\n"}, b"{}").replace("\\\n", ""))
    assert words[0] == "curl" and words[1].startswith("https://") and words[2] == "-H"


def test_a_large_body_is_to_be_saved_beside() -> None:
    shown = copy("curl", ROW, json.dumps({"a": "x" * INLINE_BYTES}).encode())
    assert "--data-binary @request.json" in shown and len(shown) < 1000
    assert "open('request.json')" in copy("python", ROW, json.dumps({"a": "x" * INLINE_BYTES}).encode())
