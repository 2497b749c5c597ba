from __future__ import annotations

from typing import Any

import pytest

from hpt_cli.spec.cross_field.conflict import ConflictError
from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Plan
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import propose, read_point
from hpt_cli.tuning.suggest import suggest
from tests import builders as b

RANGES = {
    "x": {"type": "Integer", "min_value": 1, "max_value": 9},
    "kind": {"type": "Categorical", "values": ["a", "b", "7"]},
    "only_b": {"type": "Continuous", "min_value": 0, "max_value": 1, "when": {"kind": "b"}},
}


def make_spec(**changes: Any) -> TuningSpec:
    fields = {"command": "train {args}", "hyperparameter_ranges": RANGES, "max_jobs": 40}
    return b.make_spec(**(fields | changes))


def queue(state: TuningState, spec: TuningSpec, *points: dict[str, Any]) -> TuningState:
    for event in propose(spec, state, list(points), "anna", 1.0):
        state = fold(state, event)
    return state


def plan(spec: TuningSpec, state: TuningState) -> TuningState:
    """The state after the next job is planned and has hyperparameters."""
    number, proposal = len(state.jobs) + 1, state.next_proposal
    state = fold(state, ev.JobPlanned(at=1, number=number, proposal=proposal))
    chosen = suggest(spec, state, number)
    assert chosen is not None
    return fold(state, ev.JobSuggested(at=1, number=number, hyperparameters=chosen, seconds=0))


@pytest.mark.parametrize("strategy", ["Random", "Bayesian", "Grid"])
def test_proposals_come_first_and_what_they_leave_out_is_chosen(strategy: str) -> None:
    ranges = {**RANGES, "only_b": {**RANGES["only_b"], "grid_points": 4}}
    spec = make_spec(strategy=strategy, hyperparameter_ranges=ranges)
    state = b.fold_all(*b.created(spec))
    state = queue(state, spec, {"only_b": 0.0}, {"x": 3, "kind": "a"}, {"x": 5, "kind": "zzz"})
    assert decide(spec, state, 1.0) == [Plan(1, 1)]
    for _ in range(4):
        state = plan(spec, state)
    first, second, third, own = (job.hyperparameters or {} for job in state.jobs.values())
    assert first.keys() == {"x", "kind", "only_b"}
    assert (first["kind"], first["only_b"]) == ("b", 0.0)
    assert second == {"x": 3, "kind": "a"}
    assert third == {"x": 5, "kind": "zzz"}
    assert own not in (first, second, third)
    sources = [state.find_proposal(job) is not None for job in state.jobs.values()]
    assert sources == [True, True, True, False]


def test_the_strategys_own_points_are_those_of_an_undisturbed_search() -> None:
    for changes in ({"strategy": "Random"}, {"initial_hyperparameters": [{"x": 2}, {"x": 4}]}):
        spec = make_spec(**changes)
        alone = b.fold_all(*b.created(spec))
        for _ in range(4):
            alone = plan(spec, alone)
        helped = b.fold_all(*b.created(spec))
        for point in ({"x": 1, "kind": "a"}, {"x": 9, "kind": "7"}):
            helped = plan(spec, queue(plan(spec, helped), spec, point))
        own = [job.hyperparameters for job in helped.jobs.values() if job.proposal is None]
        assert own == [job.hyperparameters for job in alone.jobs.values()][:2]


def test_max_jobs_grows_only_where_there_is_no_room() -> None:
    spec = make_spec(max_jobs=3)
    state = b.fold_all(*b.created(spec), *b.suggested(1), *b.suggested(2))
    assert queue(state, spec, {"x": 1}).spec["max_jobs"] == 3
    assert queue(state, spec, {"x": 1}, {"x": 2}).spec["max_jobs"] == 4
    waiting = queue(state, spec, {"x": 1})
    assert queue(waiting, spec, {"x": 1}).spec["max_jobs"] == 4
    grid = make_spec(strategy="Grid", hyperparameter_ranges={"x": RANGES["x"]}, max_jobs=None)
    assert queue(b.fold_all(*b.created(grid)), grid, {"x": 50}).spec["max_jobs"] == 10


def test_a_space_that_is_exhausted_has_room_for_proposals() -> None:
    spec = make_spec(hyperparameter_ranges={"x": RANGES["x"]})
    planned = ev.JobPlanned(at=1, number=1), ev.SpaceExhausted(at=1, number=1)
    state = b.fold_all(*b.created(spec), *planned)
    assert not any(isinstance(each, Plan) for each in decide(spec, state, 1.0))
    assert decide(spec, queue(state, spec, {"x": 50}), 1.0) == [Plan(1, 1)]


@pytest.mark.parametrize(
    ("given", "anyway", "slugs"),
    [
        ({"x": 10}, False, ["point-outside"]),
        ({"x": 10}, True, []),
        ({"x": 2.5}, True, ["point-value"]),
        ({"x": "two"}, True, ["point-value"]),
        ({"x": [1, 2]}, True, ["point-value"]),
        ({"x": None}, True, ["point-value"]),
        ({"y": 1}, True, ["point-unknown"]),
        ({"epochs": 5}, False, ["point-static"]),
        ({"epochs": 5}, True, []),
        ({"kind": "c", "y": 1, "x": 0}, False, ["point-outside", "point-unknown", "point-outside"]),
        ({"kind": "a", "only_b": 0.5}, True, ["point-contradiction"]),
        ({"x": 2, "kind": "a"}, False, ["point-tried"]),
        ({"x": 2, "kind": "a"}, True, []),
        ({"x": 2}, False, []),
        ({"x": 4, "kind": "a"}, False, ["point-tried"]),
    ],
)
def test_what_cannot_be_tried_is_said_all_at_once(
    given: dict[str, Any], anyway: bool, slugs: list[str]
) -> None:
    spec = make_spec(static_hyperparameters={"epochs": 3})
    state = b.fold_all(*b.created(spec), *b.suggested(1, x=2, kind="a"))
    state = queue(state, spec, {"x": 4, "kind": "a"})
    try:
        read_point(spec, state, given, anyway=anyway)
        found = []
    except ConflictError as error:
        found = [each.slug for each in error.conflicts]
    assert found == slugs


def test_a_category_is_that_which_is_written_so() -> None:
    spec = make_spec()
    state = b.fold_all(*b.created(spec))
    assert read_point(spec, state, {"kind": 7}, anyway=False) == {"kind": "7"}
