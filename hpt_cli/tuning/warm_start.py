"""What a tuning job inherits from its parents (SageMaker Developer Guide, "Run a Warm Start").

Parents must have ended, tune the same metric the same way, and have the same hyperparameters. The
ranges may differ: a training job outside the new ones is left out and counted. Grandparents are not
followed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from hpt_cli.errors import Problem
from hpt_cli.spec.hyperparameters import Hyperparameters, Value
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.points import complete_point, select_active
from hpt_cli.tuning.events import WarmStarted
from hpt_cli.tuning.evidence import find_inside, inherits_results
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import describe_best, summarize


@dataclass(frozen=True, slots=True)
class Candidate:
    """A tuning job to inherit from, under the name that the spec calls it by."""

    name: str
    state: TuningState
    assume: Mapping[str, Value] = field(default_factory=dict)
    """What its training jobs ran with of hyperparameters that it did not have."""


def find_mismatches(spec: TuningSpec, parent: Candidate) -> Iterator[Problem]:
    """Yield why a tuning job cannot be a parent, not even when it has ended: nothing, if it can."""
    theirs = parent.state.spec
    if Objective.of(theirs) != spec.objective:
        yield Problem(
            "parent-objective",
            f"the parent {parent.name} has the objective {theirs['objective_type']}"
            f" {theirs['objective_metric_name']}, not {spec.objective_type}"
            f" {spec.objective_metric_name}",
        )
    given = {*theirs["hyperparameter_ranges"], *theirs["static_hyperparameters"]}
    own = {*spec.hyperparameter_ranges, *spec.static_hyperparameters}
    if spec.seed_name is not None:
        given.add(spec.seed_name)  # which seed it had does not matter
    if wrong := [name for name in parent.assume if name in given or name not in own]:
        yield Problem(
            "parent-assume",
            f"the parent {parent.name} has no need of 'assume' for {', '.join(wrong)}",
            "it is for hyperparameters of this tuning job that the parent did not have",
        )
    names = given | parent.assume.keys()
    missing, extra = sorted(own - names), sorted(names - own)
    if missing or extra:
        parts = [f"it lacks {', '.join(missing)}"] if missing else []
        parts += [f"it also has {', '.join(extra)}"] if extra else []
        yield Problem(
            "parent-hyperparameters",
            f"the parent {parent.name} has different hyperparameters: {'; '.join(parts)}",
            "tuned and static hyperparameters together must have the same names; what the parent"
            f" lacks can be assumed: parents: [{{name: {parent.name}, assume: {{NAME: VALUE}}}}]",
        )


def has_ended(parent: Candidate) -> bool:
    """Return whether a tuning job has ended, so that it can be a parent now."""
    return parent.state.status not in ("InProgress", "Stopping")


def inherit(spec: TuningSpec, parent: Candidate, at: float) -> WarmStarted:
    """Return what a parent brings; its static hyperparameters count where they are tuned now."""
    static = parent.state.spec["static_hyperparameters"]
    fitted = [
        (job, _fit(spec, {**parent.assume, **static, **job.hyperparameters}))
        for job in parent.state.jobs.values()
        if job.hyperparameters is not None and job.has_ended
    ]
    jobs = tuple(_describe(spec, job, point) for job, point in fitted if point is not None)
    best = summarize(parent.state, at, at_work=False).best
    return WarmStarted(
        at=at,
        parent=parent.name,
        jobs=jobs,
        left_out=len(fitted) - len(jobs),
        best=describe_best(best) if best else None,
    )


def _fit(spec: TuningSpec, hyperparameters: Hyperparameters) -> Hyperparameters | None:
    """Return the tuned values, if in the ranges and the static ones are unchanged; else None.

    Results are of what was tried. A point that is only tried first is completed instead, as one
    that a user gives.
    """
    point, ranges = find_inside(spec, hyperparameters), spec.hyperparameter_ranges
    if point is None:
        return None
    return select_active(ranges, point) if inherits_results(spec) else complete_point(ranges, point)


def _describe(spec: TuningSpec, job: TrainingJob, point: Hyperparameters) -> dict[str, Any]:
    curves = {"curve": job.curve(spec.objective_metric_name)}
    if spec.judged.metric != spec.objective_metric_name:
        curves["judged"] = job.curve(spec.judged.metric)
    points = {
        name: [[step, None if math.isnan(value) else value] for step, value in curve]
        for name, curve in curves.items()
    }
    described: dict[str, Any] = {"hyperparameters": point, "status": job.phase, **points}
    if spec.metric_constraints:
        described["latest"] = {
            name: value if math.isfinite(value := job.curve(name)[-1][1]) else None
            for name in job.metrics
            if name in spec.objective.metrics
        }
    return described
