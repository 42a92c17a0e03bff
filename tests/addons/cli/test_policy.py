from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from addons.cli.policy import command
from intelligence.policy.panic import panic_of
from intelligence.store import control

RULES = """
rules:
  - id: no-mini
    description: Only large models
    action: block
    when: {model: "*mini*"}
    tests: [{given: {model: gpt-mini}, expect: block}]
"""
TEMPLATE = RULES.replace("no-mini", "of-template")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "policies" / "templates").mkdir(parents=True)
    (tmp_path / "policies" / "a.yaml").write_text(RULES)
    (tmp_path / "policies" / "templates" / "large.yaml").write_text(TEMPLATE)
    (tmp_path / "mitm.toml").touch()
    monkeypatch.setenv("LLMITM_CONFIG", str(tmp_path / "mitm.toml"))
    return tmp_path


def _run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == code, result.output
    return result


def test_test_runs_examples_of_rules_and_templates(place: Path) -> None:
    assert "1 rule, 1 example, all as expected" in _run("test").output
    (place / "policies" / "a.yaml").write_text(RULES.replace("gpt-mini", "gpt"))
    told = _run("test", code=1).output
    assert "a.yaml:3: rule no-mini: example (number 1): expected block, got nothing" in told


def test_a_template_is_switched_on_and_off(place: Path) -> None:
    _run("enable", "large")
    listed = json.loads(_run("list", "--json").output)
    assert [rule["id"] for rule in listed["rules"]] == ["no-mini", "of-template"]
    assert listed["templates"] == {"large": True}
    assert "is there already" in _run("enable", "large", code=1).output
    _run("disable", "large")
    assert json.loads(_run("list", "--json").output)["templates"] == {"large": False}
    assert "Did you mean large?" in _run("enable", "larg", code=1).output


def test_a_template_that_does_not_fit_stays_off(place: Path) -> None:
    (place / "policies" / "templates" / "large.yaml").write_text(RULES)
    assert "this id is taken" in _run("enable", "large", code=1).output
    assert not (place / "policies" / "large.yaml").exists()


def test_the_kill_switch(place: Path) -> None:
    _run("panic", "--reason", "a key is out")
    panic = panic_of(place / "data")
    assert panic and (panic.mode, panic.reason) == ("block", "a key is out")
    assert json.loads(_run("list", "--json").stdout)["panic"] == "block"
    _run("panic", "--observe")
    assert "Calls pass again" in _run("resume", "--reason", "revoked").output
    assert "was not thrown" in _run("resume").output
    with control.reading(place / "data") as db:
        entries = control.audited(db, 10)
    assert [(e["action"], e["subject"], e["actor"]) for e in entries] == [
        (action, "kill switch", panic.by) for action in ("resume", "panic", "panic")
    ]
    was, said = ([json.loads(e[key] or "null") for e in entries] for key in ("before", "after"))
    assert was == [{"mode": "observe", "by": panic.by}, {"mode": "block", "by": panic.by}, None]
    assert said == [
        {"reason": "revoked"},
        {"mode": "observe", "reason": ""},
        {"mode": "block", "reason": "a key is out"},
    ]


def test_no_log_keeps_the_kill_switch_from_being_thrown(place: Path) -> None:
    (place / "data").mkdir()
    (place / "data" / "control.db").write_bytes(b"not a database" * 1000)
    result = _run("panic")
    assert "All LLM calls are stopped" in result.output
    assert "Warning: the audit log could not be written" in result.stderr
    assert panic_of(place / "data")
    assert "Calls pass again" in _run("resume").output
    assert panic_of(place / "data") is None


def test_a_broken_file_is_told_with_its_line(place: Path) -> None:
    (place / "policies" / "a.yaml").write_text(RULES.replace("action", "acton"))
    assert "a.yaml:3: rule no-mini: " in _run("list", code=1).output.replace("a.yaml:5", "a.yaml:3")


def test_a_backtest_needs_a_record(place: Path) -> None:
    assert "there is no record yet" in _run("backtest", code=1).output


def test_a_backtest_tells_by_rule(place: Path) -> None:
    from contextlib import closing

    from intelligence.store.drain import Drain
    from intelligence.store.journal_writer import JournalWriter
    from intelligence.store.migrations import open_database
    from tests.intelligence.store.traffic import call, prompt, request_head, stream

    with (
        closing(JournalWriter(place / "data" / "journal")) as journal,
        closing(open_database(place / "data" / "traffic.db")) as db,
        closing(Drain(db, place / "data" / "journal")) as drain,
    ):
        small = call(journal, stream("a"), head=request_head(model="gpt-4o-mini"), body=prompt("x"))
        call(journal, stream("a"), body=prompt("x"))
        drain.step()
    report = json.loads(_run("backtest", "--json").stdout)
    assert (report["calls"], report["stopped"]) == (2, 1)
    assert report["rules"][0]["calls"] == [small]
    one = place / "policies" / "templates" / "large.yaml"
    told = _run("backtest", str(one), "--since", "1d").stdout
    assert "of-template: block 1" in told
    assert f"/-/calls/{small}" in told
    assert "2 calls since" in told
