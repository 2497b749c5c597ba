"""Conditions over rows."""

from __future__ import annotations

import pytest

from hpt_cli.errors import UsageError
from hpt_cli.filter.condition import parse_condition

ROW = {
    "learning_rate": 0.005,
    "validation:accuracy": 0.9,
    "optimizer": "adam",
    "status": "Completed",
    "layers": 3,
    "batch-size": "16",
    "objective": None,
    "limit": float("inf"),
}


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("learning_rate < 0.01 and status == Completed", True),
        ("learning_rate<1e-3 or status==completed", True),
        ("learning_rate < 1e-3 or layers > 3", False),
        ("layers > 3 or layers < 3 and status == Completed", False),
        ("(layers > 3 or layers == 3) and status = Completed", True),
        ("not (layers > 2) or not not status != Failed", True),
        ("validation:accuracy >= .9", True),
        ("batch-size < 32", True),
        ("optimizer in (sgd, 'adam')", True),
        ("layers not in (1, 2.0)", True),
        ("optimizer == 'adam or sgd'", False),
        ("layers > learning_rate", True),
        ("objective < 1 or objective > -1 or objective == 0", False),
        ("objective != 1", True),
        ("optimizer > 3", False),
        ("limit > 1e300", True),
        ("optimizer < b", True),
        ("learning_rate > -1", True),
    ],
)
def test_conditions(text: str, met: bool) -> None:
    assert parse_condition(text, ROW)(ROW) is met


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ("", 0, "a column's name is missing"),
        ("layers", 6, "a comparison is missing"),
        ("layers <", 8, "a value is missing"),
        ("layers < and layers > 1", 9, "a value is missing"),
        ("layers < 3 layers", 11, "'and' or 'or' is missing"),
        ("(layers < 3", 11, "')' is missing"),
        ("layers < 'x", 9, "this cannot be read"),
        ("status == Completed and laers > 3", 24, "there is no column 'laers'"),
        ("3 < layers", 0, "a column's name is missing"),
        ("layers not 3", 11, "'in' is missing"),
        ("(" * 200 + "layers", 51, "nested too deep"),
        ("__import__('os')", 0, "there is no column '__import__'"),
    ],
)
def test_what_is_no_condition_is_shown_in_its_place(text: str, column: int, message: str) -> None:
    with pytest.raises(UsageError, match="where") as caught:
        parse_condition(text, ROW)
    (problem,) = caught.value.problems
    assert message in problem.message
    pointer = problem.hint.splitlines()[1].removeprefix("    ")
    assert pointer.index("^") == column
