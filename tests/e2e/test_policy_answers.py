"""Policy on answers, end to end: real proxy, real SDKs. What is blocked in an answer reaches no client, what is put back
reaches the client alone, and a stream that no rule concerns is not held."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients import Rig, program, recorded

GPT, CLAUDE, GEMINI = "gpt-5.2", "claude-sonnet-4-6", "gemini-3-flash"
TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
NAME = 'Aurora\\Borealis "north"'
RULES = r"""
rules:
  - id: keys-back
    action: redact
    reversible: true
    fail: closed
    when: {detection: {kind: secret, score: ">= 0.8"}}
  - id: names-back
    action: redact
    reversible: true
    when: {text: {matches: 'Aurora\\+Borealis \\*"north\\*"'}}
  - id: no-forecast
    action: block
    reason: We do not say this
    when: {direction: response, text: {matches: "unspeakable"}}
  - id: no-oslo
    action: block
    status: 400
    reason: Not in that city
    when: {tool: {name: "get_*", arguments: "(?i)oslo"}}
  - id: quiet-names
    action: redact
    when: {direction: response, text: {matches: "MRN-[0-9]{8}"}}
  - id: no-shouting
    action: block
    reason: Not so loud
    when: {text: {matches: "SHOUT", source: user}}
  - id: try-it
    action: redact
    if_rejected: original
    when: {text: {matches: "length=7"}}
  - id: not-again
    action: redact
    when: {text: {matches: "length=9"}}
  - id: only-others
    action: block
    fail: closed
    when: {direction: response, model: "other-*", text: {matches: "."}}
