from __future__ import annotations

import json

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
