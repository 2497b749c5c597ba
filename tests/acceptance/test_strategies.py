"""Grid, Hyperband, warm start and conditions through the real command."""

from __future__ import annotations

import re
from typing import Any

from tests.acceptance.conftest import Terminal

CONDITIONAL: dict[str, Any] = {
    "x": {"type": "Integer", "min_value": 1, "max_value": 5, "step": 2},
    "mode": {"type": "Categorical", "values": ["plain", "wide"]},
    "spread": {
        "type": "Continuous",
        "min_value": 0,
        "max_value": 1,
        "grid_points": 3,
        "when": {"mode": "wide"},
    },
}


def test_a_grid_is_tried_whole_also_when_it_is_interrupted(terminal: Terminal) -> None:
    fields = {
        "strategy": "Grid",
        "max_jobs": None,
        "command": terminal.train_command("{args}"),
        "hyperparameter_ranges": CONDITIONAL,
        "static_hyperparameters": {"epochs": 2},
    }
    run = terminal.start("run", terminal.write_spec(**fields))
    terminal.wait_for_log("t", 3, "epoch=1")
    run.kill()
    run.wait()
    assert "all 12 points of the grid" in terminal.hpt("resume", "t")
    tried = [row["hyperparameters"] for row in terminal.json("jobs", "t")]
    wide = [{"x": x, "mode": "wide", "spread": s} for x in (1, 3, 5) for s in (0.0, 0.5, 1.0)]
    expected: list[dict[str, Any]] = [*({"x": x, "mode": "plain"} for x in (1, 3, 5)), *wide]
    assert len(tried) == 12
    assert {frozenset(each.items()) for each in tried} == {
        frozenset(each.items()) for each in expected
    }


def test_hyperband_halves_and_early_stopping_must_be_off(terminal: Terminal) -> None:
    fields = {
        "strategy": "Hyperband",
        "max_jobs": 12,
        "options": "--epochs {epochs} --seconds 0.2",
        "static_hyperparameters": {"epochs": 9},
    }
    text = terminal.hpt("run", terminal.write_spec(early_stopping_type="Auto", **fields), code=2)
    assert "early_stopping_type must be Off" in text
    terminal.hpt("run", terminal.write_spec(**fields))
    rows = terminal.json("jobs", "t")
    stopped = [row for row in rows if row["training_job_status"] == "Stopped"]
    assert len(stopped) >= 4
    completed = [row for row in rows if row["training_job_status"] == "Completed"]
    assert min(row["final_objective_value"] for row in completed) < min(
        row["final_objective_value"] for row in stopped
    )


def test_warm_start_from_a_parent(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec("parent"))
    warm = {"type": "IdenticalDataAndAlgorithm", "parents": ["parent"]}
    text = terminal.hpt("run", terminal.write_spec("child", warm_start=warm, strategy="Bayesian"))
    assert "warm start: 4 training jobs of parent" in text
    best = terminal.json("best", "parent")["final_objective_value"]
    for line in (line for line in text.splitlines() if "★ best" in line):
        is_overall = float(line.split("loss = ")[1].split()[0]) < best
        assert line.endswith("★ best so far" if is_overall else "★ best of this tuning job")
    shown = terminal.json("show", "child")
    assert shown["warm_start_parents"] == [{"name": "parent", "jobs_used": 4, "jobs_left_out": 0}]
    values = [
        row["final_objective_value"]
        for name in ("parent", "child")
        for row in terminal.json("jobs", name)
    ]
    assert shown["overall_best_training_job"]["final_objective_value"] == min(values)
    parents = [row["hyperparameters"] for row in terminal.json("jobs", "parent")]
    assert not any(row["hyperparameters"] in parents for row in terminal.json("jobs", "child"))
    importance = terminal.json("importance", "child")
    assert (importance["results"], importance["inherited_results"]) == (8, 4)
    assert "learned from 8 results, 4 of them inherited" in terminal.hpt("importance", "child")
    other = terminal.write_spec("other", warm_start=warm, objective_type="Maximize")
    for command in ("run", "check"):
        assert "has the objective Minimize loss" in terminal.hpt(command, other, code=2)


def test_a_spec_may_be_checked_before_its_parents_have_ended(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec("parent", options="--seconds 9"))
    terminal.wait_for_log("parent", 1, "epoch=1")
    warm = {
        "type": "IdenticalDataAndAlgorithm",
        "parents": ["parnet", "later", "../x/.hpt/y", "parent"],
    }
    spec = terminal.write_spec("child", warm_start=warm)
    warnings = [
        (each["message"], each["hint"]) for each in terminal.json("check", spec)["warnings"][:4]
    ]
    ways_out = [
        "did you mean 'parent'?",
        "tune it first, or name it by its directory: DIR/.hpt/later",
        "tune it first",
        "wait for it: hpt wait parent; or end it: hpt stop parent",
    ]
    assert [hint for _, hint in warnings] == ways_out
    assert all(message.endswith("'hpt run' refuses that") for message, _ in warnings)
    text = terminal.hpt("run", spec, code=2)
    assert re.search(r"child.yaml:\d+:\d+: error\[name-unknown\]: warm_start: no tuning job", text)
    assert "error[parent-running]: the parent parent has not ended: it is InProgress" in text
    assert all(each in text for each in ways_out)
    assert not (terminal.directory / ".hpt/child").exists()
    terminal.hpt("stop", "parent")
    run.wait(30)


def test_initial_points_and_a_target(terminal: Terminal) -> None:
    spec = terminal.write_spec(
        initial_hyperparameters=[{"x": 5}, {"x": 0.002}],
        target_objective_metric_value=0.3,
        max_jobs=50,
        max_parallel_jobs=1,
    )
    assert "target_objective_metric_value (0.3) reached" in terminal.hpt("run", spec)
    rows = terminal.json("jobs", "t")
    assert [row["hyperparameters"]["x"] for row in rows] == [5, 0.002]


def test_a_prior_is_searched_first(terminal: Terminal) -> None:
    ranges = {"x": {"type": "Continuous", "min_value": 0.001, "max_value": 10, "prior": 0.02}}
    fields = {"hyperparameter_ranges": ranges, "max_jobs": 6}
    for strategy in ("Bayesian", "Random"):
        spec = terminal.write_spec(strategy, strategy=strategy, **fields)
        assert "prior 0.02" in terminal.hpt("check", spec)
        terminal.hpt("run", spec)
        tried = [row["hyperparameters"]["x"] for row in terminal.json("jobs", strategy)]
        assert sum(0.004 < x < 0.1 for x in tried) >= 3, tried
    ranges["x"]["prior"] = 20
    text = terminal.hpt("check", terminal.write_spec(strategy="Grid", **fields), code=2)
    assert "error[prior-outside]: the prior 20 is outside the range of 'x'" in text
    assert "error[prior-grid]" in text
