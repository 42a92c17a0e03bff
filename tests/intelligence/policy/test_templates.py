from __future__ import annotations

from pathlib import Path

import pytest

from intelligence.detect.lazily import lazy_detector
from intelligence.policy import handed
from intelligence.policy.load import load

POLICIES = Path(__file__).parents[3] / "policies"
TEMPLATES = sorted((POLICIES / "templates").glob("*.yaml"))


def test_there_is_one_for_each_purpose() -> None:
    assert {path.stem for path in TEMPLATES} >= {
        "secrets-out", "pii", "prompt-injection", "dangerous-tools", "models", "budgets", "loop-breaker", "residency",
        "working-hours", "ceilings", "observer",
    }  # fmt: skip


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_its_own_examples_come_out(path: Path) -> None:
    policies = handed.checked(path.parent, lazy_detector(), only=path.name)
    for rule in policies.rules:
        expected = {example.expect for example in rule.tests}
        assert expected - {"nothing"}, f"{rule.id} has no example that it holds for"
        assert rule.description


def test_defaults_change_and_stop_nothing() -> None:
    policies = handed.checked(POLICIES, lazy_detector(), only="defaults.yaml")
    assert {rule.action for rule in policies.rules} == {"alert"}
    assert {rule.fail for rule in policies.rules} == {"open"}


def test_all_can_be_on_together() -> None:
    names = "".join(f"  - templates/{path.name}\n" for path in TEMPLATES)
    policies = load(POLICIES, {"all.yaml": f"include:\n{names}"})
    assert len(policies.texts) >= len(TEMPLATES)
