"""Replay of a tuning job under a virtual clock, to see what a stop rule would have done.

`fold` and `decide` are the tuner's own; only the training jobs are recorded ones. An epoch's value
is known at the end of the epoch, a job's epochs are evenly spaced over its recorded seconds,
suggestions take no time, and a stopped job ends at the epoch at which it was judged. What happens
at the same moment is seen together, as the runner sees what happened between two polls.
"""

from __future__ import annotations

import heapq
import math
import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from hpt_cli.metrics.curve import Curve, Observation
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec, load_spec
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.parts import Pausing
from hpt_cli.stop_rules import LossCurve, StopRule, Verdict
from hpt_cli.stop_rules.curve_stats import list_completed
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Command, Continue, Launch, Pause, Plan, Stop, Thaw
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.evidence import known_jobs, loss_curve
from hpt_cli.tuning.failures.history import FailureHistory
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.pausing import pause_some
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import (
    final_objective,
    measure_seconds_per_epoch,
    training_seconds,
    tuning_seconds,
)

STOPPED_EXIT_CODE = -15
ACTS = (Plan, Launch, Stop, Thaw)
"""The commands that a replay carries out; the others are for what it does not have."""


@dataclass(frozen=True, slots=True)
class RecordedJob:
    """A training job that ran to its end: what it is judged by at each step of it, and its seconds.

    `final` is what counted of the objective, where it is judged by another metric.
    Without `seconds_per_epoch`, from one epoch to the next, epochs filled the whole time.
    """

    hyperparameters: Hyperparameters
    curve: Curve
    seconds: float
    exit_code: int = 0
    seconds_per_epoch: float | None = None
    final: float | None = None

    def find_moment(self, epoch: int) -> float:
        """Return when an epoch, counted from 1, ended: in seconds since the start."""
        last = max(1, len(self.curve))
        if self.seconds_per_epoch is None:
            return self.seconds * epoch / last
        return max(0.0, self.seconds - self.seconds_per_epoch * (last - epoch))


Chooser: TypeAlias = Callable[[TuningState, int], RecordedJob | None]
"""Returns the recorded job that stands for the training job of a number; None when none is left."""


@dataclass(frozen=True, slots=True)
class Replay:
    """The result of a replay: the recorded jobs by number from 1, and the state at the end."""

    jobs: tuple[RecordedJob, ...]
    state: TuningState
    objective: Objective
    """What the jobs are judged by."""
    tuned: Objective
    """What the best is found by."""

    @property
    def stopped(self) -> list[TrainingJob]:
        """The training jobs that the rule stopped."""
        return [job for job in self.state.jobs.values() if job.stop_reason == "EarlyStopped"]

    @property
    def epochs(self) -> int:
        """The number of epochs of all training jobs."""
        return sum(len(job.curve(self.objective.metric)) for job in self.state.jobs.values())

    @property
    def training_time(self) -> float:
        """The sum over all training jobs, in seconds."""
        return sum(training_seconds(job, 0.0) for job in self.state.jobs.values())

    @property
    def tuning_time(self) -> float:
        """How long the tuning job took, in seconds."""
        return tuning_seconds(self.state, None)

    @property
    def final_losses(self) -> dict[int, float]:
        """The final loss of every training job that has one, by number."""
        finals = ((job.number, self._find_final(job)) for job in self.state.jobs.values())
        return {number: self.tuned.loss(value) for number, value in finals if value is not None}

    def _find_final(self, job: TrainingJob) -> float | None:
        """Return what counted of the objective in a job; None where it was stopped before that."""
        if self.tuned.metric == self.objective.metric:
            return final_objective(job, self.objective)
        return self.jobs[job.number - 1].final if job.phase == "Completed" else None

    @property
    def best_value(self) -> float | None:
        """The best final value; None if no job has a finite one."""
        best = min(filter(math.isfinite, self.final_losses.values()), default=None)
        return -best if best is not None and self.tuned.maximize else best


