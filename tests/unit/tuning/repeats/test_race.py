"""Which configuration runs next, with which seed: a pure function of the state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.repeats import drop_seed
from hpt_cli.tuning.evidence import list_trials
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.suggest import suggest
from hpt_cli.tuning.summary import Summary, summarize
from tests import builders as b

REPEATS = {"command": "train --x {x} --seed {seed}", "repeats": {"count": 3, "seed": "seed"}}
NOISE = (0.0, 0.3, -0.2, 0.1, -0.1)
"""What the seeds 1, 2 ... add to a loss."""


def make_confirm(*points: int, **changes: Any) -> TuningSpec:
    fields: dict[str, Any] = {
        "initial_hyperparameters": [{"x": x} for x in points],
        "confirms": {"tuning_job": "search", "jobs": [*range(1, len(points) + 1)]},
        "max_jobs": 30,
        **REPEATS,
    }
    return b.make_spec(**fields | changes)


def play(spec: TuningSpec, lose: Callable[[int, int], float], jobs: int = 30) -> TuningState:
    """Run one job after the other; `lose` is the loss with x and a seed."""
    state = b.fold_all(*b.created(spec))
    for number in range(1, jobs + 1):
        point = suggest(spec, state, number)
        if point is None:
            break
        loss = lose(int(point["x"]), int(point.get("seed", number)))
        state = b.fold_all(*b.run(number, loss, **point), start=state)
    return state


def count_runs(spec: TuningSpec, state: TuningState) -> Counter[Any]:
    return Counter(
        drop_seed(job.hyperparameters or {}, spec.seed_name)["x"] for job in state.jobs.values()
    )


def summarize_at_end(state: TuningState) -> Summary:
    return summarize(state, 1.0, at_work=False)


def test_who_falls_behind_is_not_run_again_and_each_run_has_another_seed() -> None:
    spec = make_confirm(1, 2, 50, repeats={"count": 5, "seed": "seed"})
    state = play(spec, lambda x, seed: x / 5 + NOISE[seed - 1] * (1 + x / 100))
    runs = count_runs(spec, state)
    assert runs[1] == 5
    assert runs[50] == 1
    seeds = [job.hyperparameters["seed"] for job in state.jobs.values() if job.hyperparameters]
    assert len({(job.hyperparameters or {})["x"] for job in state.jobs.values()}) == 3
    assert seeds[:3] == [1, 1, 1]
    assert summarize_at_end(state).best_number is not None


def test_a_search_repeats_what_may_be_the_best_and_nothing_else() -> None:
    spec = b.make_spec(**REPEATS)
    state = play(spec, lambda x, seed: x + NOISE[seed - 1])
    runs = count_runs(spec, state)
    best = min(runs)
    assert runs[best] == 3
    assert max(runs.values()) == 3
    assert runs[max(runs)] == 1


def test_the_best_is_the_one_with_the_best_mean_not_the_lucky_one() -> None:
    spec = make_confirm(1, 2)
    losses = {(1, 1): 0.5, (1, 2): 0.6, (1, 3): 0.55, (2, 1): 0.1, (2, 2): 0.9, (2, 3): 0.95}
    summary = summarize_at_end(play(spec, lambda x, seed: losses[x, seed]))
    assert summary.best is not None
    assert summary.best.hyperparameters == {"x": 1, "seed": 1}
    assert [row.configuration for row in summary.rows][:2] == [1, 2]
    assert [round(each.mean or 0, 2) for each in summary.configurations] == [0.55, 0.65]


def test_what_breaks_a_metric_constraint_is_neither_run_again_nor_the_best() -> None:
    """x = 1 has the least loss, which is not allowed to be so small."""
    spec = make_confirm(1, 2, metric_constraints=["loss >= 1.5"])
    losses = {(1, 1): 1.0, (2, 1): 2.0, (2, 2): 2.5, (2, 3): 2.1}
    state = play(spec, lambda x, seed: losses[x, seed])
    assert count_runs(spec, state) == {1: 1, 2: 3}
    summary = summarize_at_end(state)
    assert summary.best is not None
    assert summary.best.hyperparameters["x"] == 2
    assert [each.has_failed for each in list_trials(spec, state)] == [True, False]


def test_without_a_seed_a_configuration_is_simply_run_again() -> None:
    spec = b.make_spec(repeats={"count": 3}, initial_hyperparameters=[{"x": 7}])
    state = play(spec, lambda x, number: x + NOISE[number % 5], jobs=3)
    assert [job.hyperparameters for job in state.jobs.values()] == [{"x": 7}] * 3


def test_a_grid_that_runs_at_once_is_repeated_whole() -> None:
    ranges = {"x": {"type": "Integer", "min_value": 1, "max_value": 2}}
    spec = b.make_spec(**REPEATS, strategy="Grid", hyperparameter_ranges=ranges, max_jobs=None)
    assert spec.job_limit == 6
    state = b.fold_all(*b.created(spec))
    for number in range(1, 7):
        point = suggest(spec, state, number)
        assert point is not None
        state = b.fold_all(*b.suggested(number, **point), *b.launched(number), start=state)
    assert count_runs(spec, state) == {1: 3, 2: 3}
    assert suggest(spec, state, 7) is None
