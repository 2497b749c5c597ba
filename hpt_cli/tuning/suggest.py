"""Suggesting the hyperparameters of the next training job."""

from __future__ import annotations

from operator import attrgetter

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.points import complete_point
from hpt_cli.strategies import load_strategy
from hpt_cli.tuning.evidence import inherits_results, suggest_request, trial
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import complete_proposal

TRANSFER_SHARE = 5
"""One in so many jobs may try what was best for parents that had other data."""


def suggest(spec: TuningSpec, state: TuningState, number: int) -> Hyperparameters | None:
    """Return the hyperparameters of job `number`; None when no untried point is left."""
    request = suggest_request(spec, state, number)
    proposal = state.find_proposal(state.jobs[number]) if number in state.jobs else None
    if proposal is not None:
        chosen: Hyperparameters | None = complete_proposal(spec, request, proposal.point)
    else:
        chosen = initial_point(spec, state, request.number)
        chosen = chosen or load_strategy(spec.strategy).suggest(request)
    return None if chosen is None else _list_varied(spec, state) | chosen


def _list_varied(spec: TuningSpec, state: TuningState) -> Hyperparameters:
    """Return what is static now, and varied before: each job says what it ran with."""
    tried = (job.hyperparameters for job in state.jobs.values())
    names = {name for each in tried if each for name in each}
    static = spec.static_hyperparameters
    return {name: value for name, value in static.items() if name in names}


def initial_point(spec: TuningSpec, state: TuningState, number: int) -> Hyperparameters | None:
    """Return the hyperparameters of a first job, where the spec or a parent gives them.

    First what the user gave, completed by the middle of the ranges that were left out. Then, where
    parents had other data, their best points: results do not carry over, but good regions often
    do (Feurer et al. 2015, "Initializing Bayesian Hyperparameter Optimization via Meta-Learning").
    """
    ranges = spec.hyperparameter_ranges
    points = [complete_point(ranges, point) for point in spec.initial_hyperparameters]
    if spec.warm_start is not None and not inherits_results(spec):
        count = max(1, spec.job_limit // TRANSFER_SHARE)
        points += _list_best(spec, list(state.inherited.values()))[:count]
    unique = list({tuple(point.items()): point for point in points}.values())
    return unique[number - 1] if number <= len(unique) else None


def _list_best(spec: TuningSpec, jobs: list[TrainingJob]) -> list[Hyperparameters]:
    trials = [each for job in jobs if (each := trial(spec, job)).loss is not None]
    points = [each.hyperparameters for each in sorted(trials, key=attrgetter("loss"))]
    return [point for point in points if not spec.rules.find_broken(point)]
