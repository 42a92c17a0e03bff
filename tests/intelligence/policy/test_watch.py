from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intelligence.policy import handed
from intelligence.policy.watch import Watch

GOOD = "rules:\n  - {id: no-mini, action: block, fail: closed, when: {model: '*mini*'}}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies" / "templates").mkdir(parents=True)
    (tmp_path / "policies" / "a.yaml").write_text(GOOD)
    return tmp_path / "policies"


def _watch(folder: Path) -> Watch:
    return Watch(folder, folder.parent, lambda: lambda *_: [])


def _save(path: Path, text: bytes) -> None:
    """With a time of its own, however fast the saves come."""
    before = path.stat().st_mtime_ns if path.exists() else 0
    path.write_bytes(text)
    os.utime(path, ns=(before + 1_000_000, before + 1_000_000))


def test_what_changes_is_handed_over_once(folder: Path, tmp_path: Path) -> None:
    watch = _watch(folder)
    assert watch.look()
    assert not watch.look()
    _save(folder / "b.yaml", GOOD.replace("no-mini", "more").encode())
    assert watch.look()
    assert [one.rule.id for one in handed.take(tmp_path).compiled.rules] == ["no-mini", "more"]


def test_a_template_that_is_included_is_watched(folder: Path, tmp_path: Path) -> None:
    _save(folder / "templates" / "t.yaml", GOOD.replace("no-mini", "of-t").encode())
    _save(folder / "a.yaml", b"include: templates/t.yaml")
    watch = _watch(folder)
    watch.look()
    _save(folder / "templates" / "t.yaml", GOOD.replace("no-mini", "changed").encode())
    assert watch.look()
    assert [one.rule.id for one in handed.take(tmp_path).compiled.rules] == ["changed"]


def test_a_refused_set_is_told_until_it_is_right(folder: Path, tmp_path: Path) -> None:
    watch = _watch(folder)
    watch.look()
    _save(folder / "a.yaml", GOOD.replace("action", "actoin").encode())
    assert not watch.look()
    assert "a.yaml:2: rule no-mini: unknown key actoin; did you mean action?" in (
        handed.fault(tmp_path) or ""
    )
    assert len(handed.take(tmp_path).compiled.rules) == 1
    _save(folder / "a.yaml", GOOD.encode())
    assert watch.look()
    assert handed.fault(tmp_path) is None


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_never_loosens_what_is_in_force(
    folder: Path, tmp_path: Path, data: st.DataObject
) -> None:
    """Cut, changed or filled with anything: either it is a sound set that says so itself, or the last one stays."""
    _save(folder / "a.yaml", GOOD.encode())
    watch = _watch(folder)
    watch.look()
    good = GOOD.encode()
    start = data.draw(st.integers(0, len(good)))
    end = data.draw(st.integers(start, min(len(good), start + 6)))
    junk = data.draw(
        st.binary(max_size=6) | st.sampled_from([b"{", b"[", b"&a *a", b"!!python/object:x ", b"\t", b"- "])
    )
    damaged = good[:start] + junk + good[end:]
    _save(folder / "a.yaml", damaged)
    came = watch.look()
    rules = handed.take(tmp_path).compiled.rules
    if came:
        assert handed.fault(tmp_path) is None
        assert handed.checked(folder, lambda *_: []).rules == [one.rule for one in rules]
    else:
        assert handed.fault(tmp_path)
        assert [(one.rule.id, one.rule.action, one.rule.fail) for one in rules] == [
            ("no-mini", "block", "closed")
        ]
