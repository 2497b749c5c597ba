"""What counts of a training job's values of the objective."""

from __future__ import annotations

import math

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.spec.objective import Objective
from hpt_cli.spec.yaml.reader import parse_spec
from tests import builders as b

CURVE = ((1.0, 4.0), (2.0, 2.0), (3.0, 6.0))


@pytest.mark.parametrize(
    ("objective_type", "value", "chosen"),
    [
        ("Minimize", "last", [4, 2, 6]),
        ("Minimize", "best", [4, 2, 2]),
        ("Maximize", "best", [4, 4, 6]),
        ("Minimize", "mean", [4, 3, 4]),
        ("Minimize", {"mean_of_last": 2}, [4, 3, 4]),
        ("Maximize", {"mean_of_last": 1}, [4, 2, 6]),
        ("Minimize", {"mean_of_last": 9}, [4, 3, 4]),
    ],
)
def test_what_counts_at_each_step(objective_type: str, value: object, chosen: list[float]) -> None:
    spec = b.make_spec(objective_type=objective_type, objective_value=value)
    assert [each for _, each in spec.objective.choose(CURVE)] == chosen
    assert Objective.of(spec.model_dump(mode="json")) == spec.objective


def test_a_mean_is_read_without_its_rounding_error() -> None:
    folds = tuple(enumerate((0.1, 0.2, 0.3), 1))
    mean = Objective("loss", maximize=False, value="mean")
    ((_, value),) = mean.choose(folds)[-1:]
    assert value != 0.2
    assert mean.drop_rounding_error(value) == 0.2
    assert Objective("loss", maximize=False).drop_rounding_error(value) == value


def test_a_journal_of_before_has_the_last_value() -> None:
    fields = b.make_spec().model_dump(mode="json")
    del fields["objective_value"]
    assert Objective.of(fields).choose(CURVE) == CURVE


def test_the_best_is_never_nan_where_there_is_another() -> None:
    objective = Objective("loss", maximize=True, value="best")
    curve = objective.choose(((1, math.nan), (2, 3.0), (3, math.nan), (4, math.inf)))
    assert math.isnan(curve[0][1])
    assert [value for _, value in curve[1:]] == [3, 3, 3]


SPEC = """
name: t
command: train {x}
hyperparameter_ranges: {x: {type: Continuous, min_value: 0, max_value: 1}}
metric_definitions: [{name: loss, regex: 'loss={num}'}]
objective_metric_name: loss
objective_type: Minimize
objective_value: $
"""


@pytest.mark.parametrize(
    ("value", "slug"),
    [
        ("bets", "value-unknown"),
        ("{mean_of_lst: 3}", "field-unknown"),
        ("{mean_of_last: 0}", "greater-than-equal"),
        ("3", "value-unknown"),
    ],
)
def test_what_is_no_choice_is_told(value: str, slug: str) -> None:
    with pytest.raises(UsageError) as told:
        parse_spec(SPEC.replace("$", value), "spec.yaml")
    assert slug in [each.slug for each in told.value.problems]
