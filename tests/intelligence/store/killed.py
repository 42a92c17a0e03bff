"""`python -m tests.intelligence.store.killed WHAT DATA_DIR AT FILE LIMIT`: does WHAT, and kills itself by SIGKILL at the AT-th
call of a function (Python's or C's) on the way. AT 0: goes through, and prints how many calls that took. LIMIT: bytes beyond
which no file may grow, if not 0."""

import os
import resource
import signal
import sys
from pathlib import Path

from intelligence.config import Store
from intelligence.store import jobs
from intelligence.store.migrations import open_database
from intelligence.store.perform import perform
from tests.intelligence.store.test_keeping import drained

ALL = {"raw_before_ms": 2**60, "content_before_ms": 2**60, "max_bytes": None}


def work(what: str, data_dir: Path, file: str) -> None:
    store = Store(dir=data_dir)
    if what == "batch":
        drained(data_dir)
    elif what == "migration":
        open_database(data_dir / "traffic.db").close()
    elif what == "prune":
        perform(store, "prune", ALL)
    elif what == "forget":
        perform(store, "forget", {"what": "user", "name": "ann", "backups": True})
    elif what == "restore":
        perform(store, "restore", {"file": file})
    elif what == "backup":
        perform(store, "backup", {"file": None})
    else:
        raise jobs.JobError(what)


if __name__ == "__main__":
    what, data_dir, at, file, limit = sys.argv[1:]
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), int(limit)))
    count, last = 0, int(at)

    def profile(frame, event, argument):
        global count
        if event in ("call", "c_call"):
            count += 1
            if count == last:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(profile)
    work(what, Path(data_dir), file)
    sys.setprofile(None)
    print(count)
