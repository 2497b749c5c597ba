from __future__ import annotations

from typing import Any

from hpt_cli.reports.origin import describe_origin, suggestion_to_json
from hpt_cli.spec.model import TuningSpec, load_spec
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.fold import fold
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.steering.origins import Origin, find_origin
from hpt_cli.tuning.steering.proposals import propose
from hpt_cli.tuning.suggest import suggest
from hpt_cli.tuning.summary import summarize
from tests import builders as b

X = {"type": "Continuous", "min_value": 0, "max_value": 1}


def search(spec: TuningSpec, jobs: int, proposals: dict[int, dict[str, Any]]) -> list[TuningState]:
    """The states in which the jobs were planned, and the last one; some try a proposal."""
    state, planned = b.fold_all(*b.created(spec)), list[TuningState]()
    for number in range(1, jobs + 1):
        for event in (
            propose(spec, state, [proposals[number]], "anna", 1) if number in proposals else ()
        ):
            state = fold(state, event)
        state = fold(state, ev.JobPlanned(at=1, number=number, proposal=state.next_proposal))
        planned.append(state)
        chosen = suggest(spec, state, number)
        assert chosen is not None
        loss = (float(chosen["x"]) - 0.3) ** 2 + float(chosen["y"])
        suggested = ev.JobSuggested(at=1, number=number, hyperparameters=chosen, seconds=0)
        ran = (*b.launched(number), b.observed(number, loss), b.exited(number))
        for event in (suggested, *ran):
            state = fold(state, event)
    return [*planned, state]


def explain(states: list[TuningState], number: int) -> Origin:
    known = states[number - 1]
    return find_origin(load_spec(known.spec), known, states[-1].jobs[number])


def test_each_says_where_its_hyperparameters_come_from() -> None:
    spec = b.make_spec(
        command="train {args}",
        strategy="Bayesian",
        max_jobs=40,
        hyperparameter_ranges={"x": X, "y": X},
        initial_hyperparameters=[{"x": 0.9}],
    )
    states = search(spec, 12, {3: {"x": 0.5, "y": 0.5}, 10: {"y": 0.1}})
    origins = [explain(states, number) for number in range(1, 13)]
    assert [each.way for each in origins[:5]] == [
        *("initial", "opening", "proposed", "opening", "model")
    ]
    assert [each.way for each in origins[8:]] == ["model", "completed", "model", "model"]
    assert [each.source for each in origins if each.source] == ["anna", "anna"]
    assert origins[0].expectation is None
    expectation = origins[-1].expectation
    assert expectation is not None
    assert {number for number, _ in expectation.nearest} <= set(range(1, 12))
    summary = summarize(states[-1], 0.0, at_work=False)
    way, expected, learned = describe_origin(origins[-1], summary, summary.rows[-1])
    assert way.startswith("its hyperparameters were chosen by the model of Bayesian, to ")
    assert expected.startswith("expected loss: ")
    assert f"job {expectation.nearest[0][0]} (" in learned
    document = suggestion_to_json(origins[-1], summary, summary.rows[-1])
    assert document["final_objective_value"] == summary.rows[-1].final
    low, high = document["expected_at_least"], document["expected_at_most"]
    assert low is not None
    assert high is not None
    assert low <= high


def test_other_strategies_have_their_own_ways() -> None:
    for strategy, way in (("Random", "sequence"), ("Grid", "grid")):
        ranges = {"x": {**X, "grid_points": 3}, "y": {**X, "grid_points": 2}}
        spec = b.make_spec(command="train {args}", strategy=strategy, hyperparameter_ranges=ranges)
        origin = explain(search(spec, 2, {}), 2)
        assert (origin.way, origin.expectation) == (way, None)
