from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from addons import policies as module
from addons.policies import Policies
from intelligence.policy import handed
from intelligence.policy.load import load
from intelligence.policy.panic import raise_panic, resume

GOOD = "rules:\n  - {id: no-mini, action: block, fail: closed, when: {model: '*mini*'}}\n"


class Journal:
    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def event(self, kind: str, message: str, data: dict[str, Any] | None = None) -> None:
        self.events.append((kind, message))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "a.yaml").write_text(GOOD)
    return tmp_path


def _policies(place: Path, detect: Any = None) -> Policies:
    config = SimpleNamespace(data_dir=place / "data", policy=SimpleNamespace(dir=place / "policies"))
    parts: Any = SimpleNamespace(config=config, journal=Journal())
    return Policies(parts, detect or (lambda *_: []), lambda: None, list)


def _ids(policies: Policies) -> list[str]:
    return [one.rule.id for one in policies.in_force.compiled.rules]


def test_the_files_are_in_force_from_the_start(place: Path) -> None:
    assert _ids(_policies(place)) == ["no-mini"]


@pytest.mark.parametrize(
    "broken",
    ["rules: [{id: x}]", "{", "rules: [{id: a, action: allow, tests: [{given: {}, expect: block}]}]"],
)
def test_broken_files_at_the_start_leave_the_last_good_set(place: Path, broken: str) -> None:
    handed.hand_over(place / "data", load(place / "policies"))
    (place / "policies" / "a.yaml").write_text(broken)
    policies = _policies(place)
    assert _ids(policies) == ["no-mini"]
    assert [kind for kind, _ in policies.parts.journal.events] == ["policy_rejected"]  # type: ignore[attr-defined]


def test_with_nothing_to_fall_back_on_it_says_so(place: Path, caplog: pytest.LogCaptureFixture) -> None:
    (place / "policies" / "a.yaml").write_text("{")
    assert _ids(_policies(place)) == []
    assert "no policy is in force" in caplog.text


def test_what_is_handed_over_comes_into_force(place: Path) -> None:
    policies = _policies(place)
    (place / "policies" / "b.yaml").write_text(GOOD.replace("no-mini", "more"))
    handed.hand_over(place / "data", load(place / "policies"))
    asyncio.run(policies._look())
    assert _ids(policies) == ["no-mini", "more"]


def test_a_large_set_is_taken_in_with_breaths(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policies, breaths = _policies(place), []
    monkeypatch.setattr(module, "WORK_SECONDS", 0)
    monkeypatch.setattr(module.time, "sleep", breaths.append)
    more = "".join(GOOD.splitlines(keepends=True)[1].replace("no-mini", f"r{n}") for n in range(20))
    (place / "policies" / "b.yaml").write_text("rules:\n" + more)
    handed.hand_over(place / "data", load(place / "policies"))
    asyncio.run(policies._look())
    assert len(_ids(policies)) == 21 <= len(breaths)


def test_a_damaged_hand_over_leaves_what_is_in_force(place: Path) -> None:
    policies = _policies(place)
    before = policies.in_force
    (place / "data" / "policy").mkdir(parents=True)
    for damaged in (
        "",
        "{",
        "[]",
        '{"version": "x", "rules": [{"id": "y"}], "groups": {}, "allow": [], "made_at_ms": 1}',
    ):
        (place / "data" / "policy" / "current.json").write_text(damaged)
        asyncio.run(policies._look())
        assert policies.in_force is before


def test_the_kill_switch_is_seen_and_released(place: Path) -> None:
    policies = _policies(place)
    raise_panic(place / "data", "observe", "alice", "looking")
    policies._look_for_panic()
    assert policies.panic and policies.panic.mode == "observe"
    resume(place / "data")
    policies._look_for_panic()
    assert policies.panic is None
    assert [kind for kind, _ in policies.parts.journal.events] == ["panic", "panic_over"]  # type: ignore[attr-defined]


def test_it_holds_through_a_restart(place: Path) -> None:
    raise_panic(place / "data", "block", "alice")
    policies = _policies(place)
    assert policies.panic and policies.panic.mode == "block"
