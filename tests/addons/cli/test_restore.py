"""`llmitm restore` says what is wrong with a file, and leaves the record alone then."""

from __future__ import annotations

from pathlib import Path

from tests.addons.cli.test_prune import folder, run, texts

__all__ = ["folder"]


def test_what_is_no_backup(folder: Path) -> None:
    other = folder / "other.txt"
    other.write_text("hello")
    for path, words in ((other, "is no backup"), (folder / "nowhere.zst", "no such file")):
        said = run(folder, "restore", str(path))
        assert said.exit_code == 1 and words in said.output.replace("\n", " ")
    assert texts(folder) == ["one", "three", "two"]


def test_in_an_empty_folder(folder: Path, tmp_path_factory) -> None:
    made = next((folder / "backups").glob("*"), None)
    assert made is None
    run(folder, "backup", str(folder / "mine.db"))
    fresh = tmp_path_factory.mktemp("fresh")
    said = run(fresh, "restore", str(folder / "mine.db"))
    assert said.exit_code == 0 and "What was there" not in said.output
    assert texts(fresh) == ["one", "three", "two"]
