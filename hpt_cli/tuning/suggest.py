"""Suggesting the hyperparameters of the next training job."""

from __future__ import annotations

from operator import attrgetter

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.points import complete_point
from hpt_cli.spec.repeats import drop_seed
from hpt_cli.strategies import SuggestRequest, load_strategy
from hpt_cli.tuning.evidence import fit_point, inherits_results, list_runs, suggest_request, trial
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.repeats.configurations import list_configurations
from hpt_cli.tuning.repeats.race import choose_configuration, choose_pending
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import complete_proposal

TRANSFER_SHARE = 5
"""One in so many jobs may try what was best for parents that had other data."""


def suggest(spec: TuningSpec, state: TuningState, number: int) -> Hyperparameters | None:
    """Return the hyperparameters of job `number`; None when no untried point is left."""
    chosen = _choose(spec, state, number)
    if chosen is None:
        return None
    return _list_varied(spec, state) | _add_seed(spec, state, chosen)


def _choose(spec: TuningSpec, state: TuningState, number: int) -> Hyperparameters | None:
    """Return the point that a job tries, but for the seed where configurations have several."""
    request = suggest_request(spec, state, number)
    proposal = state.find_proposal(state.jobs[number]) if number in state.jobs else None
    if proposal is not None:
        return complete_proposal(spec, request, proposal.point)
    if (given := initial_point(spec, state, request.number)) is not None:
        return given
    if spec.repeats is not None:
        return _choose_configuration(spec, state, request, spec.repeats.count)
    return load_strategy(spec.strategy).suggest(request)


def _list_varied(spec: TuningSpec, state: TuningState) -> Hyperparameters:
    """Return what is static now, and varied before: each job says what it ran with."""
    tried = (job.hyperparameters for job in state.jobs.values())
    names = {name for each in tried if each for name in each}
    static = spec.static_hyperparameters
    return {name: value for name, value in static.items() if name in names}


def _choose_configuration(
    spec: TuningSpec, state: TuningState, request: SuggestRequest, count: int
) -> Hyperparameters | None:
    """Return the configuration that is run next; None when nothing is left to try, or again.

    First what may be the best, up to `count` times; then what is new. What may be the best is not
    known of a configuration without a result: where nothing else is left, it is run ahead of it.
    """
    runs = [run for run in list_runs(spec, state) if fit_point(spec, run.hyperparameters)]
    known = list_configurations(runs, spec.seed_name)
    again = choose_configuration(known, count, spec.seed_name, spec.apart)
    if again is None and spec.confirms is None:
        new = load_strategy(spec.strategy).suggest(request)
        if new is not None:
            return new
    again = again or choose_pending(known, count)
    return None if again is None else again.hyperparameters


def _add_seed(spec: TuningSpec, state: TuningState, point: Hyperparameters) -> Hyperparameters:
    """Return a point with the first seed that its configuration has not been run with."""
    seed = spec.seed_name
    if seed is None or seed in point:
        return point
    seeds = spec.hyperparameter_ranges[seed]
    values = (seeds.nth_value(place) for place in range(seeds.size or 1))
    tried = [run.hyperparameters for run in list_runs(spec, state)]
    new = (value for value in values if point | {seed: value} not in tried)
    return point | {seed: next(new, seeds.nth_value(0))}


def initial_point(spec: TuningSpec, state: TuningState, number: int) -> Hyperparameters | None:
    """Return the hyperparameters of a first job, where the spec or a parent gives them.

    First what the user gave, completed by the middle of the ranges that were left out. Then, where
    parents had other data, their best points: results do not carry over, but good regions often
    do (Feurer et al. 2015, "Initializing Bayesian Hyperparameter Optimization via Meta-Learning").
    """
    ranges = spec.searched_ranges
    given = (drop_seed(point, spec.seed_name) for point in spec.initial_hyperparameters)
    points = [complete_point(ranges, point) for point in given]
    if spec.warm_start is not None and not inherits_results(spec):
        count = max(1, spec.job_limit // TRANSFER_SHARE)
        points += _list_best(spec, list(state.inherited.values()))[:count]
    points = [drop_seed(point, spec.seed_name) for point in points]
    unique = list({tuple(point.items()): point for point in points}.values())
    return unique[number - 1] if number <= len(unique) else None


def _list_best(spec: TuningSpec, jobs: list[TrainingJob]) -> list[Hyperparameters]:
    trials = [each for job in jobs if (each := trial(spec, job)).loss is not None]
    points = [each.hyperparameters for each in sorted(trials, key=attrgetter("loss"))]
    return [point for point in points if not spec.rules.find_broken(point)]