@dataclass(frozen=True, slots=True)
class Figures:
    """The effect of a rule: fractions of the same training jobs with Off, or means of them."""

    epochs_saved: float
    training_time_saved: float
    tuning_time_saved: float
    jobs_stopped: float
    kept_best: float
    """1 where the job with the best final value was not stopped, else 0."""
    loss: float
    """|best with Off - best with the rule| / |best - median of the reference|."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The training jobs of a tuning job that can be replayed, by number: those that ended by
    themselves. The others were stopped, or still run: their curves are not complete."""

    objective: Objective
    """What they are judged by."""
    tuned: Objective
    """What the best is found by."""
    max_parallel_jobs: int
    jobs: Mapping[int, RecordedJob]
    left_out: int
    inherited: tuple[LossCurve, ...] = ()
    """The curves of the parents, from which a stop rule learns too."""

    def replay(self, rule: StopRule | None, pausing: Pausing | None = None) -> Replay:
        """Return the replay with a rule of the training jobs in order, numbered from 1."""
        jobs, parallel = len(self.jobs), self.max_parallel_jobs
        spec = make_spec(self.objective, jobs, parallel, pausing=pausing)
        run = replay(spec, choose_in_order(list(self.jobs.values())), rule, self.inherited)
        return replace(run, tuned=self.tuned)


def record(state: TuningState, judging: Mapping[str, Any] | None = None) -> Recording:
    """Return the recording of a tuning job.

    Args:
        judging: the metric to judge by, as `early_stopping` names one; by default that of the spec.
    """
    tuned = Objective.of(state.spec)
    objective = tuned.judge_by(judging) if judging else Objective.of_judged(state.spec)
    jobs = {
        job.number: RecordedJob(
            hyperparameters=job.hyperparameters,
            curve=objective.choose(job.curve(objective.metric)),
            seconds=training_seconds(job, 0.0),
            exit_code=0 if job.phase == "Completed" else 1,
            seconds_per_epoch=measure_seconds_per_epoch(job, objective.metric),
            final=None if tuned == objective else final_objective(job, tuned),
        )
        for job in state.jobs.values()
        if job.phase in ("Completed", "Failed") and job.hyperparameters is not None
    }
    spec = load_spec(state.spec)
    parents = (job for job in known_jobs(spec, state) if job.number not in state.jobs)
    return Recording(
        objective=objective,
        tuned=tuned,
        max_parallel_jobs=spec.count_slots(state.pool),
        jobs=jobs,
        left_out=len(state.jobs) - len(jobs),
        inherited=tuple(loss_curve(job, objective) for job in parents),
    )


def choose_in_order(jobs: Sequence[RecordedJob]) -> Chooser:
    """Return a chooser for which training job 1 is the first of these, and so on."""
    return lambda _, number: jobs[number - 1] if number <= len(jobs) else None


def make_spec(objective: Objective, jobs: int, parallel: int, **changes: Any) -> TuningSpec:
    """Return the spec of a replay: Off, without time limits, with no command to be checked."""
    return TuningSpec.model_construct(
        name="replay",
        command="",
        metric_definitions=(),
        objective_metric_name=objective.metric,
        objective_type=objective.type,
        max_jobs=jobs,
        max_parallel_jobs=parallel,
        **{"hyperparameter_ranges": {}, "strategy": "Random", **changes},
    )


def replay(
    spec: TuningSpec, choose: Chooser, rule: StopRule | None, inherited: Sequence[LossCurve] = ()
) -> Replay:
    """Return the replay of a tuning job on recorded curves.

    Args:
        spec: what to run, of `make_spec`.
        choose: where training jobs come from.
        rule: what stops them; None for Off.
        inherited: the curves of other tuning jobs that the rule knows from the start.
    """
    return _Replayer(spec, spec.objective, choose, rule, inherited).run()


