from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intelligence.policy.load import load
from intelligence.policy.text_file import MAX_BYTES, PolicyError

GOOD = """\
# yaml-language-server: $schema=policy.schema.json
description: No small models
groups:
  eng: [alice]
rules:
  - id: no-mini
    action: block
    when:
      model: "*mini*"
      not: {group: eng}
"""


def _fault(tmp_path: Path, text: str) -> str:
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(PolicyError) as e:
        load(tmp_path)
    return str(e.value)


def test_rules_are_read_with_their_place(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    found = load(tmp_path)
    assert [rule.id for rule in found.rules] == ["no-mini"]
    assert found.sources == {"no-mini": "a.yaml:6"}
    assert found.groups == {"eng": ["alice"]}


def test_order_is_priority_then_file_then_line(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("rules: [{id: b1, action: alert}, {id: b2, action: alert, priority: 1}]")
    (tmp_path / "a.yaml").write_text("rules: [{id: a1, action: alert}, {id: a2, action: alert}]")
    assert [rule.id for rule in load(tmp_path).rules] == ["b2", "a1", "a2", "b1"]


def test_includes_come_once_and_before(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "t.yaml").write_text("rules: [{id: t, action: alert}]")
    (tmp_path / "a.yaml").write_text("include: templates/t.yaml\nrules: [{id: a, action: alert}]")
    (tmp_path / "b.yaml").write_text("include: [templates/t.yaml]")
    assert [rule.id for rule in load(tmp_path).rules] == ["t", "a"]


def test_what_is_not_included_is_not_in_force(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "t.yaml").write_text("rules: [{id: t, action: block}]")
    (tmp_path / ".hidden.yaml").write_text("nonsense: [")
    (tmp_path / "README.md").write_text("# no policy")
    assert load(tmp_path).rules == []


def test_no_folder_holds_no_rules(tmp_path: Path) -> None:
    assert load(tmp_path / "none").rules == []


def test_includes_that_go_round_end(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("include: b.yaml\nrules: [{id: a, action: alert}]")
    (tmp_path / "b.yaml").write_text("include: a.yaml\nrules: [{id: b, action: alert}]")
    assert {rule.id for rule in load(tmp_path).rules} == {"a", "b"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rules:\n  - id: x\n    acton: block\n", "a.yaml:3: rule x: unknown key acton; did you mean action?"),
        ("rules:\n  - id: x\n    action: block\n    when:\n      modle: a\n", "a.yaml:5: rule x: unknown key when.modle"),
        ("rules:\n  - id: x\n", "a.yaml:2: rule x: action is missing"),
        ("rules:\n  - action: block\n", "a.yaml:2: rule number 1: id is missing"),
        ("a: 1\na: 2\n", "a.yaml:2: 'a' is given twice"),
        ("rules:\n - {id: x, action: explode}\n", "action: should be 'allow', 'alert', 'redact', 'block' or 'throttle'"),
        ("rules:\n - {id: x, action: block, when: {text: {matches: '(a'}}}\n", "rule x: when.text.matches"),
        ("rules:\n - {id: x, action: block, when: {prompt_tokens: lots}}\n", "is not a number such as"),
        ("rules:\n - {id: x, action: block, when: {limit: {per: day}}}\n", "give exactly one of requests, tokens, cost_usd"),
        ("rules:\n - {id: x, action: block, when: {time: {zone: Atlantis}}}\n", "no time zone such as Europe/Berlin"),
        ("rules:\n - {id: x, action: block, when: {client_address: 10.0.0.0/99}}\n", "a.yaml:2: rule x: when.client_address"),
        ("rules:\n - {id: x, action: alert, reversible: true}\n", "reversible goes with action: redact"),
        ("rules:\n - {id: x, action: alert}\n - {id: x, action: alert}\n", "a.yaml:3: rule x: this id is taken by a.yaml:2"),
        ("include: ../outside.yaml\n", "is outside"),
        ("include: missing.yaml\n", "a.yaml:1: includes: missing.yaml"),
        ("[1, 2]\n", "a policy file is a mapping"),
        ("rules: [\n", "not valid YAML"),
        ("\t- a\n", "not valid YAML"),
        ("x: !!python/object/apply:os.system [ls]\n", "not valid YAML"),
    ],
)  # fmt: skip
def test_errors_say_where_and_what(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in _fault(tmp_path, text)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text("rules: [{id: b}]")
    message = _fault(tmp_path, "rules:\n - {id: x}\n - {id: y}\n")
    assert all(f"rule {name}: action is missing" in message for name in "xyb")


def test_a_set_with_one_bad_file_is_not_used_in_part(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    _fault(tmp_path, "rules: [{id: b}]")


def test_aliases_that_unfold_without_end_are_stopped(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x]"] + [
        f"a{n}: &a{n} [{', '.join(['*a' + str(n - 1)] * 10)}]" for n in range(1, 12)
    ]
    assert "too much" in _fault(tmp_path, "\n".join(lines))


def test_a_file_that_is_too_large_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_bytes(b"# \xff\xfe")
    assert "not UTF-8" in _fault(tmp_path, "#" * (MAX_BYTES + 1))
    assert "larger than" in _fault(tmp_path, "#" * (MAX_BYTES + 1))


def test_the_version_changes_with_any_byte(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(GOOD)
    before = load(tmp_path).version
    assert load(tmp_path).version == before
    assert load(tmp_path, {"a.yaml": GOOD + "\n"}).version != before
    assert load(tmp_path, {"new.yaml": ""}).version != before


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(0, len(GOOD)),
    put=st.text(st.characters(codec="utf-8"), max_size=8),
    drop=st.integers(0, 6),
)
def test_a_damaged_file_is_a_set_or_an_error(tmp_path: Path, cut: int, put: str, drop: int) -> None:
    damaged = GOOD[:cut] + put + GOOD[cut + drop :]
    try:
        found = load(tmp_path, {"a.yaml": damaged})
    except PolicyError:
        return
    assert all(rule.action in ("allow", "alert", "redact", "block", "throttle") for rule in found.rules)
