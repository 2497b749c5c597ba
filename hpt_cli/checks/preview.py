"""What a spec would do: its first points, what ends it, how long it takes, what looks wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from hpt_cli.errors import Problem
from hpt_cli.spec import shell_quoting
from hpt_cli.spec.cross_field.search import find_epochs
from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.points import count_points
from hpt_cli.spec.ranges import AUTO_RATIO, CategoricalRange, ParameterRange
from hpt_cli.spec.resources import Pool
from hpt_cli.strategies.random import draw
from hpt_cli.strategies.space import Space
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.suggest import suggest

SAMPLE = 4096
"""How many points tell which share of the search space meets the constraints."""
FEW = 0.01
"""Where a smaller share of points meets the constraints, the user is told."""
UNITS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""The places in a range whose values show how its scaling spreads them."""


def list_first_points(spec: TuningSpec, state: TuningState, count: int) -> list[Hyperparameters]:
    """Return the hyperparameters of the first training jobs while none of them has a result."""
    points: list[Hyperparameters] = []
    for number in range(1, min(count, spec.job_limit) + 1):
        point = suggest(spec, state, number)
        if point is None:
            break
        points.append(point)
        job = TrainingJob(number, "Training", hyperparameters=point)
        state = replace(state, jobs=state.jobs.put(job))
    return points


def explain_scaling(each: ParameterRange) -> str:
    """Return the scaling that is used, and for Auto the reason."""
    if isinstance(each, CategoricalRange):
        return ""
    if each.scaling_type != "Auto":
        return each.scaling
    close = f"bounds less than {AUTO_RATIO:g} times apart"
    reasons = {
        "Linear": close if each.min_value > 0 else "not all above 0",
        "Logarithmic": f"bounds {AUTO_RATIO:g} times apart",
        "ReverseLogarithmic": "close to 1",
    }
    return f"{each.scaling} (Auto: {reasons[each.scaling]})"


def list_values(each: ParameterRange) -> list[float | int | str]:
    """Return the values at the quarters of a range, or all values of a short one."""
    if each.size is not None and each.size <= len(UNITS):
        return [each.nth_value(place) for place in range(each.size)]
    if isinstance(each, CategoricalRange):
        return list(each.values)
    return list(dict.fromkeys(each.from_unit(unit) for unit in UNITS))


def count_jobs(spec: TuningSpec) -> int:
    """Return how many training jobs there will be, if nothing but their number ends it."""
    points = count_points(spec.searched_ranges)
    return spec.job_limit if points is None else min(spec.job_limit, points * count_repeats(spec))


def count_repeats(spec: TuningSpec) -> int:
    """Return how many training jobs a configuration is at most."""
    return spec.repeats.count if spec.repeats else 1


def list_criteria(spec: TuningSpec) -> Iterator[str]:
    """Yield the criteria of which the first that is met ends the tuning job."""
    grid = spec.strategy == "Grid" and spec.max_jobs is None
    yield (
        f"all {spec.job_limit} points of the grid tried" if grid else f"max_jobs: {spec.job_limit}"
    )
    points = count_points(spec.searched_ranges)
    if points is not None and points * count_repeats(spec) < spec.job_limit:
        yield f"all {points} points of the search space tried, before max_jobs"
    if spec.max_runtime_seconds is not None:
        yield f"max_runtime_seconds: {spec.max_runtime_seconds:g}"
    if spec.target_objective_metric_value is not None:
        sign = "≥" if spec.objective.maximize else "≤"
        target = spec.target_objective_metric_value
        yield f"a final {spec.objective_metric_name} {sign} {target:g}"
    if spec.max_jobs_not_improving is not None:
        yield f"{spec.max_jobs_not_improving} results in a row without an improvement of 1 %"
    if spec.complete_on_convergence:
        yield "convergence: more training jobs are unlikely to improve on the best"
    yield "the first 5 training jobs all failing, or having no value of the objective"


