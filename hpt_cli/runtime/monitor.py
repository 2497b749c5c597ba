"""Keeps an eye on a running tuning job: reads logs where nothing was found in them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hpt_cli.logs.regex_timeout import limit_searches
from hpt_cli.logs.tail import read_lines
from hpt_cli.logs.trimming import read_part
from hpt_cli.metrics.lint import BEGINNING_BYTES
from hpt_cli.spec.model import TuningSpec
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.tuning.events import AnyEvent, JobExited, ObservationsRead, TunerStarted, Warned
from hpt_cli.tuning.state import TrainingJob, TuningState
from hpt_cli.tuning.warnings import (
    PATIENCE_LINES,
    PATIENCE_SECONDS,
    find_file,
    warn_of_held_back_output,
    warn_of_misreadings,
    warn_of_no_objective,
    warn_of_same_curves,
)

LOOK_SECONDS = 1.0


@dataclass
class _Arrivals:
    """The values of one attempt that this tuner saw: when the first came, and how many."""

    first_at: float
    count: int = 0


class Watchdog:
    """Watches one tuning job for its tuner. Each thing is said once, also after a resume."""

    def __init__(self, spec: TuningSpec, jobdir: JobDir) -> None:
        self._spec = spec
        self._jobdir = jobdir
        self._arrivals: dict[tuple[int, int], _Arrivals] = {}
        self._waiting: list[Warned] = []
        self._has_objective = False
        self._has_read_first = self._has_read_whole = False
        self._looked_at = 0.0
        self._began = 0.0

    def observe(self, state: TuningState, events: Iterable[AnyEvent]) -> None:
        """Take note of events that led to a state."""
        for event in events:
            if isinstance(event, ObservationsRead):
                self._note(event)
            elif isinstance(event, JobExited):
                self._waiting += self._look_at_end(state, event)
            elif isinstance(event, TunerStarted):
                self._began = event.at

    def look(self, state: TuningState, now: float) -> list[Warned]:
        """What there is to say, and was not said before."""
        said = {each.slug for each in state.warnings}
        if not self._has_objective and "no-objective" not in said:
            self._waiting += self._look_at_logs(state, now)
        first = {each.slug: each for each in reversed(self._waiting) if each.slug not in said}
        self._waiting = []
        return list(first.values())

    def _note(self, event: ObservationsRead) -> None:
        if not self._has_read_first:
            self._has_read_first = True
            self._waiting += self._read_again(event.number, event.attempt, event.at)
        metric = self._spec.objective_metric_name
        count = sum(each.metric == metric for each in event.observations)
        if count:
            self._has_objective = True
            key = (event.number, event.attempt)
            self._arrivals.setdefault(key, _Arrivals(event.at)).count += count

    def _look_at_end(self, state: TuningState, event: JobExited) -> Iterator[Warned]:
        job = state.jobs[event.number]
        arrivals = self._arrivals.pop((event.number, event.attempt), None)
        if job.phase != "Completed" or job.attempt is None:
            return
        if arrivals is None:
            if not job.curve(self._spec.objective_metric_name):
                yield warn_of_no_objective(self._spec, job.number, self._read(job), None, event.at)
            return
        if not self._has_read_whole:
            self._has_read_whole = True
            yield from self._read_again(event.number, event.attempt, event.at)
        same = warn_of_same_curves(self._spec, state, event.at)
        begun = job.attempt.started_at
        held_back = None
        if begun >= self._began:  # nobody saw when values came that came before
            held_back = warn_of_held_back_output(
                self._spec,
                job.number,
                arrivals.count,
                arrivals.first_at - begun,
                event.ended_at - begun,
                event.at,
            )
        yield from (each for each in (held_back, same) if each is not None)

    def _look_at_logs(self, state: TuningState, now: float) -> Iterator[Warned]:
        """The first running job that should have a value by now, looked at once a second."""
        if time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        metric = self._spec.objective_metric_name
        self._has_objective = any(job.curve(metric) for job in state.jobs.values())
        job = next((each for each in state.running if each.attempt is not None), None)
        if self._has_objective or job is None or job.attempt is None:
            return
        seconds = now - job.attempt.started_at
        lines = self._read(job) if find_file(self._spec) is None else []
        if len(lines) >= PATIENCE_LINES or seconds >= PATIENCE_SECONDS:
            yield warn_of_no_objective(self._spec, job.number, lines, seconds, now)

    def _read_again(self, number: int, attempt: int, at: float) -> list[Warned]:
        """What is read wrong in a log, with its first values and when one has ended."""
        try:
            log = read_part(self._jobdir.attempt(number, attempt).log, 0, BEGINNING_BYTES)
        except OSError:
            return []  # what is wrong with it is said where it is followed
        return warn_of_misreadings(self._spec, number, log, at, limit_searches)

    def _read(self, job: TrainingJob) -> list[str]:
        return read_lines(self._jobdir.attempt(job.number, len(job.attempts)).log)
