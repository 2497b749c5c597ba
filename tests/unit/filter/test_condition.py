"""Conditions over rows; the report page's own reader of them is tried on the same cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hpt_cli.errors import ArgumentLocation, UsageError
from hpt_cli.filter.condition import parse_condition

CONDITIONS = json.loads((Path(__file__).parents[2] / "data" / "conditions.json").read_text())
ROW = CONDITIONS["row"]


def cases(outcome: str) -> list[Any]:
    return [
        pytest.param(each, id=each["condition"][:40])
        for each in CONDITIONS["cases"]
        if outcome in each
    ]


@pytest.mark.parametrize("case", cases("met"))
def test_conditions(case: dict[str, Any]) -> None:
    assert parse_condition(case["condition"], ROW)(ROW) is case["met"]


@pytest.mark.parametrize("case", cases("error"))
def test_what_is_no_condition_is_shown_in_its_place(case: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="where") as caught:
        parse_condition(case["condition"], ROW)
    (problem,) = caught.value.problems
    assert case["error"] in problem.message
    assert isinstance(problem.place, ArgumentLocation)
    assert problem.place.line == f"--where {case['condition']}"
    assert problem.place.start == len("--where ") + case["column"]
