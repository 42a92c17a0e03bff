"""The worker's look at the policy files: what changed is read, tried, and handed to the proxies; or refused, with the reason.

In a thread of its own, so that neither storing nor a stream waits for it. A set that is refused leaves what is in force alone.
A saved file is seen at the next look, which costs a stat of each file: every system can do that.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

from intelligence.policy import handed
from intelligence.policy.feeds import FOLDER, Feeds
from intelligence.policy.testing import Detect
from intelligence.policy.text_file import PolicyError

log = logging.getLogger("llmitm.policy")

LOOK_SECONDS = 0.2
MAX_FILES = 1000

type Stamp = tuple[tuple[str, int, int], ...]


def stamp(*folders: Path) -> Stamp:
    """Changes when a file in one of the folders does: templates and lists included."""
    found: list[tuple[str, int, int]] = []
    waiting = [str(folder) for folder in folders]
    while waiting and len(found) < MAX_FILES:
        with suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in islice(entries, MAX_FILES):
                with suppress(OSError):
                    stat = entry.stat()
                    found.append((entry.path, stat.st_mtime_ns, stat.st_size))
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
    return tuple(sorted(found))


class Watch:
    def __init__(
        self, folder: Path, data_dir: Path, detect: Callable[[], Detect], feeds: Feeds | None = None
    ) -> None:
        """`detect` makes the detectors when they are first needed; `feeds` are told which ones the files name."""
        self._folder = folder
        self._data_dir = data_dir
        self._detect = detect
        self._feeds = feeds
        self._seen: Stamp | None = None

    def look(self) -> bool:
        """Whether something was handed over. Raises `OSError` when it cannot be written."""
        now = stamp(self._folder, self._data_dir / FOLDER)
        if now == self._seen:
            return False
        self._seen = now
        try:
            policies = handed.checked(self._folder, self._detect())
        except PolicyError as e:
            log.error("the policy in force stays, as the changed files cannot be used:\n%s", e)
            handed.refuse(self._data_dir, "", str(e))
            return False
        if self._feeds:
            self._feeds.want(policies.lists)
        handed.hand_over(self._data_dir, policies)
        if policies.rules:
            log.info("policy handed over: %d rules, version %s", len(policies.rules), policies.version)
        return True

    def run(self, stop: threading.Event) -> None:
        while True:
            try:
                self.look()
            except Exception:  # the boundary of the thread: the next change must be seen
                log.exception("looking at the policy files failed")
            if stop.wait(LOOK_SECONDS):
                return
