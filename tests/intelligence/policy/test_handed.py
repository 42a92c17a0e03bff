from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intelligence.policy import handed
from intelligence.policy.load import load
from intelligence.policy.text_file import PolicyError

TEXT = """
groups: {eng: [alice]}
allow: [{kind: secret, value: EXAMPLE, until: 2027-01-01}]
rules:
  - id: a
    action: block
    priority: 7
    when: {all: [{not: {group: eng}}, {time: {from: "09:00", to: "17:00"}}], limit: {cost_usd: $5, per: day, by: user}}
    tests: [{given: {user: bob, at: 2026-11-20T10:00, used: 6}, expect: block}]
  - {id: b, action: redact, reversible: true, when: {detection: {kind: secret, score: ">= 0.9"}}}
"""


def _nothing(*_: object) -> list[object]:
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text(TEXT)
    return tmp_path / "policies"


def test_what_is_handed_over_is_what_was_written(folder: Path, tmp_path: Path) -> None:
    policies = handed.checked(folder, _nothing)
    handed.hand_over(tmp_path, policies)
    taken = handed.take(tmp_path)
    assert [one.rule for one in taken.compiled.rules] == policies.rules
    assert taken.compiled.version == policies.version
    assert list(taken.allow) == policies.allow
    assert taken.compiled.rules[0].named.groups == policies.groups
    path = tmp_path / "policy" / "current.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_example_that_fails_keeps_the_set_out(folder: Path) -> None:
    with pytest.raises(
        PolicyError, match=r"a\.yaml:5: rule a: example \(number 1\): expected block, got nothing"
    ):
        handed.checked(folder, _nothing, {"a.yaml": TEXT.replace("used: 6", "used: 4")})


def test_a_fault_is_told_until_a_good_set_comes(folder: Path, tmp_path: Path) -> None:
    handed.refuse(tmp_path, "v", "a.yaml:1: broken")
    assert handed.fault(tmp_path) == "a.yaml:1: broken"
    handed.hand_over(tmp_path, load(folder))
    assert handed.fault(tmp_path) is None


def test_the_stamp_changes_with_each_hand_over(folder: Path, tmp_path: Path) -> None:
    assert handed.stamp(tmp_path) == (0, 0, 0, 0)
    handed.hand_over(tmp_path, load(folder))
    first = handed.stamp(tmp_path)
    handed.hand_over(tmp_path, load(folder))
    assert handed.stamp(tmp_path) != first


def test_the_set_comes_a_rule_at_a_time(folder: Path, tmp_path: Path) -> None:
    handed.hand_over(tmp_path, load(folder))
    steps = list(handed.taken(tmp_path))
    assert steps[:-1] == [None, None]
    assert steps[-1] is not None


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_hand_over_is_an_error(folder: Path, tmp_path: Path, data: st.DataObject) -> None:
    handed.hand_over(tmp_path, load(folder))
    path = tmp_path / "policy" / "current.json"
    whole = path.read_bytes()
    cut = data.draw(st.integers(0, len(whole) - 1))
    path.write_bytes(whole[:cut] + data.draw(st.binary(max_size=4)))
    with pytest.raises(PolicyError):
        handed.take(tmp_path)
