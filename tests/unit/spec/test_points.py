"""Which hyperparameters exist together, and how many points there are."""

from __future__ import annotations

import pytest

from hpt_cli.spec.hyperparameters import Hyperparameters
from hpt_cli.spec.points import complete_point, count_points, narrow_deciders
from hpt_cli.spec.ranges import CategoricalRange, ContinuousRange, IntegerRange, ParameterRange


def test_points_are_counted() -> None:
    four = IntegerRange(type="Integer", min_value=1, max_value=4)
    real = ContinuousRange(type="Continuous", min_value=0, max_value=1)
    one = ContinuousRange(type="Continuous", min_value=1, max_value=1)
    two = CategoricalRange(type="Categorical", values=("x", "y"))
    assert count_points({"a": four, "b": two}) == 8
    assert count_points({"a": four, "b": real}) is None
    assert count_points({"a": one}) == 1


CONDITIONAL: dict[str, ParameterRange] = {
    "model": CategoricalRange(type="Categorical", values=("cnn", "mlp")),
    "opt": CategoricalRange(
        type="Categorical", values=("sgd", "nag", "adam"), when={"model": ("cnn",)}
    ),
    "momentum": ContinuousRange(
        type="Continuous", min_value=0, max_value=1, when={"opt": ("sgd", "nag")}
    ),
    "nesterov": CategoricalRange(type="Categorical", values=(0, 1), when={"opt": ("nag",)}),
}


@pytest.mark.parametrize(
    ("point", "completed"),
    [
        ({}, {"model": "mlp"}),
        ({"momentum": 0.9}, {"model": "cnn", "opt": "nag", "momentum": 0.9, "nesterov": 1}),
        ({"opt": "adam"}, {"model": "cnn", "opt": "adam"}),
        (
            {"momentum": 0.9, "nesterov": 0},
            {"model": "cnn", "opt": "nag", "momentum": 0.9, "nesterov": 0},
        ),
        ({"opt": "sgd", "momentum": 0.1}, {"model": "cnn", "opt": "sgd", "momentum": 0.1}),
        ({"model": "mlp"}, {"model": "mlp"}),
    ],
)
def test_a_point_keeps_what_it_names(point: Hyperparameters, completed: Hyperparameters) -> None:
    assert complete_point(CONDITIONAL, point) == completed


@pytest.mark.parametrize(
    ("point", "decider"),
    [
        ({"opt": "adam", "momentum": 0.9}, "opt"),
        ({"opt": "sgd", "nesterov": 1}, "opt"),
        ({"model": "mlp", "momentum": 0.5}, "model"),
        ({"model": "mlp", "opt": "sgd"}, "model"),
    ],
)
def test_a_point_that_contradicts_itself(point: Hyperparameters, decider: str) -> None:
    impossible = [
        name for name, (left, _) in narrow_deciders(CONDITIONAL, point).items() if not left
    ]
    assert impossible == [decider]
