from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.spec.fields.overrides import read_overrides
from hpt_cli.spec.model import TuningSpec, load_spec
from hpt_cli.storage.journal import create_journal, open_journal
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Plan
from hpt_cli.tuning.evidence import list_outside, suggest_request
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.proposals import plan_next
from hpt_cli.tuning.steering.requests import answer_request, change_spec
from hpt_cli.tuning.suggest import suggest
from tests import builders as b

X = {"type": "Integer", "min_value": 1, "max_value": 9}
KIND = {"type": "Categorical", "values": ["a", "b"]}
Y = "hyperparameter_ranges.y={type: Integer, min_value: 1, max_value: 64}"


def make_spec(**changes: Any) -> TuningSpec:
    fields = {
        "command": "train {args}",
        "hyperparameter_ranges": {"x": X, "kind": KIND},
        "static_hyperparameters": {"epochs": 3},
        "max_jobs": 40,
    }
    return b.make_spec(**(fields | changes))


def start(spec: TuningSpec, *points: dict[str, Any]) -> TuningState:
    jobs = [event for n, each in enumerate(points, 1) for event in b.suggested(n, **each)]
    return b.fold_all(*b.created(spec), *jobs)


def update(state: TuningState, *settings: str, assume: dict[str, Any] | None = None) -> TuningState:
    """The state after `hpt update --set`: what is asked, sent and answered."""
    checked = change_spec(state, read_overrides(settings), assume or {}).model_dump(mode="json")
    fields = ("hyperparameter_ranges", "static_hyperparameters", "command", "value_texts")
    changes = {name: checked[name] for name in fields if checked[name] != state.spec[name]}
    request = json.loads(json.dumps({"changes": changes, "assume": assume or {}}))
    for event in answer_request(load_spec(state.spec), state, request, 1.0):
        state = fold(state, event)
    return state


def list_known(state: TuningState) -> list[dict[str, Any] | None]:
    return [job.hyperparameters for job in state.jobs.values()]


def list_learned(state: TuningState) -> list[dict[str, Any]]:
    """What the strategy learns from, as far as it fits."""
    spec = load_spec(state.spec)
    outside = list_outside(spec, state)
    trials = suggest_request(spec, state, len(state.jobs) + 1).trials
    return [each.hyperparameters for each in trials if each.number not in outside]


POINTS = {"x": 2, "kind": "a"}, {"x": 8, "kind": "b"}


def test_what_lies_outside_other_bounds_is_left_out_and_comes_back() -> None:
    state = update(start(make_spec(), *POINTS), "hyperparameter_ranges.x.max_value=5")
    assert list_learned(state) == [POINTS[0]]
    state = update(state, "hyperparameter_ranges.kind.values=[b, 007]")
    assert list_learned(state) == []
    assert list_known(state) == list(POINTS)
    state = update(state, "hyperparameter_ranges.kind.values=[a, b]")
    state = update(state, "hyperparameter_ranges.x.max_value=12")
    assert list_learned(state) == list(POINTS)


def test_a_new_category_is_written_as_it_was_given() -> None:
    state = update(start(make_spec(), *POINTS), "hyperparameter_ranges.kind.values=[b, 007]")
    assert [str(each) for each in load_spec(state.spec).write({"kind": 7}).values()] == ["007"]


def test_jobs_ran_with_what_is_assumed_of_a_new_one() -> None:
    state = update(start(make_spec(), *POINTS), Y, assume={"y": 32})
    assert list_known(state) == [{**each, "y": 32} for each in POINTS]
    assert list_learned(state) == list_known(state)
    unknown = update(start(make_spec(), *POINTS), Y, assume={"y": None})
    assert list_known(unknown) == list(POINTS)
    assert list_learned(unknown) == []


def test_a_static_one_that_is_tuned_was_what_it_was() -> None:
    epochs = "hyperparameter_ranges.epochs={type: Integer, min_value: 1, max_value: 9}"
    state = update(start(make_spec(), *POINTS), epochs)
    assert list_known(state) == [{**each, "epochs": 3} for each in POINTS]
    assert load_spec(state.spec).static_hyperparameters == {}


