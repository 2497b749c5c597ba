"""Constraints between hyperparameters, through the real hpt."""

from __future__ import annotations

from typing import Any

import pytest

from tests.acceptance.conftest import Terminal

RANGES = {
    "x": {"type": "Integer", "min_value": 1, "max_value": 8},
    "y": {"type": "Integer", "min_value": 1, "max_value": 8},
    "how": {"type": "Categorical", "values": ["fast", "slow"]},
    "warm": {"type": "Integer", "min_value": 1, "max_value": 8, "when": {"how": ["slow"]}},
}


def write_spec(terminal: Terminal, *constraints: str, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "command": "echo loss={x}{y} {how} {warm}",
        "hyperparameter_ranges": RANGES,
        "constraints": list(constraints),
        "max_parallel_jobs": 1,
    }
    return terminal.write_spec(**fields | changes)


@pytest.mark.parametrize("strategy", ["Random", "Bayesian", "Grid"])
def test_what_breaks_a_constraint_is_not_tried(terminal: Terminal, strategy: str) -> None:
    spec = write_spec(terminal, "x * y <= 6", "warm < x", strategy=strategy, max_jobs=10)
    terminal.hpt("run", spec, "--set", "max_parallel_jobs=4")
    points = [row["hyperparameters"] for row in terminal.json("jobs", "t")]
    assert len(points) == 10
    assert all(each["x"] * each["y"] <= 6 for each in points)
    assert all(each["warm"] < each["x"] for each in points if "warm" in each)


def test_a_grid_has_the_points_that_meet_them(terminal: Terminal) -> None:
    spec = write_spec(terminal, "x + y == 4", "how == fast", strategy="Grid", max_jobs=None)
    assert "a grid of 3 points" in terminal.hpt("check", spec)
    assert "all 3 points of the grid have been tried" in terminal.hpt("run", spec)


def test_mistakes_have_their_places(terminal: Terminal) -> None:
    spec = write_spec(
        terminal,
        "x * z <= 6",
        "how < 3",
        "x < y",
        initial_hyperparameters=[{"x": 1, "y": 2}, {"x": 5, "y": 5}],
    )
    text = terminal.hpt("check", spec, code=2)
    lines = (terminal.directory / spec).read_text().splitlines()
    for mark, message in (
        ("- x * z", "constraints: 'x * z <= 6', character 5: there is no 'z'"),
        ("- how < 3", "how is a text, and 3 is a number"),
        ("- x: 5", "x=5, y=5 breaks the constraint 'x < y'"),
    ):
        line = 1 + next(place for place, each in enumerate(lines) if each.startswith(mark))
        assert message in text
        assert f"t.yaml:{line}:3" in text


def test_next_to_nothing_is_told_and_ends(terminal: Terminal) -> None:
    spec = write_spec(terminal, "x < 1", max_jobs=3)
    for command in ("check", "run"):
        text = terminal.hpt(command, spec, code=2)
        assert "no point of the search space was found that meets the constraints" in text
    spec = write_spec(terminal, "x + y < 3 and how == fast", max_jobs=3, name="few")
    assert "% of the search space meets the constraints" in " ".join(
        terminal.hpt("check", spec).split()
    )
    text = terminal.hpt("run", spec, "--name", "few")
    assert "points of the search space that were found to meet the constraints" in " ".join(
        text.split()
    )


def test_a_point_of_the_user_that_breaks_one_is_refused(terminal: Terminal) -> None:
    terminal.hpt("run", write_spec(terminal, "x < y", max_jobs=1))
    text = terminal.hpt("try", "t", "x=5", "y=5", code=2)
    assert "x=5, y=5 breaks the constraint 'x < y'" in text
    terminal.hpt("try", "t", "x=5", "y=5", "--anyway")
