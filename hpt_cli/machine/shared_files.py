"""Finds out whether training jobs change the same files in the working directory that they share.

Who changes a file is not known, only when. So a file counts as shared where no single job can have
made all of its changes: between them, no job ran all the time. What changes while none runs is
somebody else's.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path

import psutil

from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState

MAX_LOOKS = 50
"""Jobs that share files do so from the first ones on."""
MAX_ENTRIES = 2000
"""So much of a large tree is looked at, what is nearest first."""
MAX_DEPTH = 3
SKIPPED = ("__pycache__", "node_modules")
"""Directories; those whose names begin with a dot are skipped too."""
OF_PEOPLE = (
    *(".py", ".ipynb", ".sh", ".c", ".cpp", ".h", ".md", ".yaml", ".yml", ".toml", ".cfg"),
    *(".log", ".out", ".err", ".html", ".png", ".svg", ".csv", ".tsv", ".parquet"),
    *(".lock", ".db", ".sqlite", ".pyc", ".so", ".o"),
)
"""Endings of what people edit, or have written again and again, or programs share on purpose."""


class SharedFiles:
    """The files of one working directory, looked at in a thread when a job has ended."""

    def __init__(self, directory: Path, but: Path, threads: Executor) -> None:
        """Prepare to look at a directory, without the directory `but`."""
        self._directory = directory
        self._but = but
        self._threads = threads
        self._changed_at: dict[str, int] = {}
        """By file, the latest change that was seen, in nanoseconds since the epoch."""
        self._suspects: dict[str, frozenset[int]] = {}
        """By file, the jobs each of which may have made all changes; none for somebody else's."""
        self._looks = self._looked_after = 0
        """How often it was looked, and after how many jobs had ended."""
        self._looking: Future[list[str]] | None = None

    def pop(self, state: TuningState) -> list[str]:
        """Return the files found to be shared, relative to the directory; look again if need be."""
        found: list[str] = []
        if self._looking is not None and self._looking.done():
            found, self._looking = self._looking.result(), None
        ended = len(state.jobs.ended)
        if self._looking is None and self._looked_after < ended and self._looks < MAX_LOOKS:
            self._looked_after, self._looks = ended, self._looks + 1
            self._looking = self._threads.submit(self.look, state)
        return found

    def look(self, state: TuningState) -> list[str]:
        """Return the files that are now known to be changed by several jobs; call it in a thread.

        Args:
            state: all jobs, also those that have ended.
        """
        jobs = list(state.jobs.values())
        begun = min((each.submitted_at for job in jobs for each in job.attempts), default=0.0)
        shared: list[str] = []
        for path, changed_at in _list_files(self._directory, self._but):
            if changed_at == self._changed_at.get(path) or changed_at / 1e9 < begun:
                continue
            self._changed_at[path] = changed_at
            running = _find_running(jobs, changed_at / 1e9)
            known = self._suspects.get(path, running)
            self._suspects[path] = known & running
            if known and running and not known & running:
                shared.append(path)
        held = _list_open() if shared else set()
        return [os.path.relpath(path, self._directory) for path in shared if path not in held]


def _find_running(jobs: Iterable[TrainingJob], at: float) -> frozenset[int]:
    """Return the numbers of the jobs that ran at a moment, in seconds since the epoch."""
    return frozenset(
        job.number
        for job in jobs
        for each in job.attempts
        if each.submitted_at <= at and (each.ended_at is None or at <= each.ended_at)
    )


def _list_files(directory: Path, but: Path) -> Iterator[tuple[str, int]]:
    """Yield files and when they were changed last, in nanoseconds; what is nearest first."""
    left, waiting = MAX_ENTRIES, deque([(str(directory), 0)])
    while waiting:
        where, depth = waiting.popleft()
        with suppress(OSError), os.scandir(where) as entries:
            for entry in entries:
                left -= 1
                if left < 0:
                    return
                if entry.name.startswith(".") or entry.name.endswith((*SKIPPED, *OF_PEOPLE)):
                    continue
                if not entry.is_dir(follow_symlinks=False):
                    yield entry.path, entry.stat(follow_symlinks=False).st_mtime_ns
                elif depth < MAX_DEPTH and entry.path != str(but):
                    waiting.append((entry.path, depth + 1))


def _list_open() -> set[str]:
    """Return the files that are open in this session: `hpt run spec.yaml | tee output`."""
    found: set[str] = set()
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if os.getsid(process.pid) == os.getsid(0):
                found.update(each.path for each in process.open_files())
    return found