@pytest.mark.parametrize(
    "setting", ["static_hyperparameters.kind=b", "hyperparameter_ranges.kind=b"]
)
def test_what_is_fixed_counts_where_it_had_that_value(setting: str) -> None:
    state = update(start(make_spec(), *POINTS), setting)
    spec = load_spec(state.spec)
    assert spec.static_hyperparameters == {"epochs": 3, "kind": "b"}
    assert list_learned(state) == [{"x": 8}]
    state = fold(state, ev.JobPlanned(at=2, number=3))
    chosen = suggest(spec, state, 3)
    assert chosen is not None
    assert chosen["kind"] == "b"
    state = fold(state, ev.JobSuggested(at=2, number=3, hyperparameters=chosen, seconds=0))
    state = update(state, "static_hyperparameters.kind=a")
    assert list_learned(state) == [{"x": 2}]
    state = update(state, "hyperparameter_ranges.kind={type: Categorical, values: [a, b]}")
    assert list_learned(state) == [*POINTS, chosen]


def test_points_to_try_first_are_tried_as_far_as_they_fit() -> None:
    points = [{"x": 2, "kind": "a"}, {"x": 7}, {"x": 3}]
    state = start(make_spec(initial_hyperparameters=points), points[0])
    state = update(state, "hyperparameter_ranges.x.max_value=5")
    assert [(each.point, each.source) for each in state.proposals] == [({"x": 3}, "spec")]


def test_all_of_another_grid_is_tried() -> None:
    spec = make_spec(strategy="Grid", max_jobs=None, hyperparameter_ranges={"kind": KIND})
    state = start(spec, {"kind": "a"}, {"kind": "b"})
    state = fold(fold(state, ev.JobPlanned(at=1, number=3)), ev.SpaceExhausted(at=1, number=3))
    state = update(state, "hyperparameter_ranges.kind.values=[b, c, d]")
    assert state.spec["max_jobs"] == 4
    assert plan_next(load_spec(state.spec), state) == Plan(3)


@pytest.mark.parametrize(
    ("settings", "assume", "slugs"),
    [
        ([Y], {}, ["range-new"]),
        ([Y], {"y": 1.5}, ["assume-value"]),
        ([Y], {"y": 1, "z": 2}, ["assume-unknown"]),
        (["hyperparameter_ranges.kind=null"], {}, ["range-removed"]),
        (["static_hyperparameters.epochs=5"], {}, ["field-fixed"]),
        (["command=train --other {args}"], {}, ["field-fixed"]),
        (["hyperparameter_ranges.x.max_value=0"], {}, ["range-order"]),
        ([Y, "static_hyperparameters.epochs=5", "hyperparameter_ranges.kind="], {}, 3),
    ],
)
def test_what_cannot_change_is_said_all_at_once(
    settings: list[str], assume: dict[str, Any], slugs: list[str] | int
) -> None:
    with pytest.raises(UsageError) as caught:
        update(start(make_spec(), *POINTS), *settings, assume=assume)
    found = [each.slug for each in caught.value.problems]
    assert (found if isinstance(slugs, list) else len(found)) == slugs


def test_a_new_hyperparameter_may_need_another_command() -> None:
    spec = make_spec(command="train --x {x} --kind {kind} --epochs {epochs}")
    command = "command=train --x {x} --kind {kind} --epochs {epochs} --y {y}"
    state = update(start(spec, *POINTS), Y, command, assume={"y": 1})
    assert load_spec(state.spec).list_unnamed() == []


def test_a_job_is_chosen_from_the_space_of_that_moment(tmp_path: Path) -> None:
    """Also where the space has changed while it was being chosen."""
    spec = make_spec()
    state = start(spec, *POINTS)
    state = fold(state, ev.JobPlanned(at=1, number=3))
    change = ev.SpecChanged(at=1, changes={"hyperparameter_ranges": {"x": X}})
    path = tmp_path / "journal.sqlite"
    planned = [ev.JobPlanned(at=1, number=3), change]
    later = ev.SpecChanged(at=3, changes={"hyperparameter_ranges": {"kind": KIND}})
    jobs = [event for n, each in enumerate(POINTS, 1) for event in b.suggested(n, **each)]
    create_journal(path, *b.created(spec), *jobs, *planned, *b.suggested(3, x=1)[1:], later)
    with open_journal(path) as journal:
        known = journal.state(journal.planned_seq(3))
        assert known.spec["hyperparameter_ranges"].keys() == {"x"}
        assert known.jobs[3].hyperparameters is None
        assert journal.state(journal.planned_seq(1)).jobs.keys() == {1}
