"""Killed at any point, or out of disk, everything that writes leaves a database that passes the check."""

import os
import random
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from intelligence.config import Store
from intelligence.store import backup, jobs
from intelligence.store.check import check
from intelligence.store.perform import perform
from tests.intelligence.store.test_keeping import drained, record, stored
from tests.rig import forks

REPOSITORY = Path(__file__).parents[3]
POINTS = 3


def run(what, data_dir, at, file="", limit_bytes=0):
    """Exit code and output."""
    command = ["-m", "tests.intelligence.store.killed", what, data_dir, str(at), file, str(limit_bytes)]
    code, out, _ = forks.run(command, "", cwd=REPOSITORY, env=os.environ, timeout=60)
    return code, out


def problems(data_dir):
    return [f"{found.name}: {found.problem}" for found in check(data_dir) if found.problem]


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    """A data folder with calls of two users stored, more in the journal, and a backup."""
    folder = tmp_path_factory.mktemp("before")
    record(folder, *(f"ann {n} " + "x" * 5000 for n in range(20)), user="ann")
    record(folder, *(f"bob {n}" for n in range(20)), user="bob")
    drained(folder)
    backup.make(folder / "traffic.db")
    record(folder, *(f"late {n}" for n in range(20)), user="bob")
    return folder


def older(data_dir):
    """Make the database one of before the last migrations."""
    with closing(sqlite3.connect(data_dir / "traffic.db", isolation_level=None)) as db:
        for index in ("turns_tip", "turns_envelope", "envelope_parts_message", "nodes_message"):
            db.execute(f"drop index {index}")
        db.execute("drop table forgotten")
        db.execute("alter table requests drop column pruned")
        db.execute("delete from _sqlite_migrations where name in ('m030_keeping', 'm031_sweep')")


@pytest.mark.parametrize("what", ["batch", "migration", "prune", "forget", "restore", "backup"])
def test_killed(what, before, tmp_path):
    file = str(next((before / "backups").iterdir())) if what == "restore" else ""
    if what == "migration":
        before = shutil.copytree(before, tmp_path / "older")
        older(before)
    whole = shutil.copytree(before, tmp_path / "whole")
    calls = int(run(what, whole, 0, file)[1])
    assert problems(whole) == []
    rng = random.Random(what)
    killed = 0
    # Late points are where the work is; early ones import modules.
    for n in range(POINTS):
        data_dir = shutil.copytree(before, tmp_path / str(n))
        at = rng.randint(1, calls) if n % 2 else calls - rng.randint(1, calls // 4)
        killed += run(what, data_dir, at, file)[0] == -9
        if what != "migration":
            assert problems(data_dir) == [], f"killed at {at}"
        for job in jobs.waiting(data_dir):
            perform(Store(dir=data_dir), job.kind, job.arguments)
        drained(data_dir)
        assert problems(data_dir) == [], f"killed at {at}, and gone on"
        texts = [row["text"] for row in stored(data_dir).values()]
        if what in ("batch", "migration", "backup"):
            assert len(texts) == 60
        left = [
            path.name for path in data_dir.rglob("*") if path.suffix in (".new", ".restoring", ".rewritten")
        ]
        assert left == []
    assert killed >= POINTS - 1


@pytest.mark.parametrize("what", ["batch", "prune", "forget", "restore", "backup"])
def test_full_disk(what, before, tmp_path):
    """No file may grow beyond what the database is."""
    data_dir = shutil.copytree(before, tmp_path / "data")
    file = str(next((before / "backups").iterdir())) if what == "restore" else ""
    size = (data_dir / "traffic.db").stat().st_size
    run(what, data_dir, 0, file, limit_bytes=size // 2 if what != "batch" else size // 8)
    assert problems(data_dir) == []
    drained(data_dir)
    assert problems(data_dir) == []
    assert len(stored(data_dir)) == 60 - 20 * (
        what == "forget" and not jobs.waiting(data_dir) and gone(data_dir)
    )


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 8 MB. Where this user may not mount one, the test above is what there is."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a file system can only be mounted by root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("what", ["batch", "prune", "forget", "restore", "backup"])
def test_really_full_disk(what, before, small_disk):
    data_dir = shutil.copytree(before, small_disk / "data")
    file = str(next((data_dir / "backups").iterdir())) if what == "restore" else ""
    filler = small_disk / "filler"
    with filler.open("wb", buffering=0) as file_:
        file_.write(bytes(shutil.disk_usage(small_disk).free - 16_384))
    left = shutil.disk_usage(small_disk).free
    run(what, data_dir, 0, file)
    assert problems(data_dir) == []
    assert left <= 32_768
    filler.unlink()
    drained(data_dir)
    assert problems(data_dir) == []
    assert len(stored(data_dir)) == (40 if gone(data_dir) else 60)


def gone(data_dir):
    return not any("ann" in (row["user"] or "") for row in stored(data_dir).values())
