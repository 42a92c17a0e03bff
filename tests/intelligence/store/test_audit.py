from __future__ import annotations

import random
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from intelligence.store import audit, control


def _fill(folder: Path, count: int = 12) -> None:
    control.prepare(folder)
    for n in range(count):
        with control.changing(folder) as db:
            control.audit(db, f"user{n % 3}", "policy.save", f"file{n}.yaml", {"n": n}, {"n": n + 1})


def _raw(folder: Path) -> sqlite3.Connection:
    """As somebody who has the file and no scruples."""
    db = sqlite3.connect(folder / control.NAME, isolation_level=None)
    for name in ("audit_log_no_update", "audit_log_no_delete"):
        db.execute(f"drop trigger if exists {name}")
    return db


def _faults(folder: Path, given_head: audit.Head | None = None) -> list[audit.Fault]:
    with control.reading(folder) as db:
        return audit.verify(db, given_head).faults


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("audit")
    _fill(folder)
    return folder


@pytest.fixture
def copy(filled: Path, tmp_path: Path) -> Path:
    with (
        closing(sqlite3.connect(filled / control.NAME)) as db,
        closing(sqlite3.connect(tmp_path / control.NAME)) as to,
    ):
        db.backup(to)
    for name in (audit.KEY, audit.HEAD):
        (tmp_path / name).write_bytes((filled / name).read_bytes())
    return tmp_path


def test_a_log_that_nobody_touched_is_sound(copy: Path) -> None:
    with control.reading(copy) as db:
        report = audit.verify(db)
    assert report == audit.Report(12, 12, 0, 0, [])
    for name in (audit.KEY, audit.HEAD):
        assert stat.S_IMODE((copy / name).stat().st_mode) in (0o600, 0o644)


def test_files_are_for_their_owner_alone(filled: Path) -> None:
    assert {stat.S_IMODE((filled / name).stat().st_mode) for name in (audit.KEY, audit.HEAD)} == {0o600}


@pytest.mark.parametrize("column", [name for name in audit.COLUMNS if name != "id"])
@pytest.mark.parametrize("id_", [1, 6, 12])
def test_any_edit_shows(copy: Path, column: str, id_: int) -> None:
    with closing(_raw(copy)) as db:
        db.execute(f"update audit_log set {column} = ? where id = ?", (7 if column == "at" else "x", id_))
    assert {fault.id for fault in _faults(copy)} == {id_}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_single_bit_shows(copy: Path, data: st.DataObject) -> None:
    id_ = data.draw(st.integers(1, 12))
    column = data.draw(st.sampled_from(["actor", "action", "subject", "before", "after", "mac"]))
    with closing(_raw(copy)) as db:
        (text,) = db.execute(f"select {column} from audit_log where id = ?", (id_,)).fetchone()
        raw = bytearray(text.encode())
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at] ^= 1 << data.draw(st.integers(0, 6))
        db.execute(f"update audit_log set {column} = ? where id = ?", (raw.decode("latin-1"), id_))
    assert _faults(copy)
    with closing(_raw(copy)) as db:
        db.execute(f"update audit_log set {column} = ? where id = ?", (text, id_))
    assert not _faults(copy)


@pytest.mark.parametrize("id_", [1, 6, 11, 12])
def test_a_removal_shows(copy: Path, id_: int) -> None:
    with closing(_raw(copy)) as db:
        db.execute("delete from audit_log where id = ?", (id_,))
    assert _faults(copy)


def test_a_removal_with_new_numbers_shows(copy: Path) -> None:
    with closing(_raw(copy)) as db:
        db.execute("delete from audit_log where id = 5")
        db.execute("update audit_log set id = id - 1 where id > 5")
    assert _faults(copy)


def test_a_reorder_shows(copy: Path) -> None:
    rng = random.Random(3)
    a, b = rng.sample(range(1, 13), 2)
    with closing(_raw(copy)) as db:
        db.execute("update audit_log set id = 99 where id = ?", (a,))
        db.execute("update audit_log set id = ? where id = ?", (a, b))
        db.execute("update audit_log set id = ? where id = 99", (b,))
    assert _faults(copy)


@pytest.mark.parametrize("left", [0, 1, 11])
def test_a_truncation_shows(copy: Path, left: int) -> None:
    with closing(_raw(copy)) as db:
        db.execute("delete from audit_log where id > ?", (left,))
    assert "ended with entry 12 once" in _faults(copy)[-1].message


def test_a_head_that_was_removed_shows(copy: Path) -> None:
    (copy / audit.HEAD).unlink()
    with closing(_raw(copy)) as db:
        db.execute("delete from audit_log where id > 9")
    assert "audit.head" in _faults(copy)[0].message


