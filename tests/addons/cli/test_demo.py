"""`llmitm demo` leaves a record worth looking at."""

from __future__ import annotations

import json
from collections import Counter

from tests.addons.cli.conftest import place_in
from tests.rig.processes import calls


def test_demo(tmp_path):
    place = place_in(tmp_path)
    result = place.llmitm("demo")
    assert result.returncode == 0, result.stdout + result.stderr
    assert result.stdout.count("✓") == 17 and "✗" not in result.stdout
    assert "then open http://127.0.0.1:8001/" in result.stdout

    rows = calls(place.folder)
    assert len(rows) >= 35 and f"Recorded: {len(rows)} calls, " in result.stdout
    assert {row["provider"] for row in rows} == {"openai", "anthropic", "gcp.gemini", "ollama"}
    assert {row["operation"] for row in rows} == {
        "chat",
        "responses",
        "embeddings",
        "realtime",
        "generate_content",
    }
    states = Counter(row["state"] for row in rows if row["operation"] != "realtime")
    assert states["aborted"] == 1 and states["error"] >= 4 and states["complete"] >= 30
    assert [row["state"] for row in rows if row["operation"] == "realtime"] == ["complete", "complete"]
    whole = [row for row in rows if row["state"] == "complete"]
    assert all(row["model"] and row["input_tokens"] for row in whole)
    assert {"find_order", "refund", "train_times", "read_file", "edit_file", "run_tests", "get_weather"} == {
        name for row in rows if row["tool_calls"] for name in json.loads(row["tool_calls"])
    }
    assert any(row["cache_read_tokens"] for row in rows)
    assert any(row["reasoning_tokens"] for row in rows)
