"""Watches a running tuning job for what looks wrong; reads logs in a step of its own."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor
from pathlib import Path

from hpt_cli.logs.log_file import read_lines, read_part
from hpt_cli.logs.tail import find_newest
from hpt_cli.machine.shared_files import SharedFiles
from hpt_cli.metrics.lines import split_lines
from hpt_cli.metrics.lint import BEGINNING_BYTES
from hpt_cli.spec.model import TuningSpec
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning import events as ev
from hpt_cli.tuning import warnings
from hpt_cli.tuning.evidence import is_comparable
from hpt_cli.tuning.jobs.spans import count_seconds
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState

READ_SECONDS = 1.0
"""How often the logs of running jobs are looked at."""
MAX_LOG_BYTES = 1 << 30
"""The bound of logs whose spec sets none."""


class Monitor:
    """Watches one tuning job for its tuner. Each warning is given once, also after a resume."""

    def __init__(self, spec: TuningSpec, jobdir: JobDir, threads: Executor | None = None) -> None:
        """Prepare to watch; `threads`: those to look at the working directory in."""
        self._spec = spec
        self._threads = threads
        self._shared_files: SharedFiles | None = None
        self._jobdir = jobdir
        self._arrivals: dict[tuple[int, int], tuple[float, int]] = {}
        """By job and attempt, when the first objective value came that this tuner saw, and how many
        it saw."""
        self._values: dict[int, dict[str, list[float]]] | None = {} if spec.stop_rule else None
        """By job, the values of its metrics; None after the first job that has completed."""
        self._has_objective = False
        self._has_values = False
        self._unread: list[ev.ObservationsRead | ev.JobExited] = []
        """Events after which a log is to be read again."""
        self._has_read_whole = False
        self._read_at = 0.0
        self._began = 0.0

    def observe(self, events: Iterable[ev.Event]) -> None:
        """Note events; nothing is read."""
        for event in events:
            if isinstance(event, ev.ObservationsRead):
                self._note(event)
            elif isinstance(event, ev.JobExited):
                self._unread.append(event)
            elif isinstance(event, ev.TunerStarted):
                self._began = event.at
            elif isinstance(event, ev.TunerSuspended):
                self._began = event.until

    def _note(self, event: ev.ObservationsRead) -> None:
        if not self._has_values:
            self._has_values = True
            self._unread.append(event)
        if self._values is not None:
            of_job = self._values.setdefault(event.number, {})
            for each in event.observations:
                of_job.setdefault(each.metric, []).append(each.value)
        metric = self._spec.objective_metric_name
        count = sum(each.metric == metric for each in event.observations)
        if count:
            self._has_objective = True
            key = event.number, event.attempt
            first, seen = self._arrivals.get(key, (event.at, 0))
            self._arrivals[key] = first, seen + count

    def read(
        self, state: TuningState, now: float, searched: Mapping[int, int] | None = None
    ) -> list[ev.Warned]:
        """Read the logs that have something to tell; return the warnings that are new.

        Args:
            searched: by job how many bytes of its log have been searched for the objective in vain,
                where it may have printed more by now.
        """
        found: list[ev.Warned] = []
        for event in self._unread:
            if isinstance(event, ev.JobExited):
                found += self._check_end(state, event)
                found += self._check_counting(state, event)
                found += self._check_size(state, event.number, event.attempt, event.ended_at)
            else:
                found += self._check_readings(event)
        self._unread = []
        given = {each.slug for each in state.warnings}
        # What other machines change is seen late, and with the times of their clocks.
        is_here = self._spec.executor == "local"
        if self._threads is not None and is_here and "files-shared" not in given:
            found += self._check_files(state, now, self._threads)
        if time.monotonic() - self._read_at >= READ_SECONDS:
            self._read_at = time.monotonic()
            if not self._has_objective and "no-objective" not in given:
                found += self._check_objective(state, now, searched or {})
            if "log-too-long" not in given:
                for job in state.running:
                    found += self._check_size(state, job.number, len(job.attempts), now)
        first = {each.slug: each for each in reversed(found) if each.slug not in given}
        return list(first.values())

    def _check_counting(self, state: TuningState, event: ev.JobExited) -> Iterator[ev.Warned]:
        """Yield that the steps of several attempts have been counted."""
        if not is_comparable(self._spec, state.jobs[event.number]):
            number, attempt = event.number, event.attempt
            yield warnings.warn_of_counted_steps(self._spec, number, attempt, event.at)

    def _check_end(self, state: TuningState, event: ev.JobExited) -> Iterator[ev.Warned]:
        """Yield what looks wrong with a job that has completed."""
        job = state.jobs[event.number]
        arrivals = self._arrivals.pop((event.number, event.attempt), None)
        if job.phase != "Completed" or job.attempt is None:
            return
        yield from self._check_judging(state, job, event.at)
        if arrivals is None:
            if not job.curve(self._spec.objective_metric_name):
                lines = self._read_source(job)
                yield warnings.warn_of_no_objective(self._spec, job.number, lines, None, event.at)
            return
        if not self._has_read_whole:
            self._has_read_whole = True
            yield from self._check_readings(event)
        same = warnings.warn_of_same_curves(self._spec, state, event.at)
        begun = job.attempt.started_at
        held_back = None
        if begun >= self._began:  # arrivals before this tuner began, or went on, are not known
            first, seen = arrivals
            spans = job.attempt.suspended
            seen_after = count_seconds(begun, first, spans)
            seconds = count_seconds(begun, event.ended_at, spans)
            held_back = warnings.warn_of_held_back_output(
                self._spec, job.number, seen, seen_after, seconds, event.at
            )
        yield from (each for each in (held_back, same) if each is not None)

    def _check_judging(
        self, state: TuningState, job: TrainingJob, now: float
    ) -> Iterator[ev.Warned]:
        """Yield that early stopping has nothing to judge by, as the first job to complete shows."""
        values, self._values = (self._values or {}).get(job.number, {}), None
        others = (each for each in state.jobs.ended.values() if each.number != job.number)
        is_first = not any(each.phase == "Completed" for each in others)
        # Of a job that began before this tuner, it has not seen all values.
        if values and is_first and job.attempts[0].started_at >= self._began:
            found = warnings.warn_of_nothing_to_judge(self._spec, values, self._read(job), now)
            yield from [found] if found else []

    def _check_objective(
        self, state: TuningState, now: float, searched: Mapping[int, int]
    ) -> Iterator[ev.Warned]:
        """Yield that the first running job should have a value by now."""
        metric = self._spec.objective_metric_name
        self._has_objective = any(job.curve(metric) for job in state.jobs.values())
        followed = (each for each in state.running if each.phase != "Submitting")
        job = next(followed, None)
        if self._has_objective or job is None or job.attempt is None:
            return
        seconds = job.attempt.count_seconds(now)
        until = searched.get(job.number)
        lines = self._read(job, until) if warnings.find_file(self._spec) is None else []
        if len(lines) >= warnings.PATIENCE_LINES or seconds >= warnings.PATIENCE_SECONDS:
            lines = lines or self._read_source(job)
            yield warnings.warn_of_no_objective(self._spec, job.number, lines, seconds, now)

    def _check_files(
        self, state: TuningState, now: float, threads: Executor
    ) -> Iterator[ev.Warned]:
        """Yield that jobs change each other's files, as far as a look in a thread has shown."""
        if self._shared_files is None:
            directory = Path(state.directory, self._spec.working_directory)
            self._shared_files = SharedFiles(directory, self._jobdir.path.parent, threads)
        if files := self._shared_files.pop(state):
            yield warnings.warn_of_shared_files(files, now)

    def _check_size(
        self, state: TuningState, number: int, attempt: int, at: float
    ) -> Iterator[ev.Warned]:
        """Yield that the log of an attempt is longer than `max_log_bytes`."""
        limit = state.spec.get("max_log_bytes") or MAX_LOG_BYTES
        try:
            size = self._jobdir.attempt(number, attempt).log.stat().st_size
        except OSError:
            return  # reported where the log is followed
        if size > limit:
            seconds = state.jobs[number].attempts[attempt - 1].count_seconds(at)
            yield warnings.warn_of_long_log(self._spec, number, size, limit, seconds, at)

    def _check_readings(self, event: ev.ObservationsRead | ev.JobExited) -> list[ev.Warned]:
        """Return what the definitions read wrong in the beginning of an attempt's log."""
        try:
            path = self._jobdir.attempt(event.number, event.attempt).log
            log = read_part(path, 0, BEGINNING_BYTES)
        except OSError:
            return []  # reported where the log is followed
        return warnings.warn_of_misreadings(self._spec, event.number, log, event.at)

    def _read_source(self, job: TrainingJob) -> list[str]:
        """Return the lines that the objective is looked for in."""
        file = warnings.find_file(self._spec)
        if file is None:
            return self._read(job)
        path = find_newest(self._jobdir.training_job(job.number) / file)
        try:
            return split_lines(read_part(path, 0, BEGINNING_BYTES))
        except OSError:
            return []

    def _read(self, job: TrainingJob, until: int | None = None) -> list[str]:
        return read_lines(self._jobdir.attempt(job.number, len(job.attempts)).log, until=until)
