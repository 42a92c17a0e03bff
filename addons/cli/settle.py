"""Waiting until what was recorded is stored: by the worker that runs, else by one of our own that ends when it is done."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from addons.cli import child
from addons.cli.private_proxy import as_env, open_log, stop
from addons.cli.suite import lag, running

# A worker of our own fails also when another one was a moment earlier.
MAX_FAILURES = 3


def settle(
    data_dir: Path,
    seconds: float,
    env: Mapping[str, str] | None = None,
    *,
    stored: Callable[[], bool] | None = None,
) -> bool:
    """Whether the journal was stored in time: to its end, or until `stored` says that it is far enough. Raises
    `click.ClickException` if the database is damaged."""
    stored = stored or (lambda: not lag(data_dir)[0])
    deadline = time.monotonic() + seconds
    failures = 0
    while not stored():
        left = deadline - time.monotonic()
        if left <= 0 or failures == MAX_FAILURES:
            return False
        if "worker" in running(data_dir).alive:
            time.sleep(0.05)
        elif _drain(data_dir, left, env or os.environ):
            return True  # others may have recorded more since; what was there is stored
        else:
            failures += 1
    return True


def _drain(data_dir: Path, seconds: float, env: Mapping[str, str]) -> bool:
    """Whether a worker of our own got to the end. It does not when another one has started meanwhile."""
    with open_log(data_dir, "drain").open("ab") as output:
        process = subprocess.Popen(
            child.command("intelligence", "--drain"),
            env={**env, **as_env({"store__dir": data_dir})},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return process.wait(seconds) == 0
    except subprocess.TimeoutExpired:
        return False
    finally:
        stop(process)