def test_a_chain_made_anew_without_the_key_shows(copy: Path) -> None:
    with closing(_raw(copy)) as db:
        rows = db.execute(
            "select id, at, actor, action, subject, before, after from audit_log order by id"
        ).fetchall()
        forged = b"k" * 32
        previous = audit._genesis(db, forged)
        for row in rows:
            entry = (*row[:2], "somebody else", *row[3:])
            previous = audit._mac(forged, previous, entry)
            db.execute("update audit_log set actor = ?, mac = ? where id = ?", (entry[2], previous, row[0]))
    (copy / audit.HEAD).write_text(f'{{"id": 12, "mac": "{previous}"}}')
    assert len(_faults(copy)) == 12


def test_a_head_kept_elsewhere_finds_what_was_rewritten_with_the_key(copy: Path) -> None:
    kept = audit.head(copy)
    with closing(_raw(copy)) as db:
        db.execute("delete from audit_log where id = 12")
    (copy / audit.HEAD).unlink()
    with control.changing(copy) as db:
        control.audit(db, "mallory", "x", "y")
    assert not _faults(copy)
    assert _faults(copy, kept)


def test_entries_of_before_the_chain_are_sealed_by_the_first_of_it(tmp_path: Path) -> None:
    control.prepare(tmp_path)
    with closing(_raw(tmp_path)) as db:
        db.execute("insert into audit_log (at, actor, action, subject) values (1, 'ana', 'user.add', 'bob')")
    with control.changing(tmp_path) as db:
        control.audit(db, "ana", "user.add", "carl")
    with control.reading(tmp_path) as db:
        report = audit.verify(db)
    assert (report.before_chain, report.chained, report.faults) == (1, 1, [])
    with closing(_raw(tmp_path)) as db:
        db.execute("update audit_log set actor = 'eve' where id = 1")
    assert _faults(tmp_path)


def test_a_process_that_died_before_anchoring_is_no_fault(copy: Path) -> None:
    before = (copy / audit.HEAD).read_bytes()
    with control.changing(copy) as db:
        control.audit(db, "ana", "x", "y")
    (copy / audit.HEAD).write_bytes(before)
    with control.reading(copy) as db:
        report = audit.verify(db)
    assert (report.after_head, report.faults) == (1, [])


def test_what_is_rolled_back_leaves_no_gap(copy: Path) -> None:
    with pytest.raises(RuntimeError), control.changing(copy) as db:
        control.audit(db, "ana", "x", "y")
        raise RuntimeError
    with control.changing(copy) as db:
        control.audit(db, "ana", "x", "z")
    assert not _faults(copy)


def test_a_period(copy: Path) -> None:
    with control.reading(copy) as db:
        every = list(audit.entries(db))
        assert [entry["id"] for entry in every] == list(range(1, 13))
        assert list(audit.entries(db, since_ms=every[-1]["at"] + 1)) == []


def _forgotten(folder: Path) -> audit.Head | None:
    """Entry 13 is without its words; 14 comes after it. Returns the head of before."""
    with control.changing(folder) as db:
        control.audit(db, "ana", "save search", "my name", None, {"query": "my words", "shared": True})
        control.audit(db, "ana", "review", "secret key", None, {"verdict": "dismissed"})
    kept = audit.head(folder)
    with control.changing(folder) as db:
        assert audit.forget(db, [12, 13, 14, 99]) == 1
        assert audit.forget(db, [13]) == 0
    return kept


def test_forgetting_leaves_what_was_done_and_the_chain(copy: Path) -> None:
    kept = _forgotten(copy)
    (copy / audit.HEAD).unlink()
    with control.changing(copy) as db:
        control.audit(db, "ana", "x", "y")
    with control.reading(copy) as db:
        report = audit.verify(db, kept)
        entry = list(audit.entries(db))[12]
    assert (report.faults, report.chained, report.forgotten) == ([], 15, 1)
    assert (entry["actor"], entry["action"], entry["subject"]) == ("ana", "save search", "")
    assert (entry["before"], entry["after"]) == (None, '{"shared":true}')


@pytest.mark.parametrize("column", [*(name for name in audit.COLUMNS if name != "id"), "mac", "left_mac"])
def test_any_edit_of_what_is_left_shows(copy: Path, column: str) -> None:
    _forgotten(copy)
    with closing(_raw(copy)) as db:
        db.execute(f"update audit_log set {column} = ? where id = 13", (7 if column == "at" else "x",))
    assert 13 in {fault.id for fault in _faults(copy)}


def test_nothing_is_taken_out_without_the_key(copy: Path) -> None:
    _forgotten(copy)
    with closing(_raw(copy)) as db:
        for id_, left in ((12, "a" * 64), (12, None), (13, None)):
            db.execute("savepoint before")
            db.execute(
                "update audit_log set after = null, left_mac = coalesce(?, mac) where id = ?", (left, id_)
            )
            assert {fault.id for fault in _faults_of(db)} == {id_}
            db.execute("rollback to before")
            db.execute("release before")
        assert _faults_of(db) == []


def _faults_of(db: sqlite3.Connection) -> list[audit.Fault]:
    return audit.verify(db).faults
