"""A backtest decides what was decided live on the same traffic: real proxy, real worker, then the same rules over the record."""

from __future__ import annotations

import json
import sqlite3
import ssl
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from intelligence.policy import handed
from intelligence.policy.backtest import backtest, replay
from intelligence.policy.evidence import seen_digest
from intelligence.policy.load import PolicySet, load
from intelligence.store import control, queries, reviews
from intelligence.store.ids import install_key
from tests.e2e.clients import Rig, recorded
from tests.rig.processes import drain, environment

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
# One that somebody allowed in the dashboard, and one that a policy file allows.
DISMISSED = "ghp_" + "z9Y8x7W6v5U4t3S2r1Q0p9O8n7M6l5K4j3I2"
DOCUMENTED = "ghp_" + "q1W2e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8"
RULES = """
groups: {staff: [alice]}
allow: [{value: DOCUMENTED}]
rules:
  - id: no-keys
    priority: 100
    action: redact
    when: {detection: {kind: secret, score: ">= 0.8"}, model: gpt-5*}
  - id: no-names
    priority: 110
    action: redact
    when: {text: {matches: Project Aurora}}
  - id: kept-names
    priority: 120
    action: redact
    keep_original: true
    when: {text: {matches: Project Borealis}}
  - id: not-for-mini
    priority: 130
    action: block
    when: {detection: {kind: secret, score: ">= 0.8"}, model: "*mini*"}
  - id: wait
    priority: 200
    action: throttle
    when: {text: {matches: please wait, source: user}}
  - id: three-an-hour
    priority: 210
    action: throttle
    when: {client: counted, limit: {requests: 3, per: hour, by: key, soft: 0.5}}
  - id: circles
    priority: 220
    action: block
    status: 400
    when: {loop: {repeats: 4}}
  - id: large
    priority: 300
    mode: shadow
    action: block
    when: {prompt_tokens: ">= 100"}
  - id: greeting
    priority: 400
    action: alert
    when: {text: {matches: hello}}
  - id: told-keys
    priority: 900
    action: alert
    when: {detection: {kind: secret, score: ">= 0.8"}}
  - id: said
    priority: 910
    action: alert
    when: {direction: response, text: {matches: "aurora|hello"}}
""".replace("DOCUMENTED", DOCUMENTED)
DECISIONS = """select q.id, d.direction, d.rule, d.action, d.mode, d.acted from decisions d
    join requests q on q.seq = d.request"""


def _looping(times: int) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "find it"}]
    for n in range(times):
        function = {"name": "search", "arguments": '{"q": "it"}'}
        call = {"id": f"c{n}", "type": "function", "function": function}
        messages += [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": f"c{n}", "content": "nothing found"},
        ]
    return messages


