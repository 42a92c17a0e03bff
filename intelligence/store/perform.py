"""Have something done to `traffic.db`: by the worker if one runs, else by this process, which then holds the right to write.

Either way the job is a file first (see `jobs`): killed half-way, it is taken up by the next worker.
"""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

from intelligence.config import Store
from intelligence.store import jobs
from intelligence.store.drain import Drain
from intelligence.store.jobs import JobError
from intelligence.store.keeping import Keeping
from intelligence.store.migrations import open_database
from intelligence.store.worker import WorkerRunning, sole_writer

ASK_SECONDS = 0.05


def perform(store: Store, kind: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """The job's report. Raises `JobError`, `SchemaError`, `sqlite3.Error`, `OSError`."""
    job = jobs.submit(store.dir, kind, arguments)
    while True:
        if (report := job.answer()) is not None:
            return report
        try:
            with sole_writer(store.dir):
                if (report := job.answer()) is not None:
                    return report
                _do_all(store)
            if not job.path.exists() and not job.is_done:
                raise JobError("its answer could not be written; is the disk full?")
        except WorkerRunning:
            if not job.path.exists() and not job.is_done:
                raise JobError("the worker gave no answer; its log says why") from None
            time.sleep(ASK_SECONDS)
        except BaseException:
            job.path.unlink(missing_ok=True)
            raise


def _do_all(store: Store) -> None:
    """Every job that waits, those of others before this one's too."""
    keeping = Keeping(store, lambda: False)
    journal = store.dir / "journal"
    journal.mkdir(mode=0o700, exist_ok=True)
    while waiting := jobs.waiting(store.dir):
        if waiting[0].kind == "restore":
            keeping.between()
            continue
        with (
            closing(open_database(store.dir / "traffic.db")) as db,
            closing(Drain(db, journal)) as drain,
        ):
            while (keeping.busy or jobs.waiting(store.dir)) and not keeping.turn(db, drain):
                pass
