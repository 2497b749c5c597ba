"""Deletes the checkpoints of training jobs that are not among the best (`keep_checkpoints`)."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from itertools import zip_longest
from operator import attrgetter
from pathlib import Path

from hpt_cli.errors import HptError
from hpt_cli.formatting import format_bytes
from hpt_cli.machine.threads import start_thread
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.names import job_name
from hpt_cli.storage.job_directory import JobDir, measure_size
from hpt_cli.tuning.evidence import trial
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.repeats.configurations import (
    Configuration,
    find_best_configuration,
    list_configurations,
    rank_configurations,
)
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import final_objective


def list_superfluous(spec: TuningSpec, ended: Mapping[int, TrainingJob], kept: int) -> list[int]:
    """Return the numbers of the jobs that are not among the best, and never run again.

    With repeats, kept is the best one of each of the best configurations. Those without a finite
    result come last, but are kept as long as there are no others. Failed ones are not listed: `hpt
    resume --retry-failed` goes on from their checkpoints.
    """
    objective = spec.objective

    def order(job: TrainingJob) -> tuple[float, bool, int]:
        final = final_objective(job, objective)
        loss = math.inf if final is None or not math.isfinite(final) else objective.loss(final)
        return loss, job.phase != "Completed", job.number

    final = [job for job in ended.values() if job.phase in ("Completed", "Stopped")]
    ordered = [job.number for job in sorted(final, key=order)]
    if spec.repeats is not None:
        ordered = _alternate(ordered, _rank(spec, final))
    return ordered[kept:]


def _rank(spec: TuningSpec, jobs: Sequence[TrainingJob]) -> list[Configuration]:
    """Return the configurations that can be the best, the one that is shown as the best first."""
    trials = [trial(spec, job) for job in sorted(jobs, key=attrgetter("number"))]
    known = list_configurations(trials, spec.seed_name)
    best = find_best_configuration(known)
    return sorted(rank_configurations(known), key=lambda each: each is not best)


def _alternate(ordered: Sequence[int], ranked: Sequence[Configuration]) -> list[int]:
    """Return the numbers of jobs: the best of each configuration, the second best, and so on."""
    places = {number: place for place, number in enumerate(ordered)}
    runs = [sorted((run.number for run in each.runs), key=places.__getitem__) for each in ranked]
    turns = [number for turn in zip_longest(*runs) for number in turn if number is not None]
    return [*turns, *(number for number in ordered if number not in turns)]


class CheckpointKeeper:
    """Keeps the checkpoints of the best training jobs; deletes the others' in a thread.

    What is deleted is not recorded: a later tuner finds nothing there any more.
    """

    def __init__(self, jobdir: JobDir, wake: Callable[[], None]) -> None:
        """`wake` is called, in the thread, when it is done."""
        self._jobdir = jobdir
        self._wake = wake
        self._listed: Sequence[int] = ()
        self._done: set[int] = set()
        self._deleting: Future[list[str]] | None = None
        self._has_told_of_link = False

    @property
    def is_busy(self) -> bool:
        """Whether something is being deleted, or has been and was not told of."""
        return self._deleting is not None

    def keep_best(self, spec: TuningSpec, state: TuningState) -> None:
        """Begin to delete what is superfluous since the last time."""
        kept = spec.keep_checkpoints
        if kept is None or self.is_busy:
            return
        key = ("superfluous", spec.objective, kept)
        listed = state.jobs.cached(key, lambda ended: list_superfluous(spec, ended, kept))
        if listed is self._listed:
            return
        fresh = [number for number in listed if number not in self._done]
        why = f"as it is not among the best {kept} (keep_checkpoints)"
        try:
            self._deleting = self._begin(partial(self._delete_all, fresh, why))
        except HptError:
            return  # there is no thread to have: tried again in the next turn
        self._listed = listed
        self._done.update(fresh)

    def _begin(self, delete: Callable[[], list[str]]) -> Future[list[str]]:
        deleting = Future[list[str]]()

        def work() -> None:
            try:
                deleting.set_result(delete())
            except BaseException as failure:  # raised by `pop_notes`, in the loop
                deleting.set_exception(failure)
            self._wake()

        # A thread of its own, for which a tuner that is interrupted does not wait.
        start_thread(work, "checkpoints")
        return deleting

    def pop_notes(self) -> list[str]:
        """Return what has been deleted, and what could not be, since the last time."""
        if self._deleting is None or not self._deleting.done():
            return []
        notes, self._deleting = self._deleting.result(), None
        return notes

    def _delete_all(self, numbers: Iterable[int], why: str) -> list[str]:
        notes = {number: self._delete(self._jobdir.checkpoints(number), why) for number in numbers}
        name = self._jobdir.name
        return [f"{job_name(name, number)}: {note}" for number, note in notes.items() if note]

    def _delete(self, path: Path, why: str) -> str:
        """Delete checkpoints; return what to say of it, if anything."""
        try:
            if not self._is_own(path):
                return self._note_link(path)
            if not os.listdir(path):
                return ""
            size = measure_size(path)
            shutil.rmtree(path)
        except FileNotFoundError:
            return ""
        except OSError as error:
            return f"its checkpoints cannot be deleted: {error}"
        return f"deleted its checkpoints ({format_bytes(size)}), {why}"

    def _note_link(self, path: Path) -> str:
        """Return that checkpoints are left alone; "" after the first time: all may be so."""
        if self._has_told_of_link:
            return ""
        self._has_told_of_link = True
        return f"a symbolic link leads to {path}: such checkpoints are not deleted"

    def _is_own(self, path: Path) -> bool:
        """Return whether a path, and what is on the way to it, is within the job's directory."""
        here = self._jobdir.path.resolve()
        return Path(os.path.realpath(path)) == here / path.relative_to(self._jobdir.path)
