from __future__ import annotations

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from addons.cli.audit import command
from intelligence.store import control


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mitm.toml").touch()
    monkeypatch.setenv("LLMITM_CONFIG", str(tmp_path / "mitm.toml"))
    control.prepare(tmp_path / "data")
    for n in range(4):
        with control.changing(tmp_path / "data") as db:
            control.audit(db, "alice", "policy.save", f"<b>{n}", None, {"n": n})
    return tmp_path


def _run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == code, result.output
    return result


def test_a_whole_log_is_verified(place: Path) -> None:
    assert json.loads(_run("verify", "--json").stdout) == {"entries": 4, "chained": 4, "faults": []}


def test_an_edit_ends_with_1_and_names_the_entry(place: Path) -> None:
    db = sqlite3.connect(place / "data" / control.NAME)
    for name in ("audit_log_no_update", "audit_log_no_delete"):
        db.execute(f"drop trigger if exists {name}")
    db.execute("update audit_log set actor = 'bob' where id = 2")
    db.commit()
    db.close()
    assert "entry 2:" in _run("verify", code=1).output


def test_a_head_kept_elsewhere_shows_a_new_log(place: Path, tmp_path: Path) -> None:
    kept = tmp_path / "head.json"
    kept.write_text(_run("head").stdout)
    assert _run("verify", "--head", str(kept))
    kept.write_text(json.dumps({"id": 4, "mac": "0" * 64}))
    assert "anchored" in _run("verify", "--head", str(kept), code=1).output


def test_export_in_each_form(place: Path, tmp_path: Path) -> None:
    assert json.loads(_run("export").stdout)
    rows = list(csv.reader(io.StringIO(_run("export", "--format", "csv").stdout)))
    assert len([row for row in rows if "policy.save" in row]) == 4
    page = _run("export", "--format", "html").stdout
    assert "&lt;b&gt;3" in page and "<b>3" not in page
