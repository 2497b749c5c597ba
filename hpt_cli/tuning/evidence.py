"""The state as strategies and stop rules see it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter

from hpt_cli.metrics.curve import MappedCurve
from hpt_cli.metrics.extractors import Extractor
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.points import complete_point, select_active
from hpt_cli.spec.repeats import drop_seed
from hpt_cli.stop_rules import LossCurve, StopRule, load_stop_rule, select_ended
from hpt_cli.stop_rules.curve_stats import list_completed
from hpt_cli.strategies import SuggestRequest, Trial, find_trial_status
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.repeats.configurations import list_configurations, merge_runs
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import final_value, find_broken


@dataclass(frozen=True)
class Calibration:
    """A stop rule, and the ended jobs by which it is calibrated when that is first asked for."""

    rule: StopRule
    curves: Sequence[LossCurve]
    chosen: bool
    """Whether others were paused for these."""

    @cached_property
    def calibrated(self) -> StopRule:
        """The calibrated rule: it may take 200 ms to compute."""
        return self.rule.calibrate(list_completed(self.curves), chosen=self.chosen)

    @property
    def is_done(self) -> bool:
        """Whether it has been computed."""
        return "calibrated" in vars(self)


@dataclass(frozen=True)
class Known:
    """What is known of the jobs that have ended: the curves at which a rule looks, and a
    calibration, which is the same one until another job completes."""

    curves: Sequence[LossCurve]
    calibration: Calibration


def count_before(job: TrainingJob, attempt: int, extractors: Iterable[Extractor]) -> dict[str, int]:
    """Return, by metric, the step after which the counted steps of an attempt go on.

    A command that is run again usually goes on from its checkpoint.
    """
    earlier = replace(job, attempts=job.attempts[: attempt - 1])
    counted = [each.metric for each in extractors if each.counts_steps and not each.file]
    curves = {metric: earlier.curve(metric) for metric in counted}
    return {metric: int(curve[-1][0]) for metric, curve in curves.items() if curve}


def list_compared(spec: TuningSpec) -> set[str]:
    """Return the metrics whose whole curves tell jobs apart: the objective, and what is judged."""
    return {spec.objective_metric_name, spec.judged.metric}


def is_comparable(spec: TuningSpec, job: TrainingJob) -> bool:
    """Return whether a job's curve may be compared step by step with those of others.

    Not where steps are counted in several attempts: whether a later one went on from a checkpoint,
    or began anew, shows nowhere; unless the spec says that they go on.
    """
    goes_on = spec.pausing is not None and spec.pausing.method == "checkpoint"
    if len(job.attempts) < 2 or goes_on:
        return True
    metric = spec.judged.metric
    with_values = sum(bool(attempt.curves.get(metric)) for attempt in job.attempts)
    return with_values < 2 or not spec.counts_steps(metric)


def is_at_end(spec: TuningSpec, state: TuningState, job: TrainingJob) -> bool:
    """Return whether a job is at the last step of any completed one: it ends, or has ended."""
    metric = spec.judged.metric
    last = state.jobs.cached(("last step", metric), lambda ended: _find_last_step(ended, metric))
    curve = job.curve(metric)
    return bool(curve) and curve[-1][0] >= last


def _find_last_step(ended: Mapping[int, TrainingJob], metric: str) -> float:
    completed = (other for other in ended.values() if other.phase == "Completed")
    curves = (curve for other in completed if (curve := other.curve(metric)))
    return max((curve[-1][0] for curve in curves), default=math.inf)


def loss_curve(job: TrainingJob, judged: Objective) -> LossCurve:
    """Return the metric that a job is judged by as a stop rule sees it."""
    curve = judged.choose(job.curve(judged.metric))
    return LossCurve(
        number=job.number,
        status=find_trial_status(job.phase),
        steps=tuple(step for step, _ in curve),
        losses=tuple(judged.loss(value) for _, value in curve),
    )


def known_jobs(spec: TuningSpec, state: TuningState) -> list[TrainingJob]:
    """Return the jobs with hyperparameters that may be learned from, in order of number.

    Those of the parents come first, with numbers below 1, where data and algorithm are the same.
    """
    own = (job for job in state.jobs.values() if job.hyperparameters is not None)
    return [*list_inherited(spec, state), *own]


def list_inherited(spec: TuningSpec, state: TuningState) -> list[TrainingJob]:
    return list(state.inherited.values()) if inherits_results(spec) else []


def inherits_results(spec: TuningSpec) -> bool:
    """Return whether the results of parents count as results of this tuning job."""
    return spec.warm_start is not None and spec.warm_start.type == "IdenticalDataAndAlgorithm"


def find_calibration(spec: TuningSpec, state: TuningState) -> Calibration | None:
    """Return the calibration that `judge_job` uses; None when early stopping is Off."""
    return None if spec.stop_rule is None else learn_from_ended(spec, state).calibration


def learn_from_ended(spec: TuningSpec, state: TuningState) -> Known:
    """Return what is known of the jobs that have ended, and of those of parents."""
    asked, judged = spec.stop_rule, spec.judged
    assert asked is not None

    def begin() -> Known:
        rule = load_stop_rule(asked.rule, **asked.parameters)
        inherited = [loss_curve(each, judged) for each in list_inherited(spec, state)]
        curves = select_ended(asked.rule, inherited)
        return Known(curves, Calibration(rule, curves, spec.pausing is not None))

    def add(known: Known, ended: TrainingJob) -> Known:
        if ended.hyperparameters is None or not is_comparable(spec, ended):
            return known
        if find_broken(ended, spec.objective):
            return known  # it is not the one to beat
        # Selected after each one, so that there are few curves however many jobs have ended.
        curves = select_ended(asked.rule, [*known.curves, loss_curve(ended, judged)])
        if ended.phase != "Completed":
            return Known(curves, known.calibration)
        return Known(curves, replace(known.calibration, curves=curves))

    asks = (asked.rule, *asked.parameters.items(), spec.pausing)
    key = ("judging", spec.objective, judged, *asks)
    return state.jobs.cached_fold(key, begin, add)


def suggest_request(spec: TuningSpec, state: TuningState, number: int) -> SuggestRequest:
    """Return the request for the hyperparameters of job `number`: all that a strategy may know.

    It counts its own suggestions only: proposals take nothing from what it would have tried.
    """
    jobs = state.jobs.values() if state.proposals else ()
    proposed = {job.number for job in jobs if job.proposal is not None and job.number < number}
    trials = tuple(each for each in list_trials(spec, state) if each.number != number)
    own = number - len(proposed)
    if spec.repeats is not None:
        own = 1 + sum(each.number > 0 and each.number not in proposed for each in trials)
    return SuggestRequest(
        ranges=spec.searched_ranges,
        seed=spec.random_seed,
        number=own,
        max_jobs=spec.job_limit,
        max_parallel_jobs=spec.count_slots(state.pool),
        trials=trials,
        constraints=spec.rules,
    )


def fit_point(spec: TuningSpec, hyperparameters: Hyperparameters) -> Hyperparameters | None:
    """Return what a job ran with as a point of the search space; None if it lies outside.

    It may lack what nobody knows.
    """
    values = find_inside(spec, hyperparameters)
    return None if values is None else select_active(spec.hyperparameter_ranges, values)


def find_inside(spec: TuningSpec, hyperparameters: Hyperparameters) -> Hyperparameters | None:
    """Return the tuned values among hyperparameters, active or not; None if some lie outside.

    Results are of what was tried: where it had another value of what is static by now, they say
    nothing of any point. Of repeats, any seed will do.
    """
    for name, value in spec.static_hyperparameters.items():
        if hyperparameters.get(name, value) != value:
            return None
    ranges = spec.hyperparameter_ranges
    point = {name: hyperparameters[name] for name in ranges if name in hyperparameters}
    searched = drop_seed(point, spec.seed_name)
    return point if all(ranges[name].contains(value) for name, value in searched.items()) else None


def list_outside(spec: TuningSpec, state: TuningState) -> list[int]:
    """Return the numbers of the own jobs that the strategy does not learn from, as they lie outside
    the ranges, or nobody knows where in them."""
    ranges = spec.hyperparameter_ranges
    outside = []
    for job in state.jobs.values():
        if job.hyperparameters is not None:
            point = fit_point(spec, job.hyperparameters)
            if point is None or complete_point(ranges, point).keys() != point.keys():
                outside.append(job.number)
    return outside


def list_trials(spec: TuningSpec, state: TuningState) -> list[Trial]:
    """Return what has been tried: the jobs with hyperparameters, or with repeats configurations."""
    runs = list_runs(spec, state)
    if spec.repeats is None:
        return runs
    return [merge_runs(each) for each in list_configurations(runs, spec.seed_name)]


def list_runs(spec: TuningSpec, state: TuningState) -> list[Trial]:
    """Return the jobs with hyperparameters as trials, in order of number: inherited ones first.

    Not in order of their ends, which chance decides: that would change what is suggested.
    """

    def begin() -> tuple[Trial, ...]:
        return tuple(trial(spec, job) for job in list_inherited(spec, state))

    def add(known: tuple[Trial, ...], job: TrainingJob) -> tuple[Trial, ...]:
        return known if job.hyperparameters is None else (*known, trial(spec, job))

    ended = state.jobs.cached_fold(("trials", spec.objective), begin, add)
    going = (job for job in state.jobs.open if job.hyperparameters is not None)
    trials = (*ended, *(trial(spec, job) for job in going))
    return sorted(trials, key=attrgetter("number"))


def trial(spec: TuningSpec, job: TrainingJob) -> Trial:
    """Return a job as a strategy sees it: one that does not fit has the hyperparameters that it
    ran with, which lie outside."""
    objective, known = spec.objective, job.hyperparameters or {}
    final, fitting = final_value(job, objective), fit_point(spec, known)
    return Trial(
        number=job.number,
        hyperparameters=known if fitting is None else fitting,
        # What is known of it is a part of its curve, as of a stopped one, until it goes on.
        status="Stopped" if job.phase == "Paused" else find_trial_status(job.phase),
        loss=None if final is None else objective.loss(final),
        curve=MappedCurve(objective.choose(job.curve(objective.metric)), objective.loss),
        # What was stopped early may not have come to the metric that is constrained.
        is_broken=bool(find_broken(job, objective, may_lack=job.phase == "Stopped")),
    )
