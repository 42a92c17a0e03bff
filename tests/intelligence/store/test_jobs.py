import os
import time

import pytest

from intelligence.store import jobs
from intelligence.store.jobs import JobError


def test_asked_done_and_answered_once(tmp_path):
    first = jobs.submit(tmp_path, "prune", {"max_bytes": 5})
    second = jobs.submit(tmp_path, "backup", {})
    assert [(job.kind, job.arguments) for job in jobs.waiting(tmp_path)] == [
        ("prune", {"max_bytes": 5}),
        ("backup", {}),
    ]
    assert first.answer() is None and not first.is_done
    jobs.waiting(tmp_path)[0].finish(report={"raw": 3})
    assert first.is_done and [job.kind for job in jobs.waiting(tmp_path)] == ["backup"]
    assert first.answer() == {"raw": 3}
    second.finish(error="no room")
    with pytest.raises(JobError, match="no room"):
        second.answer()
    assert list((tmp_path / "jobs").iterdir()) == []


def test_files_are_private_and_what_is_no_job_is_left_alone(tmp_path):
    job = jobs.submit(tmp_path, "forget", {"name": "ann"})
    assert os.stat(job.path).st_mode & 0o777 == 0o600
    for name, text in (("a.json", "{"), ("b.json", '["x"]'), ("c.json", '{"kind": 1, "arguments": {}}')):
        (job.path.parent / name).write_text(text)
    assert [found.path for found in jobs.waiting(tmp_path)] == [job.path]


def test_answers_that_nobody_reads_go(tmp_path):
    old, fresh = jobs.submit(tmp_path, "a", {}), jobs.submit(tmp_path, "b", {})
    old.finish(report={})
    fresh.finish(report={})
    long_ago = time.time() - jobs.UNREAD_SECONDS - 1
    os.utime(old.path.with_suffix(".done"), (long_ago, long_ago))
    jobs.remove_unread(tmp_path)
    assert (old.is_done, fresh.is_done) == (False, True)
