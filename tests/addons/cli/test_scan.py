from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from addons.cli.scan import command

KEY = "ghp_" + "hwgGtGjbBLNBN2Es78xBneOuONB7fe2FtK4j"


def test_jsonl() -> None:
    lines = [{"id": "a", "text": f"é {KEY}", "role": "user"}, {"id": 2, "text": "hello"}]
    result = CliRunner().invoke(command, ["--jsonl", "-"], input="\n".join(map(json.dumps, lines)))
    first, second = map(json.loads, result.stdout.splitlines())
    assert result.exit_code == 0
    assert first == {
        "id": "a",
        "detections": [{"kind": "secret", "type": "github_token", "score": 0.95, "start": 2, "end": 42}],
        "decision": "alert",
    }
    assert second == {"id": 2, "detections": [], "decision": "allow"}


def test_fail_on() -> None:
    assert CliRunner().invoke(command, ["--fail-on", "secret"], input=KEY).exit_code == 1
    assert CliRunner().invoke(command, ["--fail-on", "pii"], input=KEY).exit_code == 0


def test_a_bad_line_is_named() -> None:
    result = CliRunner().invoke(command, ["--jsonl"], input='{"id": 1, "text": "x"}\n{"id": 2}\n')
    assert result.exit_code == 1 and "line 2" in result.output


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    (tmp_path / "policies").mkdir()
    (tmp_path / "mitm.toml").touch()
    monkeypatch.setenv("LLMITM_CONFIG", str(tmp_path / "mitm.toml"))
    monkeypatch.setenv("LLMITM_POLICY__DIR", str(tmp_path / "policies"))
    monkeypatch.setenv("LLMITM_STORE__DIR", str(tmp_path / "data"))
    return lambda text: (tmp_path / "policies" / "a.yaml").write_text(text) and None


def _decision(text: str, role: str = "user") -> str:
    line = json.dumps({"id": 1, "text": text, "role": role})
    result = CliRunner().invoke(command, ["--jsonl"], input=line)
    assert result.exit_code == 0, result.output
    return str(json.loads(result.stdout)["decision"])


def test_the_rules_decide(rules: Callable[[str], None]) -> None:
    rules("""
rules:
  - {id: keys, action: redact, when: {detection: {kind: secret}}}
  - {id: names, action: block, when: {text: {matches: Aurora, source: user}}}
  - {id: shadow, mode: shadow, action: block, when: {text: {matches: hello}}}
  - {id: budget, action: throttle, when: {text: {matches: hello}, limit: {requests: 1, per: day}}}
  - {id: elsewhere, action: block, when: {user: bob, text: {matches: hello}}}
""")
    assert _decision(f"a key {KEY}") == "redact"
    assert _decision(f"a key {KEY} of Aurora") == "block"
    assert _decision("Aurora", role="tool") == "allow"
    assert _decision("hello") == "allow"
    assert (
        _decision("mail me at jane.doe@example.org, +1 415 555 2671") == "alert"
    )  # no rule has a word on it


def test_what_is_allowed_alarms_nobody(rules: Callable[[str], None]) -> None:
    assert _decision(KEY) == "alert"
    rules(f"allow: [{{value: {KEY}}}]")
    assert _decision(KEY) == "allow"


def test_without_usable_rules_whoever_looks_is_told(rules: Callable[[str], None]) -> None:
    rules("rules: [{id: x}]")
    result = CliRunner().invoke(command, ["-"], input=KEY)
    assert result.exit_code == 0
    assert "alert: 1 found" in result.stderr
    assert "a.yaml:1: rule x: action is missing" in result.stderr
