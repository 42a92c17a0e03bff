"""Policy on requests, end to end: real proxy, real SDKs. What is blocked reaches nobody; what is redacted rests nowhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import Rig, program, recorded
from tests.rig.processes import calls, drain

GPT, CLAUDE, GEMINI = "gpt-5.2", "claude-sonnet-4-6", "gemini-3-flash"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
RULES = """
rules:
  - id: no-mini
    action: block
    when: {model: "gpt-*mini"}
    reason: Use the big model
  - id: slow-down
    action: throttle
    retry_after_s: 7
    when: {text: {matches: "please wait", source: user}}
    reason: Not so fast
  - id: too-long
    action: block
    status: 400
    when: {text: {matches: "very long"}}
    reason: The prompt is too long
  - id: one-hour
    action: throttle
    when: {text: {matches: "count me"}, limit: {requests: 2, per: hour, by: key}}
    reason: Two an hour
  - id: no-secrets
    action: redact
    fail: closed
    when: {detection: {kind: secret, score: ">= 0.8"}}
  - id: no-names
    action: redact
    when: {text: {matches: "Project Aurora"}}
    keep_original: true
  - id: nothing-else
    mode: shadow
    action: block
    when: {}
"""


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("policy")
    (folder / "policies").mkdir()
    (folder / "policies" / "rules.yaml").write_text(RULES)
    # What detectors may take is not what is tested here, on machines that are busy.
    with recorded(folder, policy__deadline_ms=10_000) as rig:
        yield rig


def _ask(rig: Rig, *asks: tuple[str, str, str, bool]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rig.output(program("refused.py"), json.dumps(asks)).splitlines()]


EVERYWHERE = [("chat", GPT), ("responses", GPT), ("messages", CLAUDE), ("generate_content", GEMINI)]


def _each(prompt: str) -> list[tuple[str, str, str, bool]]:
    return [(api, prompt, model, stream) for api, model in EVERYWHERE for stream in (False, True)]


def _one_way(prompt: str) -> list[tuple[str, str, str, bool]]:
    """Of each, streamed or not in turn."""
    return [(api, prompt, model, n % 2 == 0) for n, (api, model) in enumerate(EVERYWHERE)]


def _sql(rig: Rig, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{rig.proxy.data_dir}/traffic.db?mode=ro", uri=True)) as db:
        return db.execute(sql, parameters).fetchall()


REFUSED = [
    ("please wait", 429, "slow-down", "Not so fast", "7", "RateLimitError"),
    ("very long", 400, "too-long", "The prompt is too long", None, "BadRequestError"),
]


@pytest.mark.parametrize(("prompt", "status", "rule", "reason", "retry_after", "raised"), REFUSED)
def test_refusals_are_the_sdks_own_exceptions(
    rig: Rig, prompt: str, status: int, rule: str, reason: str, retry_after: str | None, raised: str
) -> None:
    asks = _each(prompt) if status == 429 else _one_way(prompt)
    reached = len(rig.provider.requests)
    seen = _ask(rig, *asks)
    names = {
        "chat": f"openai.{raised}",
        "responses": f"openai.{raised}",
        "messages": f"anthropic.{raised}",
        "generate_content": "google.ClientError",
    }
    assert [one.get("raised") for one in seen] == [names[api] for api, *_ in asks]
    assert [one["message"] for one in seen if f"{rule}: {reason}" not in one["message"]] == []
    assert {one["code"] for one in seen if "code" in one} == {status}
    rows = rig.rows()
    assert [(row["state"], row["status_code"]) for row in rows] == [("blocked", status)] * len(asks)
    assert {row["decision"] for row in rows} == {"throttle" if status == 429 else "block"}
    told = [(one["id"], one["rule"], one["retry_after"]) for one in seen if "rule" in one]
    assert (
        told == [(row["id"], rule, retry_after) for row in rows if row["provider"] != "google"][: len(told)]
    )
    assert len(rig.provider.requests) == reached
    connected = "select count(*) from responses r join requests q on q.seq = r.request where q.id = ? and connect_ms is not null"
    assert [_sql(rig, connected, row["id"]) for row in rows] == [[(0,)]] * len(rows)


def test_a_model_that_is_not_allowed(rig: Rig) -> None:
    (seen,) = _ask(rig, ("chat", "hello", "gpt-5-mini", False))
    assert seen["raised"] == "openai.PermissionDeniedError"
    assert "no-mini: Use the big model" in seen["message"]


def test_a_limit_counts_what_was_sent(rig: Rig) -> None:
    seen = _ask(rig, *[("chat", f"count me {n}", GPT, False) for n in range(4)])
    assert ["raised" in one for one in seen] == [False, False, True, True]
    assert "2 of 2 used" in seen[2]["message"]
    rig.rows()


def test_what_is_redacted_reaches_nobody_and_rests_nowhere(rig: Rig) -> None:
    seen = _ask(rig, *_one_way(f"my token is {TOKEN}, thanks"))
    assert all("text" in one for one in seen), seen
    rows = rig.rows()
    assert [row["decision"] for row in rows] == ["redact"] * 4
    assert TOKEN.encode() not in b"".join(
        path.read_bytes() for path in Path(rig.proxy.data_dir).rglob("*") if path.is_file()
    )
    rewrites = _sql(rig, "select rule, pointer, before, after from rewrites where rule = 'no-secrets'")
    assert len(rewrites) == 4
    assert {before for _, _, before, _ in rewrites} == {None}
    assert len({after for _, _, _, after in rewrites}) == 1  # the same on every turn, whatever the provider
    assert {kind for (kind,) in _sql(rig, "select kind from detections where rule = 'no-secrets'")} == {
        "secret"
    }


def test_an_original_that_may_be_kept_is_kept(rig: Rig) -> None:
    (seen,) = _ask(rig, ("chat", "what of Project Aurora?", GPT, False))
    assert "text" in seen
    (row,) = rig.rows()
    ((pointer, before),) = _sql(
        rig,
        "select w.pointer, w.before from rewrites w join requests q on q.seq = w.request where q.id = ?",
        row["id"],
    )
    assert (pointer, before) == ("/messages/0/content", "Project Aurora")


def test_shadow_rules_are_told_and_do_nothing(rig: Rig) -> None:
    (seen,) = _ask(rig, ("chat", "an ordinary question", GPT, False))
    assert "text" in seen
    (row,) = rig.rows()
    assert row["decision"] is None
    assert _sql(
        rig,
        "select rule, mode, acted from decisions d join requests q on q.seq = d.request where q.id = ?",
        row["id"],
    ) == [("nothing-else", "shadow", 0)]


def test_rows_of_other_calls_stay_what_they_were(rig: Rig) -> None:
    drain(rig.proxy.folder)
    assert all(row["state"] in ("complete", "blocked") for row in calls(rig.proxy.folder))