def _user(text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def _traffic(rig: Rig) -> list[int]:
    asks: list[tuple[str, list[dict[str, Any]], str]] = [
        ("gpt-5.2", _user("hello there"), "some/1"),
        ("gpt-5.2", _user(f"my token is {TOKEN}, hello"), "some/1"),
        ("gpt-5-mini", _user(f"my token is {TOKEN}"), "some/1"),
        ("gpt-4.1", _user(f"my token is {TOKEN}"), "some/1"),
        ("gpt-5.2", _user("about Project Aurora, and aurora"), "some/1"),
        ("gpt-5.2", _user("about Project Borealis, hello"), "some/1"),
        ("gpt-5.2", _user("please wait"), "some/1"),
        ("gpt-5.2", _user("x" * 500), "some/1"),
        *[("gpt-5.2", _user(f"number {n}"), "counted/1") for n in range(5)],
        ("gpt-5-mini", _user(f"my token is {DISMISSED}"), "some/1"),
        ("gpt-5-mini", _user(f"my token is {DOCUMENTED}"), "some/1"),
        ("gpt-5-mini", _user(f"my tokens are {DISMISSED} and {TOKEN}"), "some/1"),
        *[("gpt-5.2", _looping(n), "some/1") for n in (2, 3, 4, 5)],
    ]
    with httpx.Client(
        proxy=rig.proxy_url, verify=ssl.create_default_context(cafile=rig.proxy.ca_file), timeout=30
    ) as client:
        return [
            client.post(
                "https://api.openai.com/v1/chat/completions",
                json={"model": model, "messages": messages},
                headers={"authorization": "Bearer sk-test", "user-agent": agent},
            ).status_code
            for model, messages, agent in asks
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("backtest")
    (folder / "policies").mkdir()
    (folder / "policies" / "rules.yaml").write_text(RULES)
    _allow(folder / "data", DISMISSED)
    # What detectors may take is not what is tested here, on machines that are busy.
    with recorded(folder, policy__dir=folder / "policies", policy__deadline_ms=10_000) as rig:
        seen = _traffic(rig)
    drain(folder, policy__dir=folder / "policies")
    assert seen[:13] == [200, 200, 403, 200, 200, 200, 429, 200, 200, 200, 200, 429, 429]
    assert seen[13:] == [200, 200, 403, 200, 200, 400, 400]
    return folder


def _allow(data_dir: Path, text: str) -> None:
    """As somebody does who looks at what a detector saw."""
    digest = seen_digest(install_key(data_dir), "secret", text)
    control.prepare(data_dir)
    with control.changing(data_dir) as db:
        subject = reviews.Subject(digest, "secret", "github-pat", "a call")
        reviews.say(db, "alice", [subject], reviews.ALLOWED, "it is revoked")
    reviews.hand_over(data_dir)


def _policies(folder: Path) -> PolicySet:
    return handed.complete(load(folder / "policies"), folder / "data")


def test_it_decides_what_was_decided_live(folder: Path) -> None:
    policies, key = _policies(folder), install_key(folder / "data")
    with closing(queries.connect(folder / "data" / "traffic.db")) as db:
        live = {tuple(row) for row in db.execute(DECISIONS)}
        again = {
            (judged.id, way, head.rule, head.action, head.mode, int(head.acted))
            for judged in replay(db, key, policies, 0)
            for way, head in judged.decisions
        }
    assert again == live
    assert {rule for _, _, rule, *_ in live} == set(policies.sources)


def test_the_command_counts_what_was_decided_live(folder: Path) -> None:
    """With what people allowed, as the proxy has it."""
    done = subprocess.run(
        [sys.executable, "-c", "from addons.cli import main; main()", "policy", "backtest", "--json"],
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    told = {
        (rule["rule"], action): calls
        for rule in json.loads(done.stdout)["rules"]
        for action, calls in rule["actions"].items()
    }
    with closing(queries.connect(folder / "data" / "traffic.db")) as db:
        live = Counter(
            (rule, action) for _, rule, action in {(row[0], *row[2:4]) for row in db.execute(DECISIONS)}
        )
    assert told == live


def test_the_report_names_calls_and_what_they_cost(folder: Path) -> None:
    policies, key = _policies(folder), install_key(folder / "data")
    policies.rules = [rule for rule in policies.rules if rule.id == "greeting"]
    policies.rules[0] = policies.rules[0].model_copy(update={"action": "block"})
    seen: list[tuple[int, int]] = []
    with closing(queries.connect(folder / "data" / "traffic.db")) as db:
        report = backtest(db, key, policies, 0, lambda *at: seen.append(at))
        cost = db.execute(
            "select sum(c.usd) from requests q join costs c on c.request = q.seq where q.id in (?, ?, ?)",
            report.rules[0].calls,
        ).fetchone()[0]
    (rule,) = report.rules
    assert (report.calls, report.stopped, rule.acted, dict(rule.actions)) == (20, 3, 3, {"block": 3})
    assert report.cost_usd == rule.cost_usd == pytest.approx(cost)
    assert cost > 0
    assert seen[-1] == (20, 20)
    assert report.redacted == 4  # two redacted, two blocked with a key in it


def test_nothing_is_written(folder: Path) -> None:
    path = folder / "data" / "traffic.db"
    with closing(sqlite3.connect(path)) as db:
        before = db.execute("select count(*), max(id) from decisions").fetchone()
        with closing(queries.connect(path)) as reader:
            backtest(reader, bytes(32), load(folder / "policies"), 0)
        assert db.execute("select count(*), max(id) from decisions").fetchone() == before


def test_limit_takes_the_latest(folder: Path) -> None:
    with closing(queries.connect(folder / "data" / "traffic.db")) as db:
        report = backtest(db, bytes(32), load(folder / "policies"), 0, limit=3)
        newest = [id for (id,) in db.execute("select id from requests order by started_at desc limit 3")]
    assert report.calls == 3
    circles = next(rule for rule in report.rules if rule.rule == "circles")
    assert circles.calls == newest[:2]
    assert json.dumps(report.version)
