"""`llmitm prune`, `backup`, `restore`: what they say, and what is wrong usage."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from addons.cli.prune import Age, Size
from tests.intelligence.store.test_keeping import drained, record, stored


def run(folder: Path, name: str, *args: str) -> Result:
    command = importlib.import_module(f"addons.cli.{name}").command
    return CliRunner(env={"LLMITM_STORE__DIR": str(folder), "LLMITM_CONFIG": None}).invoke(command, args)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    record(tmp_path, "one", "two", user="ann")
    record(tmp_path, "three", user="bob")
    drained(tmp_path)
    return tmp_path


def texts(folder: Path) -> list[str | None]:
    """Of the answers, in order of the alphabet."""
    return sorted((row["text"] for row in stored(folder).values()), key=str)


def test_ages_and_sizes() -> None:
    assert [Age().convert(text, None, None) for text in ("12h", "30d", "1y")] == [43200, 2592000, 31536000]
    assert [Size().convert(text, None, None) for text in ("5GB", "1.5 g", "500mb", "7")] == [
        5 * 10**9,
        15 * 10**8,
        5 * 10**8,
        7,
    ]
    for kind, text in ((Age(), "30"), (Age(), "d"), (Size(), "-1"), (Size(), "5 pounds")):
        with pytest.raises(click.BadParameter):
            kind.convert(text, None, None)


def test_nothing_to_take(folder: Path) -> None:
    for args in ((), ("--dry-run",)):
        assert "all within the limits" in run(folder, "prune", *args).output
    assert texts(folder) == ["one", "three", "two"]


def test_a_dry_run_tells_and_changes_nothing(folder: Path) -> None:
    said = run(folder, "prune", "--older-than", "0h", "--dry-run")
    assert "The content of 3 calls would go" in said.output
    assert (
        json.loads(run(folder, "prune", "--older-than", "0h", "--dry-run", "--json").output)["content"] == 3
    )
    assert (
        "2 calls of user ann would be forgotten."
        in run(folder, "prune", "--forget-user", "ann", "--dry-run").output
    )
    assert texts(folder) == ["one", "three", "two"]


def test_older_than(folder: Path) -> None:
    assert "The content of 3 calls went" in run(folder, "prune", "--older-than", "0h").output
    assert texts(folder) == [None] * 3


def test_keep_bytes(folder: Path) -> None:
    report = json.loads(run(folder, "prune", "--keep-bytes", "1KB", "--json").output)
    assert (report["raw"], report["content"]) == (3, 3)


def test_forgetting_names_the_backups_that_still_hold_it(folder: Path) -> None:
    made = json.loads(run(folder, "backup", "--json").output)["file"]
    said = run(folder, "prune", "--forget-user", "ann")
    assert said.exit_code == 0 and "2 calls of user ann forgotten" in said.output
    assert "still hold" in said.output and made in said.output.replace("\n", "")
    assert texts(folder) == ["three"]
    said = run(folder, "prune", "--forget-user", "bob", "--backups")
    assert f"Removed: {made}" in said.output
    assert texts(folder) == [] and not Path(made).exists()


def test_forgetting_a_session(folder: Path) -> None:
    first = next(iter(stored(folder).values()))
    assert first["session_id"]
    said = json.loads(run(folder, "prune", "--forget-session", first["session_id"], "--json").output)
    assert said["calls"] == 1
    assert len(texts(folder)) == 2 and first["text"] not in texts(folder)


@pytest.mark.parametrize(
    "args",
    [
        ("--forget-user", "a", "--forget-session", "b"),
        ("--forget-user", "a", "--older-than", "1d"),
        ("--backups",),
        ("--older-than", "soon"),
    ],
)
def test_wrong_usage(folder: Path, args: tuple[str, ...]) -> None:
    assert run(folder, "prune", *args).exit_code == 2
    assert texts(folder) == ["one", "three", "two"]


def test_nothing_recorded_yet(tmp_path: Path) -> None:
    for name in ("prune", "backup"):
        said = run(tmp_path, name)
        assert said.exit_code == 1 and "nothing was recorded yet" in said.output
    assert list(tmp_path.iterdir()) == []
