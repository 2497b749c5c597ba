"""Processes that training jobs have left running, and how they are ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from hpt_cli.errors import HptError
from hpt_cli.executors import Swept
from hpt_cli.executors.processes import describe, end_processes, find_processes
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.journal import open_journal
from hpt_cli.storage.lock import has_tuner
from hpt_cli.tuning.jobs.training_job import TERMINAL

GRACE_SECONDS = 10.0
"""Time between SIGTERM and SIGKILL where no spec tells it."""
Kind = Literal["tuned", "unwatched", "kept", "left"]
"""Of a tuning job that has a tuner; of one that should have; as `children: keep` asks; or a
leftover of a tuning job that has ended, or was deleted."""


@dataclass(frozen=True)
class JobProcess:
    """A living process of a training job."""

    process: psutil.Process
    jobdir: JobDir
    kind: Kind

    def __str__(self) -> str:
        return f"{describe(self.process)} of {self.jobdir.name}"


def list_job_processes(home: Path) -> list[JobProcess]:
    """Return the living processes of the training jobs of a home."""
    resolved = home.resolve()
    found = find_processes(lambda attempt: resolved in attempt.parents)
    jobdirs = {path: home / path.relative_to(resolved).parts[0] for path in {*found.values()}}
    kinds = {each: _classify(JobDir(each)) for each in {*jobdirs.values()}}
    return [
        JobProcess(process, JobDir(jobdirs[path]), kinds[jobdirs[path]])
        for process, path in found.items()
    ]


def _classify(jobdir: JobDir) -> Kind:
    if not jobdir.journal.exists():
        return "left"
    if has_tuner(jobdir):
        return "tuned"
    try:
        with open_journal(jobdir.journal) as journal:
            state = journal.state(only_latest=True)
    except HptError:
        return "unwatched"  # what is in the journal may be repaired
    if state.status not in TERMINAL:
        return "unwatched"
    return "kept" if state.spec.get("children") == "keep" else "left"


def end_left(processes: Iterable[JobProcess], grace: float) -> Swept:
    """End processes of tuning jobs that have ended: SIGTERM, and SIGKILL after the grace."""
    attempts = {each.jobdir.path.resolve() for each in processes if each.kind == "left"}
    return end_processes(
        lambda: find_processes(lambda each: not attempts.isdisjoint(each.parents)), 0.0, grace
    )