@dataclass
class _Replayer:
    """One replay. Times are virtual seconds since its start."""

    spec: TuningSpec
    objective: Objective
    choose: Chooser
    rule: StopRule | None
    inherited: Sequence[LossCurve]
    state: TuningState = field(default_factory=TuningState)
    jobs: dict[int, RecordedJob] = field(default_factory=dict)
    curves: dict[int, LossCurve] = field(default_factory=dict)
    due: list[tuple[float, int]] = field(default_factory=list)
    begun: dict[int, int] = field(default_factory=dict)
    """After how many epochs the latest attempt of a job began."""
    calibrated: StopRule | None = None
    """The rule, calibrated by the jobs that have completed; None where another one has since."""

    def run(self) -> Replay:
        self._fold(ev.TunerStarted(at=0.0, pid=0, host=""))
        self._decide(0.0)
        while self.due:
            now = self.due[0][0]
            due = list(self._take_due(now))
            # All values of this moment are seen before any job is judged, whatever its number.
            ended = [number for number in due if not self._observe(number)]
            self._end_all(ended, now)
            verdicts = {number: self._judge(number) for number in due if number not in ended}
            commands = self._pause_some(
                [
                    Stop(number, "EarlyStopped", verdict)
                    if verdict.stop
                    else Continue(number, verdict)
                    for number, verdict in verdicts.items()
                ],
                now,
            )
            held = [each for each in commands if isinstance(each, (Stop, Pause))]
            for command in held:
                self._act(command, now)
            for number in verdicts.keys() - {each.number for each in held}:
                self._await_epoch(number)
            if ended or held:
                self._decide(now)
        return Replay(tuple(self.jobs.values()), self.state, self.objective, self.objective)

    def _take_due(self, now: float) -> Iterator[int]:
        """Yield the running jobs that are due, in order of number."""
        while self.due and self.due[0][0] == now:
            number = heapq.heappop(self.due)[1]
            # The next epoch of a job that was stopped is still in the heap.
            if self.state.jobs[number].is_running:
                yield number

    def _observe(self, number: int) -> bool:
        """Append the next value of a job to its curve; return whether it goes on after that."""
        curve, seen = self.jobs[number].curve, self.curves[number]
        epoch = len(seen.steps)
        if epoch < len(curve):
            step, value = curve[epoch]
            self.curves[number] = LossCurve(
                number=number,
                status="Running",
                steps=(*seen.steps, step),
                losses=(*seen.losses, self.objective.loss(value)),
            )
        return epoch + 1 < len(curve)

    def _judge(self, number: int) -> Verdict:
        """Return what `decide` would, without building every curve again at every epoch."""
        if self.rule is None:
            return Verdict(False)
        known = [*self.inherited, *self.curves.values()]
        if self.calibrated is None:
            chosen = self.spec.pausing is not None
            self.calibrated = self.rule.calibrate(list_completed(known), chosen=chosen)
        others = [curve for curve in known if curve.number != number]
        return self.calibrated.judge(self.curves[number], others)

    def _pause_some(self, judged: list[Command], now: float) -> list[Command]:
        """Return what becomes of jobs that were judged."""
        if self.spec.pausing is None:
            return judged
        self._fold_observations(now)
        return pause_some(self.spec, self.state, judged, (), math.inf, self._judge_job)

    def _judge_job(self, job: TrainingJob) -> Verdict:
        return self._judge(job.number)

    def _await_epoch(self, number: int) -> None:
        """Schedule the next epoch of a job, or its end if it has no curve."""
        recorded, attempt = self.jobs[number], self.state.jobs[number].attempt
        assert attempt is not None
        epoch, seconds = len(self.curves[number].steps) + 1, 0.0
        begun = self.begun[number]
        if begun:  # from its checkpoint, after starting up again
            seconds -= recorded.find_moment(begun) - recorded.find_moment(0)
        seconds += sum(until - since for since, until in attempt.suspended)
        due = attempt.started_at + recorded.find_moment(epoch) + seconds
        heapq.heappush(self.due, (due, number))

    def _fold(self, *events: ev.Event) -> None:
        for event in events:
            self.state = fold(self.state, event)

    def _fold_observations(self, now: float) -> None:
        """Fold the values seen since the last call. How they are grouped changes nothing."""
        metric = self.objective.metric
        for job in self.state.running:
            first, last = len(job.curve(metric)), len(self.curves[job.number].steps)
            fresh = tuple(
                Observation(metric, offset, step, value)
                for offset, (step, value) in enumerate(self.jobs[job.number].curve[:last])
                if offset >= first
            )
            if fresh:
                number, attempt = job.number, len(job.attempts)
                self._fold(
                    ev.ObservationsRead(at=now, number=number, attempt=attempt, observations=fresh)
                )

    def _end_all(self, numbers: Sequence[int], now: float) -> None:
        """End jobs as they were recorded to end."""
        if numbers:
            self._fold_observations(now)
        for number in numbers:
            self._end(number, self.jobs[number].exit_code, now)

    def _stop_all(self, numbers: Sequence[int], reason: ev.StopReason, now: float) -> None:
        if numbers:
            self._fold_observations(now)
        for number in numbers:
            self._fold(ev.JobStopRequested(at=now, number=number, reason=reason))
            if self.state.jobs[number].is_running:
                self._end(number, STOPPED_EXIT_CODE, now)
            self.curves[number] = loss_curve(self.state.jobs[number], self.objective)

    def _end(self, number: int, exit_code: int, now: float) -> None:
        attempt = len(self.state.jobs[number].attempts)
        self._fold(
            ev.JobExited(at=now, number=number, attempt=attempt, exit_code=exit_code, ended_at=now)
        )
        # Recorded failures are the jobs' own.
        self.state = replace(self.state, failures=FailureHistory())
        self.curves[number] = loss_curve(self.state.jobs[number], self.objective)
        if self.curves[number].status == "Completed":
            self.calibrated = None

    def _decide(self, now: float) -> None:
        """Carry out commands until there is nothing to do but wait, or end."""

        while True:
            commands = decide(self.spec, self.state, now, judge=self._judge_job)
            if not any(isinstance(each, ACTS) for each in commands):
                return
            for command in commands:
                self._act(command, now)

    def _act(self, command: Command, now: float) -> None:
        match command:
            case Plan(number):
                self._plan(number, now)
            case Launch(number):
                attempt = len(self.state.jobs[number].attempts) + 1
                self._fold(
                    ev.JobSubmitting(at=now, number=number, attempt=attempt),
                    ev.JobLaunched(at=now, number=number, attempt=attempt, handle={}),
                )
                self.begun[number] = len(self.curves[number].steps)
                self._await_epoch(number)
            case Stop(number, reason):
                self._stop_all([number], reason, now)
            case Pause(number) if self.spec.pausing and self.spec.pausing.method == "checkpoint":
                self._stop_all([number], "Paused", now)
            case Pause(number, why):
                self._fold(ev.JobPaused(at=now, number=number, attempt=1, reason=why))
            case Thaw(number, why):
                self._fold(ev.JobThawed(at=now, number=number, attempt=1, reason=why))
                self._await_epoch(number)

    def _plan(self, number: int, now: float) -> None:
        self._fold(ev.JobPlanned(at=now, number=number))
        recorded = self.choose(self.state, number)
        if recorded is None:
            self._fold(ev.SpaceExhausted(at=now, number=number))
            return
        hyperparameters = recorded.hyperparameters
        self._fold(
            ev.JobSuggested(at=now, number=number, hyperparameters=hyperparameters, seconds=0.0)
        )
        self.jobs[number] = recorded
        self.curves[number] = loss_curve(self.state.jobs[number], self.objective)


