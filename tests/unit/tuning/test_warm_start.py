"""What a tuning job inherits."""

from __future__ import annotations

from typing import Any

from hpt_cli.spec.model import TuningSpec
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.evidence import suggest_request
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.suggest import initial_point, suggest
from hpt_cli.tuning.summary import summarize
from hpt_cli.tuning.warm_start import Candidate, find_mismatches, has_ended, inherit
from tests import builders as b

KIND = {"type": "Categorical", "values": ["a", "b"]}
ENDED = ev.TuningJobEnded(at=9, status="Completed", reason="done")


def make_parent(**changes: Any) -> Candidate:
    spec = b.make_spec(name="parent", **changes)
    jobs = [event for n, loss in enumerate((3.0, 1.0, 2.0), 1) for event in b.run(n, 9.0, loss)]
    return Candidate("parent", b.fold_all(*b.created(spec), *jobs, ENDED))


def make_child(kind: str = "IdenticalDataAndAlgorithm", **changes: Any) -> TuningSpec:
    return b.make_spec(
        name="child",
        warm_start={"type": kind, "parents": ["parent"]},
        **{"max_jobs": 10, **changes},
    )


def start(spec: TuningSpec, *events: ev.Event) -> TuningState:
    first, second = b.created(spec)
    return b.fold_all(first, inherit(spec, make_parent(), 1.0), second, *events)


def test_results_of_the_same_data_are_results() -> None:
    spec = make_child()
    request = suggest_request(spec, start(spec, *b.suggested(1)), 2)
    assert [(each.number, each.loss) for each in request.trials] == [
        (-2, 2.0),
        (-1, 1.0),
        (0, 3.0),
        (1, None),
    ]
    assert list(request.trials[2].curve) == [(1.0, 9.0), (2.0, 3.0)]
    assert initial_point(spec, start(spec), 1) is None


def test_other_data_gives_points_to_try_first_and_no_results() -> None:
    spec = make_child("TransferLearning")
    state = start(spec)
    assert suggest_request(spec, state, 1).trials == ()
    points = [initial_point(spec, state, number) for number in (1, 2, 3)]
    assert points == [{"x": 2}, {"x": 3}, None]


def test_jobs_outside_the_new_ranges_are_left_out_and_counted() -> None:
    spec = make_child(
        hyperparameter_ranges={"x": {"type": "Integer", "min_value": 2, "max_value": 9}}
    )
    state = start(spec)
    assert [job.hyperparameters for job in state.inherited.values()] == [{"x": 2}, {"x": 3}]
    assert (state.parents[0].used, state.parents[0].left_out) == (2, 1)


def test_the_overall_best_may_be_a_parent_s() -> None:
    spec = make_child()
    worse = summarize(start(spec, *b.run(1, 1.5)), 0, at_work=False)
    better = summarize(start(spec, *b.run(1, 0.5)), 0, at_work=False)
    assert worse.overall_best is not None
    assert better.overall_best is not None
    assert worse.overall_best["training_job_name"] == "parent-0002"
    assert better.overall_best["training_job_name"] == "child-0001"
    other = make_child("TransferLearning")
    assert summarize(start(other, *b.run(1, 1.5)), 0, at_work=False).overall_best is None


def test_what_does_not_fit_is_said() -> None:
    spec = make_child()
    assert list(find_mismatches(spec, make_parent())) == []
    running = Candidate("parent", b.fold_all(*b.created(b.make_spec())))
    assert not has_ended(running)
    upwards = make_parent(objective_type="Maximize")
    assert [each.slug for each in find_mismatches(spec, upwards)] == ["parent-objective"]
    (problem,) = find_mismatches(make_child(static_hyperparameters={"y": 1}), make_parent())
    assert "it lacks y" in problem.message


def test_initial_points_come_first_and_are_completed() -> None:
    spec = b.make_spec(
        command="train {args}",
        hyperparameter_ranges={
            "x": {"type": "Integer", "min_value": 1, "max_value": 9},
            "kind": {"type": "Categorical", "values": ["a", "b"]},
            "only_b": {"type": "Continuous", "min_value": 0, "max_value": 1, "when": {"kind": "b"}},
        },
        initial_hyperparameters=[{"kind": "b", "x": 3}, {"kind": "a"}],
    )
    state = b.fold_all(*b.created(spec))
    assert initial_point(spec, state, 1) == {"x": 3, "kind": "b", "only_b": 0.5}
    assert initial_point(spec, state, 2) == {"x": 5, "kind": "a"}
    assert initial_point(spec, state, 3) is None


def test_points_of_parents_keep_the_values_that_they_name() -> None:
    x = {"type": "Integer", "min_value": 1, "max_value": 9}
    opt = {"type": "Categorical", "values": ["sgd", "adam"]}
    parent = make_parent(
        command="train {args}",
        hyperparameter_ranges={"x": x, "opt": {**opt, "when": {"kind": "a"}}, "kind": KIND},
    )
    ranges = {"x": {**x, "when": {"opt": "sgd"}}, "opt": opt, "kind": KIND}
    for kind, point in (
        ("TransferLearning", {"x": 2, "opt": "sgd", "kind": "b"}),
        ("IdenticalDataAndAlgorithm", {}),  # which was not tried so
    ):
        spec = make_child(kind, command="train {args}", hyperparameter_ranges=ranges)
        state = b.fold_all(b.created(spec)[0], inherit(spec, parent, 1.0))
        assert state.inherited[-1].hyperparameters == point
        if kind == "TransferLearning":
            assert initial_point(spec, state, 1) == point


def test_whatever_seed_a_parent_had_its_results_are_of_configurations() -> None:
    """The best, x = 2, is run again with seeds that it has not had; its first result counts."""
    repeats = {"command": "train --x {x} --seed {seed}", "repeats": {"count": 3, "seed": "seed"}}
    spec = make_child(**repeats)
    for parent, seed in (
        (make_parent(), 1),
        (make_parent(static_hyperparameters={"seed": 1}), 2),
        (make_parent(static_hyperparameters={"seed": 99}), 1),
    ):
        assert not list(find_mismatches(spec, parent))
        first, second = b.created(spec)
        state = b.fold_all(first, inherit(spec, parent, 1.0), second)
        assert state.parents[0].left_out == 0
        point = suggest(spec, state, 1)
        assert point == {"x": 2, "seed": seed}
        state = b.fold_all(*b.run(1, 1.5, **point), start=state)
        best = suggest_request(spec, state, 2).trials[1]
        assert (best.hyperparameters, best.loss) == ({"x": 2}, 1.25)