def find_warnings(spec: TuningSpec, pool: Pool | None = None) -> Iterator[Problem]:
    """Yield what is allowed, and probably not intended.

    Args:
        pool: the resources of this machine.
    """
    if spec.job_limit == 1:
        message = "there is only one training job, so nothing is searched"
        yield Problem("doubt-jobs", message, "say how many to run, for example max_jobs: 20")
    unnamed = spec.list_unnamed()
    if unnamed:
        message = f"the command does not name {', '.join(f'{{{name}}}' for name in unnamed)}"
        hint = "the program gets them only in HPT_HYPERPARAMETERS and SM_HPS"
        yield Problem("doubt-placeholder", message, hint)
    if shell_quoting.hides_failure(spec.command, shell=spec.shell):
        message = "a pipe (a | b) returns the exit code of b: a failure of a goes unnoticed"
        hint = "write command: bash -c 'set -o pipefail; a | b'; /bin/sh may not support pipefail"
        yield Problem("doubt-pipe", message, hint)
    if spec.constraints and spec.strategy != "Grid":
        yield from _find_constraint_doubts(spec)
    parallel, slots = spec.max_parallel_jobs or 1, spec.count_slots(pool)
    if parallel > spec.job_limit:
        message = f"max_parallel_jobs is {parallel}, more than the total of {spec.job_limit} jobs"
        yield Problem("doubt-parallel", message)
    if parallel > slots:
        message = f"max_parallel_jobs is {parallel}, but the resources allow only {slots} at once"
        yield Problem("doubt-fit", message)


def measure_share(spec: TuningSpec) -> float:
    """Return which share of evenly spread points meets the constraints."""
    space = Space(spec.hyperparameter_ranges, constraints=spec.rules)
    points = draw(0, 1, SAMPLE, len(spec.hyperparameter_ranges))
    return len(space.select_allowed(points)) / SAMPLE


def _find_constraint_doubts(spec: TuningSpec) -> Iterator[Problem]:
    """Yield that next to no point meets the constraints, or that all do."""
    share = measure_share(spec)
    hint = "narrow the ranges to where the constraints hold, or loosen these"
    if not share:
        message = f"none of {SAMPLE} points all over the space meets the constraints"
        yield Problem("doubt-constraints", message, hint)
    elif share < FEW:
        message = f"only {100 * share:.2g} % of the search space meets the constraints"
        yield Problem("doubt-constraints", message, hint)
    elif share == 1:
        message = f"all of {SAMPLE} points meet the constraints: they exclude nothing"
        yield Problem("doubt-constraints", message)


@dataclass(frozen=True, slots=True)
class Estimate:
    """How long the tuning job may take, in seconds."""

    job_seconds: float
    tuning_seconds: float
    is_at_least: bool
    """Whether the training job was cut off, and nothing tells how much of it was left."""


def estimate_time(
    spec: TuningSpec, seconds: float, epoch_times: list[float], *, ended: bool, slots: int
) -> Estimate:
    """Return the estimate from one training job that ran for `seconds`.

    Args:
        epoch_times: seconds from the start to each value of the objective.
        ended: whether it ended by itself, or was cut off.
        slots: how many training jobs run at once.
    """
    job_seconds, is_at_least = seconds, not ended
    epochs = find_epochs(spec.static_hyperparameters) or spec.max_resource
    if not ended and epochs and len(epoch_times) >= 2:
        each = (epoch_times[-1] - epoch_times[0]) / (len(epoch_times) - 1)
        job_seconds = max(seconds, epoch_times[0] + each * (epochs - 1))
        is_at_least = False
    if spec.max_job_runtime_seconds is not None:
        job_seconds = min(job_seconds, spec.max_job_runtime_seconds)
    rounds = math.ceil(count_jobs(spec) / slots)
    total = rounds * job_seconds
    if spec.max_runtime_seconds is not None:
        total = min(total, spec.max_runtime_seconds)
    return Estimate(job_seconds, total, is_at_least)
