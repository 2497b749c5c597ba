"""When a tuning job is over."""

from __future__ import annotations

import math
from typing import Any

from hpt_cli.tuning import events as ev
from hpt_cli.tuning.completion import (
    Completion,
    count_not_improving,
    find_completion,
    has_converged,
)
from tests import builders as b


def completion(*events: ev.Event, now: float = 0, **changes: Any) -> Completion | None:
    spec = b.make_spec(**{"max_jobs": 100, **changes})
    return find_completion(spec, b.fold_all(*b.created(spec), *events), now)


def many(*losses: float) -> list[ev.Event]:
    return [event for n, loss in enumerate(losses, 1) for event in b.run(n, loss, at=n)]


def test_the_target_ends_it_at_once() -> None:
    assert completion(*many(3, 2), target_objective_metric_value=1) is None
    found = completion(*many(3, 1), target_objective_metric_value=1)
    assert found == Completion("Completed", "target_objective_metric_value (1) reached", True)
    upwards: dict[str, Any] = {"objective_type": "Maximize", "target_objective_metric_value": 2.5}
    assert completion(*many(1, 2), **upwards) is None
    assert completion(*many(1, 3), **upwards) is not None


def test_on_completion_says_what_becomes_of_jobs_in_flight() -> None:
    drained = completion(*many(1), target_objective_metric_value=1, on_completion="drain")
    stopped = completion(*many(1), max_jobs=1, on_completion="stop")
    assert drained is not None
    assert stopped is not None
    assert (drained.stop_running, stopped.stop_running) == (False, True)


def test_only_improvements_of_one_per_cent_count() -> None:
    assert count_not_improving([]) == 0
    assert count_not_improving([1.0, 0.995, 0.993]) == 2
    assert count_not_improving([1.0, 0.995, 0.98]) == 0
    assert count_not_improving([math.inf, math.inf, 1.0]) == 0
    assert count_not_improving([-1.0, -1.005, -1.02, -1.0]) == 1
    found = completion(*many(1.0, 1.0, 0.995, 1.2), max_jobs_not_improving=3)
    assert found is not None
    assert "3 training jobs in a row" in found.reason
    assert completion(*many(1.0, 1.0, 0.9, 1.2), max_jobs_not_improving=3) is None


REPEATED: dict[str, Any] = {
    "command": "train --x {x} --seed {seed}",
    "repeats": {"count": 2, "seed": "seed"},
}


def repeat(*losses: tuple[int, float]) -> list[ev.Event]:
    """A training job for each loss of a configuration."""
    events: list[ev.Event] = []
    for number, (x, loss) in enumerate(losses, 1):
        seed = 1 + sum(each == x for each, _ in losses[: number - 1])
        events += b.run(number, loss, at=number, x=x, seed=seed)
    return events


def test_with_repeats_one_lucky_run_does_not_reach_the_target() -> None:
    target: dict[str, Any] = {"target_objective_metric_value": 1, **REPEATED}
    assert completion(*repeat((1, 0.5)), **target) is None
    assert completion(*repeat((1, 0.5), (1, 2.5), (2, 0.9)), **target) is None
    found = completion(*repeat((1, 0.5), (1, 2.5), (2, 0.9), (2, 1.0)), **target)
    assert found == Completion("Completed", "target_objective_metric_value (1) reached", True)
    again = [*b.suggested(5, x=2, seed=3), *b.launched(5)]
    assert completion(*repeat((2, 0.9), (2, 1.0)), *again, **target) is None


def test_with_repeats_configurations_improve_not_their_runs() -> None:
    patience: dict[str, Any] = {"max_jobs_not_improving": 3, **REPEATED}
    runs = ((1, 1.0), (1, 1.1), (2, 2.0), (2, 2.1), (3, 2.0))
    assert completion(*repeat(*runs), **patience) is None
    found = completion(*repeat(*runs, (4, 2.0)), **patience)
    assert found is not None
    assert "3 configurations in a row" in found.reason
    # The first was lucky: without that, the fourth is an improvement.
    lucky = ((1, 0.1), (1, 4.0), (2, 1.9), (3, 2.0), (4, 1.5))
    assert completion(*repeat(*lucky), **patience) is None


def test_convergence_needs_twenty_results_of_which_the_latest_found_only_noise() -> None:
    early = [5.0, 4.0, 3.0, 2.0, 1.0, 1.5, 2.5, 1.2, 3.0, 1.1]
    assert not has_converged(early, 0.1)
    assert has_converged([*early, *[1.5] * 10], 0.0)
    assert has_converged([*early, *[0.95] * 10], 0.1)
    assert not has_converged([*early, *[0.5] * 10], 0.1)
    assert not has_converged([math.inf] * 30, 0.1)
    found = completion(*many(*early, *[1.5] * 10), complete_on_convergence=True)
    assert found is not None
    assert found.reason.startswith("converged")


def test_a_grid_needs_no_max_jobs() -> None:
    ranges = {"x": {"type": "Integer", "min_value": 1, "max_value": 2}}
    fields: dict[str, Any] = {"strategy": "Grid", "hyperparameter_ranges": ranges, "max_jobs": None}
    assert completion(*many(1.0), **fields) is None
    found = completion(*many(1.0, 2.0), **fields)
    assert found == Completion("Completed", "all 2 points of the grid have been tried")


def test_running_jobs_have_no_result_yet() -> None:
    running = [*b.suggested(1), *b.launched(1), b.observed(1, 0.5)]
    assert completion(*running, target_objective_metric_value=1) is None
