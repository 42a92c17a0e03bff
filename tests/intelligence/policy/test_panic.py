from __future__ import annotations

from pathlib import Path

import pytest

from intelligence.policy.panic import panic_of, raise_panic, resume


def test_it_holds_until_somebody_resumes(tmp_path: Path) -> None:
    assert panic_of(tmp_path) is None
    panic = raise_panic(tmp_path, "observe", "alice", "looking into it")
    assert panic_of(tmp_path) == panic
    assert resume(tmp_path)
    assert panic_of(tmp_path) is None
    assert not resume(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"mode": "observe"}', b"\xff"])
def test_a_damaged_switch_counts_as_thrown(tmp_path: Path, damage: bytes) -> None:
    raise_panic(tmp_path, "observe", "alice")
    (tmp_path / "policy" / "panic.json").write_bytes(damage)
    panic = panic_of(tmp_path)
    assert panic is not None
    assert panic.mode == "block"
