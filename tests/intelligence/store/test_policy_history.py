from __future__ import annotations

import stat
from pathlib import Path

import pytest

from intelligence.policy.text_file import PolicyError
from intelligence.store import audit, control, policy_history
from intelligence.store.policy_history import EditError, digest, line_of, text_of

GOOD = "rules:\n  - {id: a, action: block, when: {model: gpt-5}, tests: [{given: {model: gpt-5}, expect: block}]}\n"
FAILING = GOOD.replace("expect: block", "expect: allow")
BROKEN = "rules:\n  - id: a\n    acton: block\n"


def _nothing(*_: object) -> list[object]:
    return []


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    control.prepare(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "policies" / "templates").mkdir(parents=True)
    (tmp_path / "policies" / "templates" / "off.yaml").write_text(GOOD)
    return tmp_path / "policies"


def _save(
    data_dir: Path,
    folder: Path,
    text: str | None,
    name: str = "a.yaml",
    was: str | None = None,
    why: str = "why",
) -> None:
    now = digest(text_of(folder, name)) if was is None else was
    policy_history.save(data_dir, folder, _nothing, "ada", name, text, why, now)


def test_what_is_saved_is_kept_as_it_was_before(data_dir: Path, folder: Path) -> None:
    _save(data_dir, folder, GOOD)
    (folder / "a.yaml").chmod(0o640)
    _save(data_dir, folder, "rules: []\n")
    assert (folder / "a.yaml").read_text() == "rules: []\n"
    assert stat.S_IMODE((folder / "a.yaml").stat().st_mode) == 0o640
    _save(data_dir, folder, None)
    assert policy_history.names(folder) == []
    with control.reading(data_dir) as db:
        found = [(c.before, c.after, c.user, c.reason) for c in policy_history.changes(db, "a.yaml", 10)]
        assert policy_history.changes(db, "b.yaml", 10) == []
        entries = control.audited(db, 10)
        assert audit.verify(db).faults == []
    assert found == [
        ("rules: []\n", None, "ada", "why"),
        (GOOD, "rules: []\n", "ada", "why"),
        (None, GOOD, "ada", "why"),
    ]
    assert [(e["actor"], e["action"], e["subject"]) for e in entries] == [("ada", "policy", "a.yaml")] * 3


@pytest.mark.parametrize("text", [BROKEN, FAILING, "rules: [", "include: none.yaml"])
def test_a_faulty_one_is_not_written(data_dir: Path, folder: Path, text: str) -> None:
    _save(data_dir, folder, GOOD)
    with pytest.raises(PolicyError, match=r"a\.yaml"):
        _save(data_dir, folder, text)
    assert (folder / "a.yaml").read_text() == GOOD
    with control.reading(data_dir) as db:
        assert len(policy_history.changes(db, None, 10)) == 1
    assert [path.name for path in folder.iterdir() if path.is_file()] == ["a.yaml"]


def test_a_file_another_changed_meanwhile_stays(data_dir: Path, folder: Path) -> None:
    _save(data_dir, folder, GOOD)
    seen = digest(GOOD)
    (folder / "a.yaml").write_text("rules: []\n")
    with pytest.raises(EditError, match="meanwhile"):
        _save(data_dir, folder, GOOD + "# mine\n", was=seen)
    assert (folder / "a.yaml").read_text() == "rules: []\n"


@pytest.mark.parametrize(
    "name", ["../a.yaml", "templates/off.yaml", "a.txt", ".a.yaml", "", "a/b.yaml", "a.yaml\n"]
)
def test_only_files_of_the_folder_are_written(data_dir: Path, folder: Path, name: str) -> None:
    with pytest.raises(EditError, match="no name of a policy file"):
        policy_history.save(data_dir, folder, _nothing, "ada", name, GOOD, "why", "")
    assert policy_history.names(folder) == []


@pytest.mark.parametrize("name", ["../a.yaml", "templates/../../x.yaml", "/etc/x.yaml"])
def test_only_files_of_the_folder_are_read(folder: Path, name: str) -> None:
    with pytest.raises(EditError):
        text_of(folder, name)


def test_a_change_needs_a_reason_and_a_difference(data_dir: Path, folder: Path) -> None:
    with pytest.raises(EditError, match="why"):
        _save(data_dir, folder, GOOD, why="  ")
    _save(data_dir, folder, GOOD)
    with pytest.raises(EditError, match="nothing"):
        _save(data_dir, folder, GOOD)


def test_a_template_is_switched_on_by_a_file(data_dir: Path, folder: Path) -> None:
    assert policy_history.templates(folder) == ["off"]
    _save(data_dir, folder, policy_history.switched_on("off"), "off.yaml")
    assert policy_history.names(folder) == ["off.yaml"]


def test_a_fault_names_its_line() -> None:
    assert line_of("a.yaml:3: rule a: is wrong") == ("a.yaml", 3, "rule a: is wrong")
    assert line_of("and 3 more") == ("", 0, "and 3 more")
