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


METRICS = [
    {"name": "loss", "regex": "loss=({num})"},
    {"name": "latency_ms", "regex": "latency=({num})"},
]
OUTCOME: dict[str, Any] = {
    "command": "sh -c 'echo loss={x}; test {x} = 2 || echo latency=$((30 - 5 * {x}))'",
    "metric_definitions": METRICS,
    "metric_constraints": ["latency_ms <= 20"],
    "hyperparameter_ranges": {"x": {"type": "Integer", "min_value": 1, "max_value": 8}},
    "initial_hyperparameters": [{"x": x} for x in (1, 2, 4, 3, 6)],
}


def test_what_breaks_a_metric_constraint_is_never_the_best(terminal: Terminal) -> None:
    """x = 1 is slow, of x = 2 it is not known, and x = 3 is the best of the others."""
    spec = write_spec(terminal, max_jobs=5, target_objective_metric_value=2.5, **OUTCOME)
    text = terminal.hpt("run", spec, "--plain")
    assert "t-0001 Completed: latency_ms=25 breaks the metric constraint" in text
    assert terminal.json("best", "t")["training_job_number"] == 4
    rows = terminal.json("jobs", "t")
    assert [row["final_objective_value"] for row in rows] == [None, None, 4, 3, 6]
    assert [row["objective_status"] for row in rows[:3]] == ["Failed", "Failed", "Succeeded"]
    assert "it has no value of latency_ms" in rows[1]["failure_reason"]
    shown = terminal.json("show", "t")
    assert shown["best_training_job"]["training_job_number"] == 4
    assert shown["objective_status_counters"] == {"succeeded": 3, "pending": 0, "failed": 2}
    assert shown["completion_reason"] == "max_jobs (5) reached"
    described = terminal.hpt("export", "t", "--format", "sagemaker")
    assert '"FinalHyperParameterTuningJobObjectiveMetric"' in described
    assert "breaks the metric constraint" in terminal.hpt("explain", "t", "1")
    # The search goes on as it was after a resume; a child knows what it is told by its parent.
    child = {"type": "IdenticalDataAndAlgorithm", "parents": ["t"]}
    spec = write_spec(terminal, name="child", max_jobs=1, warm_start=child, **OUTCOME)
    terminal.hpt("run", spec, "--set", "initial_hyperparameters=[{x: 8}]")
    assert (
        terminal.json("show", "child")["overall_best_training_job"]["training_job_name"] == "t-0004"
    )


def test_where_all_break_one_it_is_said(terminal: Terminal) -> None:
    spec = write_spec(terminal, max_jobs=2, **OUTCOME | {"metric_constraints": ["latency_ms<0"]})
    text = " ".join(terminal.hpt("run", spec, code=1).split())
    assert "no training job has a usable value of loss within the metric constraints" in text


def test_a_metric_that_is_none_has_its_place(terminal: Terminal) -> None:
    spec = write_spec(terminal, **OUTCOME | {"metric_constraints": ["latncy_ms <= 20"]})
    text = terminal.hpt("check", spec, code=2)
    assert "there is no 'latncy_ms'" in text
    assert "did you mean 'latency_ms'?" in text
