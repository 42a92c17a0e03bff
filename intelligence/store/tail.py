"""Follows the journal: the frames of every run that are not stored yet, each run's in the order they were written.

`read` goes on from the given positions and takes some from every run, so that no run waits for another. A segment is
done when nobody writes to it any more and all that can be read was read; a run is over when its last segment is done.
Both are told in the order of the frames. Nothing is remembered on disk here: the positions reached are for the caller
to commit together with what the frames said. After a failed commit, begin anew with the committed positions.
Files that are no segments, or of a later version's format, are left alone; the log says so once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from intelligence.store.journal_reader import Frame, JournalError, SegmentReader, is_live, segments

log = logging.getLogger(__name__)

# A draft becomes a segment within microseconds; one that is older was left by a process that died.
DRAFT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class RunFrame:
    run: str
    frame: Frame


@dataclass(frozen=True, slots=True)
class RunOver:
    run: str


@dataclass(slots=True)
class _Run:
    name: str
    reader: SegmentReader | None = None
    position: int = 0
    began: bool = False


class Tail:
    def __init__(self, folder: Path, positions: Mapping[str, int]) -> None:
        self._folder = folder
        self._runs: dict[str, _Run] = {}
        self._left_alone: set[str] = set()
        self._finished: set[str] = set()
        self.positions = dict(positions)
        self.done: list[Path] = []  # segments read to their end since the last `take_done`

    def close(self) -> None:
        for run in self._runs.values():
            if run.reader:
                run.reader.close()
        self._runs.clear()

    def read(self, max_bytes: int) -> Iterator[RunFrame | RunOver]:
        """What is new, until about `max_bytes` were read. `positions` and `done` move as it is consumed."""
        names = {path.name.rpartition("-")[0] for path in self._unfinished()}
        share = max(max_bytes // max(len(names), 1), 1 << 16)
        for name in sorted(names):
            run = self._runs.setdefault(name, _Run(name))
            yield from self._read_run(run, share)

    def take_done(self) -> list[Path]:
        """The segments that are done; the caller, who has committed all they said, removes them."""
        done, self.done = self.done, []
        return done

    def _read_run(self, run: _Run, max_bytes: int) -> Iterator[RunFrame | RunOver]:
        while run.reader or self._next_segment(run):
            assert run.reader is not None
            path = run.reader.path
            # Asked before reading: what was written before its writer let go is then seen.
            live = is_live(path)
            for frame in run.reader.frames(run.position, over=not live):
                run.position = self.positions[path.name] = frame.end
                yield RunFrame(run.name, frame)
                max_bytes -= len(frame.body)
                if max_bytes <= 0:
                    return
            if live:
                return
            run.reader.close()
            run.reader = None
            self._finished.add(path.name)
            self.positions.setdefault(path.name, 0)
            self.done.append(path)
        del self._runs[run.name]
        if run.began:
            yield RunOver(run.name)

    def _next_segment(self, run: _Run) -> bool:
        for path in self._unfinished():
            if path.name.rpartition("-")[0] != run.name:
                continue
            try:
                run.reader = SegmentReader(path)
            except FileNotFoundError:
                continue
            except JournalError as e:
                if path.name not in self._left_alone:
                    self._left_alone.add(path.name)
                    log.warning("left alone: %s", e)
                continue
            run.position = self.positions.get(path.name, 0)
            run.began = True
            return True
        return False

    def _unfinished(self) -> list[Path]:
        return [path for path in segments(self._folder) if path.name not in self._finished]

    def remove_stale_drafts(self) -> None:
        """What processes left that died while they began a segment."""
        for path in self._folder.glob("*.new"):
            try:
                if time.time() - path.stat().st_mtime > DRAFT_SECONDS and not is_live(path):
                    path.unlink()
            except FileNotFoundError:
                continue
