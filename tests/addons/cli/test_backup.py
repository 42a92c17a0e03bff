"""`llmitm backup` and back again with `llmitm restore`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.addons.cli.test_prune import folder, run, texts
from tests.intelligence.store.test_keeping import drained, record

__all__ = ["folder"]


def test_a_file_of_ones_own(folder: Path) -> None:
    target = folder / "mine.db.zst"
    said = run(folder, "backup", str(target))
    assert said.exit_code == 0 and str(target) in said.output.replace("\n", "")
    again = run(folder, "backup", str(target))
    assert again.exit_code == 1 and "is there already" in again.output


def test_back_again(folder: Path) -> None:
    made = json.loads(run(folder, "backup", "--json").output)["file"]
    record(folder, "four")
    drained(folder)
    said = run(folder, "restore", made)
    assert "Restored 3 calls, the newest of " in said.output and "What was there is in" in said.output
    assert texts(folder) == ["one", "three", "two"]