"""
# As it stands in the JSON that the prompts hold, which is what is redacted, and put back.
WRITTEN = json.dumps(NAME)[1:-1]
EVERYWHERE = [("chat", GPT), ("responses", GPT), ("messages", CLAUDE), ("generate_content", GEMINI)]


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    folder = tmp_path_factory.mktemp("policy")
    (folder / "policies").mkdir()
    (folder / "policies" / "rules.yaml").write_text(RULES)
    # What detectors may take is not what is tested here, on machines that are busy.
    with recorded(folder, policy__deadline_ms=10_000) as rig:
        yield rig


def _ask(rig: Rig, *asks: tuple[Any, ...]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in rig.output(program("refused.py"), json.dumps(asks)).splitlines()]


def _each(prompt: str, *more: Any) -> list[tuple[Any, ...]]:
    return [(api, prompt, model, stream, *more) for api, model in EVERYWHERE for stream in (False, True)]


def _sql(rig: Rig, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{rig.proxy.data_dir}/traffic.db?mode=ro", uri=True)) as db:
        return db.execute(sql).fetchall()


def _rests(rig: Rig, text: str) -> bool:
    files = [path for path in Path(rig.proxy.data_dir).rglob("*") if path.is_file()]
    return text.encode() in b"".join(path.read_bytes() for path in files)


def test_a_blocked_answer_is_the_sdks_own_exception(rig: Rig) -> None:
    seen = _ask(rig, *_each('[[offline: text="so far so good, but this is unspeakable and more of it"]]'))
    assert all("raised" in one for one in seen), seen
    assert all("no-forecast: We do not say this" in one["message"] for one in seen), seen
    assert [one["raised"] for one in seen] == [
        "openai.PermissionDeniedError",
        "openai.APIError",
        "openai.PermissionDeniedError",
        "openai.APIError",
        "anthropic.PermissionDeniedError",
        seen[5]["raised"],
        "google.ClientError",
        seen[7]["raised"],
    ]
    assert seen[5]["raised"].startswith("anthropic.API") or "Permission" in seen[5]["raised"]
    rows = rig.rows()
    assert [row["state"] for row in rows] == ["blocked"] * 8
    assert {row["decision"] for row in rows} == {"block"}
    for one, row in zip(seen, rows, strict=True):
        assert row["id"] in one["message"]
        assert "unspeakable" not in (row["text"] or "")


def test_the_connection_upstream_is_closed(rig: Rig) -> None:
    long = "unspeakable " + "and so on and on " * 2000
    _ask(rig, ("chat", f"[[offline: text={json.dumps(long)} drip_ms=20]]", GPT, True))
    assert rig.provider.wait_for(lambda one: one.aborted and b"drip_ms=20" in one.body, 10)
    assert [row["state"] for row in rig.rows()] == ["blocked"]


def test_a_dangerous_call_is_blocked_before_its_arguments_are_seen(rig: Rig) -> None:
    prompt = 'please use tool get_weather with {"city": "Oslo"} now'
    seen = _ask(rig, *_each(prompt, True))
    assert all("no-oslo: Not in that city" in one.get("message", "") for one in seen), seen
    assert all("Oslo" not in one["so_far"] for one in seen)
    rows = rig.rows()
    assert [row["state"] for row in rows] == ["blocked"] * 8
    (harmless,) = _ask(rig, ("messages", prompt.replace("Oslo", "Rome"), CLAUDE, True, True))
    assert '"Rome"' in harmless["text"]
    rig.rows()


@pytest.mark.parametrize("encoding", ["", " encoding=gzip"])
def test_values_come_back_to_the_client_alone(rig: Rig, encoding: str) -> None:
    said = f"Your token is {TOKEN}, and {NAME}; keep {TOKEN} well."
    prompt = f"[[offline: text={json.dumps(said)}{encoding}]] {TOKEN}"
    seen = _ask(rig, *_each(prompt))
    assert [one.get("text") for one in seen] == [said.replace(NAME, WRITTEN)] * 8, seen
    rows = rig.rows()
    assert [row["decision"] for row in rows] == ["redact"] * 8
    assert all("REDACTED-SECRET-" in row["text"] and TOKEN not in row["text"] for row in rows)
    assert not any(TOKEN.encode() in one.body for one in rig.provider.requests)
    assert not _rests(rig, TOKEN)


def test_values_come_back_in_the_arguments_of_calls(rig: Rig) -> None:
    prompt = f"please use tool get_weather with {json.dumps({'city': TOKEN + ' ' + NAME})} now"
    seen = _ask(rig, *_each(prompt, True))
    for one in seen:
        assert json.loads(one["text"]) == {"city": f"{TOKEN} {WRITTEN}"}, one
    rig.rows()
    assert not _rests(rig, TOKEN)


def test_what_is_redacted_in_an_answer_is_redacted_in_the_record(rig: Rig) -> None:
    said = "Patient MRN-12345678 is well. " + "All is quiet here. " * 300 + "Again MRN-12345678."
    # The prompt says it too; only the answer has a rule for it.
    seen = _ask(rig, *_each(f"[[offline: text={json.dumps(said)}]]"))
    assert all("MRN-1234" not in one["text"] and one["text"].count("REDACTED-") == 2 for one in seen), seen
    rows = rig.rows()
    assert all(row["text"] == one["text"] for row, one in zip(rows, seen, strict=True))
    assert {row["decision"] for row in rows} == {"redact"}
    assert _sql(rig, "select count(*) from rewrites where rule = 'quiet-names'")[0][0] >= 8


def test_an_answer_of_no_rule_is_told_as_it_came(rig: Rig) -> None:
    seen = _ask(rig, *_each("an ordinary question"))
    assert all(one.get("text") for one in seen)
    assert {row["decision"] for row in rig.rows()} == {None}


@pytest.mark.parametrize("api", ["responses", "realtime"])
def test_on_a_websocket(rig: Rig, api: str) -> None:
    said = f"Your token is {TOKEN}, keep it. R"
    asks = [
        f"[[offline: text={json.dumps(said)}]] {TOKEN}",
        "please SHOUT",
        '[[offline: text="so far so good, but this is unspeakable and more of it"]]',
        "an ordinary question",
    ]
    given = json.dumps([*([api, prompt] for prompt in asks), ["raw", "this is no JSON"]])
    seen = [json.loads(line) for line in rig.output(program("websocket_policy.py"), given).splitlines()]
    assert seen[0] == {"text": said, "done": said}
    assert "no-shouting: Not so loud" in seen[1]["error"]
    assert "no-forecast: We do not say this" in seen[2]["error"] and "unspeak" not in seen[2]["text"]
    assert seen[3]["text"] and seen[3]["text"] == seen[3]["done"], seen[3]
    assert (
        "keys-back" in seen[4]["error"] and "fails closed" in seen[4]["error"]
    )  # unread, it could hold a key
    rows = rig.rows()
    assert TOKEN not in json.dumps(rows) and "REDACTED-SECRET-" in rows[0]["text"]
    assert not _rests(rig, TOKEN)
    asked = "".join(str(message) for one in rig.provider.requests for message in one.messages)
    assert (
        "REDACTED-SECRET-" in asked and "SHOUT" not in asked and TOKEN not in asked and "no JSON" not in asked
    )


def test_a_refused_rewriting_is_sent_as_it_was_three_times_and_then_no_more(rig: Rig) -> None:
    # A placeholder in a directive is what the offline provider refuses.
    rig.rows()
    before = len(rig.provider.requests)
    seen = _ask(rig, *[("chat", f"[[offline: length=7]] {n}", GPT, n % 2 == 1) for n in range(4)])
    assert [len(one.get("text", "").split()) for one in seen] == [7, 7, 7, 7], seen
    sent = [b"length=7" in one.body for one in rig.provider.requests[before:]]
    assert sent == [False, True] * 3 + [True]
    assert {row["state"] for row in rig.rows()} == {"complete"}
    events = _sql(rig, "select message from events where kind = 'rewrite_rejected' order by at")
    assert len(events) == 3 and "the rule rests" in events[2][0]
    (other,) = _ask(rig, ("chat", "[[offline: length=9]]", GPT, False))
    assert other["raised"] == "openai.BadRequestError"
    rig.rows()
