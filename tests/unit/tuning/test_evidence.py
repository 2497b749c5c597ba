"""What the state shows to stop rules and strategies."""

from __future__ import annotations

import pytest

from hpt_cli.spec.model import TuningSpec
from hpt_cli.spec.parts import Pausing
from hpt_cli.tuning import events as ev
from hpt_cli.tuning.commands import Stop
from hpt_cli.tuning.decide import decide
from hpt_cli.tuning.evidence import count_before, is_comparable, list_trials
from hpt_cli.tuning.state import TuningState
from tests import builders as b

COUNTED = b.make_spec(
    metric_definitions=[{"name": "loss", "regex": "loss=({num})"}],
    early_stopping_type="Auto",
    early_stopping={"rule": "vizier_median"},
    max_jobs=4,
    max_parallel_jobs=2,
)
NUMBERED = COUNTED.model_copy(
    update={
        "metric_definitions": b.make_spec(
            metric_definitions=[{"name": "loss", "regex": "{step} loss=({num})"}]
        ).metric_definitions
    }
)


def run_again() -> TuningState:
    """Return a state in which job 1 has run twice, and job 2 is behind it."""
    return b.fold_all(
        *b.created(COUNTED),
        *b.suggested(1, x=0.5),
        *b.launched(1),
        b.observed(1, 0.9, 0.8),
        b.stop(1, "Retry"),
        b.exited(1, code=1),
        *b.launched(1, attempt=2),
        b.observed(1, 0.2, 0.1, attempt=2, first=3),
        b.exited(1, attempt=2),
        *b.suggested(2, x=0.6),
        *b.launched(2),
        b.observed(2, 0.9, 0.85, 0.8),
    )


def test_counted_steps_go_on_after_those_of_the_attempt_before() -> None:
    job = run_again().jobs[1]
    assert count_before(job, 2, COUNTED.extractors) == {"loss": 2}
    assert count_before(job, 1, COUNTED.extractors) == {}
    assert count_before(job, 2, NUMBERED.extractors) == {}


def test_a_curve_whose_steps_were_counted_in_two_attempts_is_not_compared() -> None:
    state = run_again()
    assert not is_comparable(COUNTED, state.jobs[1])
    assert is_comparable(NUMBERED, state.jobs[1])
    assert is_comparable(COUNTED, state.jobs[2])


@pytest.mark.parametrize(("spec", "stops"), [(COUNTED, False), (NUMBERED, True)])
def test_nobody_is_judged_by_such_a_curve(spec: TuningSpec, stops: bool) -> None:
    commands = decide(spec, run_again(), now=10, observed=[2])
    assert any(isinstance(each, Stop) for each in commands) is stops


def test_a_paused_job_counts_as_a_stopped_one_until_it_goes_on() -> None:
    pause = ev.JobPaused(at=1, number=1, attempt=1, reason="why")
    state = b.fold_all(*b.created(COUNTED), *b.suggested(1), *b.launched(1), b.observed(1, 3, 2))
    statuses = []
    for event in (pause, ev.JobThawed(at=2, number=1, attempt=1, reason="why")):
        state = b.fold(state, event)
        (trial,) = list_trials(COUNTED, state)
        assert [loss for _, loss in trial.curve] == [3, 2]
        statuses.append(trial.status)
    assert statuses == ["Stopped", "Running"]


def test_attempts_that_go_on_from_checkpoints_are_compared() -> None:
    state = run_again()
    spec = COUNTED.model_copy(update={"pausing": Pausing(method="checkpoint")})
    assert is_comparable(spec, state.jobs[1])