def measure(off: Replay, run: Replay, reference: Iterable[float]) -> Figures:
    """Return the effect of a rule on a tuning job.

    Args:
        off: the same training jobs in the same order without the rule.
        run: the tuning job with the rule.
        reference: the final losses that a difference is measured against.
    """
    stopped = {job.number for job in run.stopped}
    with_off, with_rule = off.final_losses, run.final_losses
    return Figures(
        epochs_saved=_find_saving(off.epochs, run.epochs),
        training_time_saved=_find_saving(off.training_time, run.training_time),
        tuning_time_saved=_find_saving(off.tuning_time, run.tuning_time),
        jobs_stopped=len(stopped),
        kept_best=float(_keeps_best(with_off, stopped)),
        loss=_find_loss(with_off.values(), with_rule.values(), list(reference)),
    )


def _find_saving(off: float, spent: float) -> float:
    return 1 - spent / off if off > 0 else 0.0


def _keeps_best(finals: Mapping[int, float], stopped: set[int]) -> bool:
    """Return whether one of the best jobs was not stopped; True if no job has a value."""
    best = min(finals.values(), default=math.inf)
    tied = {number for number, loss in finals.items() if loss == best}
    return not tied or not tied <= stopped


def _find_loss(
    with_off: Iterable[float], with_rule: Iterable[float], reference: Sequence[float]
) -> float:
    # Diverged jobs count as the worst finite result, or one of them would make the scale infinite.
    worst = max(filter(math.isfinite, reference), default=0.0)
    known = [min(loss, worst) for loss in reference] or [worst]
    gap = abs(min([*with_off, worst]) - min([*with_rule, worst]))
    scale = statistics.median(known) - min(known)
    return gap / scale if scale > 0 else float(gap > 0)


def average(figures: Sequence[Figures]) -> Figures:
    """Return the mean of each figure."""
    names = Figures.__slots__
    return Figures(
        **{name: statistics.fmean(getattr(each, name) for each in figures) for name in names}
    )
