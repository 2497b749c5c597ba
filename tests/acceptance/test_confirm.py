"""Whether the best is really the best: hpt confirm, and repeats in a search."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import pytest

from tests.acceptance.conftest import Terminal, wait_until

SCRIPT = """\
import random, sys, time
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
x, seed = float(given.pop("--x")), given.pop("--seed", "0")
assert not given
time.sleep(0.05)
noise = random.Random(f"{x} {seed}").gauss(0, 0.05)
print(f"loss={(x - 0.3) ** 2 + noise:.5f}")
"""
RANGES = {"x": {"type": "Continuous", "min_value": 0.0, "max_value": 1.0}}


def write_spec(terminal: Terminal, **changes: Any) -> str:
    (terminal.directory / "noisy.py").write_text(SCRIPT)
    fields: dict[str, Any] = {
        "command": f"{terminal.python()} noisy.py --x {{x}}",
        "hyperparameter_ranges": RANGES,
        "metric_definitions": [{"name": "loss", "regex": "loss=({num})"}],
        "initial_hyperparameters": [{"x": 0.9}],
        "max_jobs": 8,
    }
    return terminal.write_spec(**fields | changes)


def test_the_best_are_run_again_with_other_seeds_and_the_default_beside_them(
    terminal: Terminal,
) -> None:
    terminal.hpt("run", write_spec(terminal, early_stopping_type="Auto"))
    shown = terminal.json("confirm", "t", "--top", "3", "--seeds", "4")
    assert shown["tuning_job_name"] == "t-confirm"
    found = shown["confirmation"]
    assert found["tuning_job_name"] == "t"
    best = min(terminal.json("jobs", "t"), key=lambda row: row["final_objective_value"])
    numbers = {each["training_job_number"] for each in found["better_than"]}
    assert best["training_job_number"] in {found["training_job_number"], *numbers}
    assert [each["is_default"] for each in found["better_than"]] == [True, False, False]
    assert found["better_than"][0]["probability"] > 0.9
    rows = terminal.json("jobs", "t-confirm")
    assert 4 <= len(rows) <= 12
    assert {row["configuration"] for row in rows} == {1, 2, 3, 4}
    assert {row["training_job_status"] for row in rows} == {"Completed"}
    runs = [tuple(row["hyperparameters"].values()) for row in rows]
    assert len(set(runs)) == len(runs)
    for command in ("show", "best"):
        assert "is really better than the default: " in terminal.hpt(command, "t-confirm")
    assert "resume t-confirm" in terminal.hpt("confirm", "t", code=2)


def test_a_killed_confirmation_loses_nothing_and_suggests_the_same(terminal: Terminal) -> None:
    terminal.hpt("run", write_spec(terminal, max_parallel_jobs=1))
    options = ("--top", "3", "--seeds", "4", "-q")
    terminal.hpt("confirm", "t", "--name", "whole", *options)
    run = terminal.start("confirm", "t", "--name", "killed", *options)
    wait_until(lambda: (terminal.directory / ".hpt/killed/jobs/0005").exists())
    run.kill()
    run.wait()
    terminal.hpt("resume", "killed", "-q")
    whole, killed = (terminal.json("jobs", name) for name in ("whole", "killed"))
    fields = ("hyperparameters", "final_objective_value", "training_job_status", "configuration")
    assert [[row[each] for each in fields] for row in whole] == [
        [row[each] for each in fields] for row in killed
    ]


def test_a_static_seed_takes_other_values_and_the_command_stays(terminal: Terminal) -> None:
    command = f"{terminal.python()} noisy.py --x {{x}} --seed {{state}}"
    fields = {"command": command, "static_hyperparameters": {"state": 2}}
    terminal.hpt("run", write_spec(terminal, **fields, initial_hyperparameters=[]))
    text = terminal.hpt("confirm", "t", "--top", "2", "--seeds", "2", "--seed", "state")
    assert "no default" in text
    rows = terminal.json("jobs", "t-confirm")
    assert {row["hyperparameters"]["state"] for row in rows} == {1, 3}
    command = terminal.hpt("best", "t-confirm", "--command")
    assert command.split()[-2:-1] == ["--seed"]


def test_a_search_whose_space_has_changed_is_confirmed_with_its_default(terminal: Terminal) -> None:
    """The best lies outside the ranges, and another hyperparameter is searched no more."""
    ranges = {name: {"type": "Integer", "min_value": 2, "max_value": 9} for name in "xy"}
    spec = terminal.write_spec(
        command="sh -c 'echo loss={x}{y}.{seed}'",
        hyperparameter_ranges=ranges,
        static_hyperparameters={"seed": 0},
        initial_hyperparameters=[{"x": 9, "y": 9}],
        max_jobs=3,
    )
    terminal.hpt("run", spec, "-q")
    terminal.hpt("try", "t", "x=1", "y=1", "--anyway")
    terminal.hpt("update", "t", "--set", "static_hyperparameters.y=3", "--set", "max_jobs=5")
    terminal.hpt("resume", "t", "-q")
    best, second = sorted(terminal.json("jobs", "t"), key=lambda row: row["final_objective_value"])[
        :2
    ]
    assert best["hyperparameters"] == {"x": 1, "y": 1}
    found = terminal.json("confirm", "t", "--top", "2", "--seeds", "2")["confirmation"]
    assert (found["training_job_number"], found["is_default"]) == (
        best["training_job_number"],
        False,
    )
    others = [(each["training_job_number"], each["is_default"]) for each in found["better_than"]]
    assert others == [(1, True), (second["training_job_number"], False)]
    (advice,) = terminal.json("advise", "t-confirm")["advice"]
    assert "it only runs the best of t again" in advice["message"]
    assert "is really better than the default: " in advice["evidence"]


def test_what_cannot_be_confirmed_is_told(terminal: Terminal) -> None:
    terminal.hpt("run", write_spec(terminal, max_jobs=1, initial_hyperparameters=[]))
    assert "no default to compare it with" in terminal.hpt("confirm", "t", code=1)
    assert "'x' is a Continuous hyperparameter" in terminal.hpt(
        "confirm", "t", "--seed", "x", code=2
    )
    assert "did you mean 'x'?" in terminal.hpt("confirm", "t", "--seed", "xx", code=2)
    assert "--seeds" in terminal.hpt("confirm", "t", "--seeds", "1", code=2)
    assert "--no-seed" in terminal.hpt("confirm", "t", "--seed", "s", "--no-seed", code=2)
    assert not (terminal.directory / ".hpt" / "t-confirm").exists()


def test_a_program_whose_results_do_not_depend_on_the_seed_is_told(terminal: Terminal) -> None:
    command = "echo loss={x}"
    terminal.hpt("run", write_spec(terminal, command=command))
    text = terminal.hpt("confirm", "t", "--top", "2", "--seeds", "2")
    assert "other seeds change nothing" in text


def test_a_search_repeats_what_may_be_the_best(terminal: Terminal) -> None:
    command = f"{terminal.python()} noisy.py --x {{x}} --seed {{seed}}"
    repeats = {"count": 3, "seed": "seed"}
    spec = write_spec(terminal, command=command, repeats=repeats, max_jobs=12)
    terminal.hpt("run", spec, "-q")
    rows = terminal.json("jobs", "t")
    assert len(rows) == 12
    runs = [row["configuration"] for row in rows]
    assert max(map(runs.count, runs)) == 3
    best = terminal.json("best", "t")["configuration"]
    assert runs.count(best) > 1
    of_best = [row for row in rows if row["configuration"] == best]
    seeds = sorted(row["hyperparameters"]["seed"] for row in of_best)
    assert seeds == [*range(1, runs.count(best) + 1)]
    found = terminal.json("show", "t")["best_configuration"]
    mean = fmean(row["final_objective_value"] for row in of_best)
    assert (found["configuration"], found["training_jobs"]) == (best, len(of_best))
    assert found["mean_objective_value"] == pytest.approx(mean)
    words = f"mean of {len(of_best)}: {mean:.6g} ± "
    for command in ("best", "show"):
        assert words in terminal.hpt(command, "t")
    (listed,) = terminal.json("list")
    assert listed["best_mean_objective_value"] == pytest.approx(mean)
    assert f" {mean:.4g} " in terminal.hpt("list")


def test_one_lucky_run_ends_no_search_that_repeats(terminal: Terminal) -> None:
    """The first run of every configuration is lucky."""
    command = "sh -c 'test {seed} = 1 && echo loss=0 || echo loss=1'"
    spec = write_spec(
        terminal,
        command=command,
        repeats={"count": 2, "seed": "seed"},
        max_jobs=6,
        max_parallel_jobs=1,
        target_objective_metric_value=0.1,
    )
    terminal.hpt("run", spec, "-q")
    shown = terminal.json("show", "t")
    assert shown["completion_reason"] == "max_jobs (6) reached"
    assert shown["best_configuration"]["mean_objective_value"] == 0.5
