"""A search that its user steers: points of one's own, and other ranges."""

from __future__ import annotations

import re
import signal
import subprocess
from typing import Any

from tests.acceptance.conftest import Terminal


def start_gated(terminal: Terminal, name: str, max_jobs: int) -> subprocess.Popen[str]:
    """Start a tuning job whose first training job has begun, and ends with the others when there is
    a file `gate`."""
    wait = "while [ ! -e gate ]; do sleep 0.05; done; "
    command = f"echo begun; {wait}{terminal.train_command('--x {x} --epochs 1')}"
    fields = {"command": command, "shell": True, "max_parallel_jobs": 1, "max_jobs": max_jobs}
    run = terminal.start("run", terminal.write_spec(name, **fields))
    terminal.wait_for_log(name, 1, "begun")
    return run


def list_points(terminal: Terminal) -> list[tuple[float, str | None]]:
    rows = terminal.json("jobs", "t")
    return [(row["hyperparameters"]["x"], row["source"]) for row in rows]


def test_a_running_tuning_job_tries_a_point_next_also_after_a_crash(terminal: Terminal) -> None:
    run = start_gated(terminal, "t", max_jobs=4)
    text = terminal.hpt("try", "t", "x=0.002", "--source", "anna")
    assert "t: x=0.002 is tried next" in text
    run.kill()
    run.wait()
    assert "to continue: hpt resume t" in terminal.hpt("try", "t", "x=3")
    (terminal.directory / "gate").touch()
    terminal.hpt("resume", "t")
    points = list_points(terminal)
    assert points[1:3] == [(0.002, "anna"), (3, "user")]
    assert len(points) == 4
    # The strategy's own are those of a search without.
    terminal.hpt("run", terminal.write_spec("alone", max_jobs=2, options="--epochs 1"))
    alone = [row["hyperparameters"]["x"] for row in terminal.json("jobs", "alone")]
    assert [points[0][0], points[3][0]] == alone
    table = terminal.hpt("jobs", "t")
    assert re.search(r"source", table)
    assert "anna" in table


def test_a_completed_tuning_job_goes_on_for_a_point(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1, options="--epochs 1"))
    (first,) = (x for x, _ in list_points(terminal))
    text = terminal.hpt("try", f"x={first}", code=2)
    assert "t-0001, which is Completed, has these hyperparameters: loss = " in text
    text = terminal.hpt("try", f"x={first}", "--anyway", "--count", "2")
    assert "max_jobs is now 3" in text
    assert "t has more to do; to continue: hpt resume t" in text
    terminal.hpt("resume", "t")
    assert list_points(terminal) == [(first, None), (first, "user"), (first, "user")]


def test_what_cannot_be_tried_is_refused_and_shown(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1, options="--epochs 1"))
    text = terminal.hpt("try", "t", "x=20", "y=1", code=2)
    assert "20 is outside the range of 'x'\n    x=20\n      ^^\n    allowed: 0.001 to 10" in text
    assert "there is no hyperparameter 'y'\n    y=1\n    ^" in text
    assert "write it as HYPERPARAMETER=VALUE" in terminal.hpt("try", "t", "20", code=2)
    assert "there are: x" in terminal.hpt("try", "t", code=2)
    terminal.hpt("try", "t", "x=20", "--anyway")
    terminal.hpt("resume", "t")
    assert list_points(terminal)[1] == (20, "user")


def test_another_space_is_searched_at_once_also_after_a_crash(terminal: Terminal) -> None:
    """Suggestions after kill -9 are those of a search that went on undisturbed."""
    found = []
    for crashes in (False, True):
        name = "crashed" if crashes else "smooth"
        (terminal.directory / "gate").unlink(missing_ok=True)
        run = start_gated(terminal, name, max_jobs=3)
        setting = "hyperparameter_ranges.x.min_value=5"
        text = terminal.hpt("update", name, "--set", setting)
        assert f"{name}: hyperparameter_ranges.x.min_value 0.001 → 5.0" in text
        assert f"{name}: 1 of 1 training job outside the search space" in text
        if crashes:
            run.kill()
            run.wait()
        (terminal.directory / "gate").touch()
        if crashes:
            terminal.hpt("resume", name)
        assert run.wait(60) == (-signal.SIGKILL if crashes else 0)
        found.append([row["hyperparameters"]["x"] for row in terminal.json("jobs", name)])
        assert terminal.json("show", name)["training_jobs_outside"] == 1
        assert "1 job outside the search space: not learned from" in terminal.hpt("show", name)
    assert found[0] == found[1]
    assert min(found[0][1:]) >= 5 > found[0][0]


def test_a_hyperparameter_is_added_and_fixed_again(terminal: Terminal) -> None:
    command = terminal.train_command("--epochs 1 {args}")
    terminal.hpt("run", terminal.write_spec(max_jobs=1, command=command))
    ranges = "hyperparameter_ranges.spread={type: Continuous, min_value: 0, max_value: 1}"
    text = terminal.hpt("update", "t", "--set", ranges, code=2)
    assert "'spread' is new: 1 training job ran without it" in text
    assert "--assume spread=VALUE" in text
    assert "--assume other: it is not a hyperparameter that is new" in terminal.hpt(
        *("update", "t", "--set", ranges, "--assume", "spread=0", "--assume", "other=1"), code=2
    )
    terminal.hpt("update", "t", "--set", ranges, "--assume", "spread=0", "--max-jobs", "2")
    terminal.hpt("resume", "t")
    fixed = ["--set", "static_hyperparameters.spread=0", "--max-jobs", "3"]
    assert "1 of 2 training jobs outside" in terminal.hpt("update", "t", *fixed)
    terminal.hpt("resume", "t")
    spreads = [row["hyperparameters"]["spread"] for row in terminal.json("jobs", "t")]
    assert spreads[0] == spreads[2] == 0 < spreads[1]
    child = terminal.write_spec(
        "child",
        command=command,
        max_jobs=1,
        hyperparameter_ranges={
            name: {"type": "Continuous", "min_value": 0.001, "max_value": 10}
            for name in ("x", "seconds")
        },
        static_hyperparameters={"spread": 0},
        warm_start={
            "type": "IdenticalDataAndAlgorithm",
            "parents": [{"name": "t", "assume": {"seconds": 0.05}}],
        },
    )
    assert "t: 2 jobs used, 1 outside the ranges" in terminal.hpt("run", child)


def test_explain_says_where_hyperparameters_come_from(terminal: Terminal) -> None:
    points = [{"x": 2}]
    spec = terminal.write_spec(options="--epochs 1", max_jobs=1, initial_hyperparameters=points)
    terminal.hpt("run", spec)
    terminal.hpt("try", "t", "x=3", "--source", "anna")
    terminal.hpt("resume", "t")
    text = terminal.hpt("explain", "t", "1")
    assert "its hyperparameters are one of the points to try first" in text
    assert "its hyperparameters were proposed by anna" in terminal.hpt("explain", "t", "2")
    suggestion = terminal.json("explain", "t", "2")["suggestion"]
    assert (suggestion["way"], suggestion["source"]) == ("proposed", "anna")


SPAN = {"type": "Integer", "min_value": 1, "max_value": 30}
ALL: dict[str, Any] = {
    # The fourth and the ninth training job wait until they may go on; those with an odd x crash
    # after their end.
    "command": (
        "echo begun; echo weights > $HPT_CHECKPOINT_DIR/weights; "
        "case $HPT_TRAINING_JOB in *04|*09) while [ ! -e gate-$HPT_TRAINING_JOB ];"
        " do sleep 0.02; done;; esac; "
        "echo loss=$((({x}-12)*({x}-12) + ({y}-5)*({y}-5) + (7*{x}+3*{y}+11*{seed})%5)); "
        "echo latency=$(({x}+{y})); echo saved; [ $(({x}%2)) = 0 ] || kill -SEGV $$"
    ),
    "shell": True,
    "hyperparameter_ranges": {"x": SPAN, "y": SPAN},
    "metric_definitions": [
        {"name": "loss", "regex": "loss=({num})"},
        {"name": "latency", "regex": "latency=({num})"},
    ],
    "constraints": ["x * y <= 400"],
    "metric_constraints": ["latency <= 30"],
    "repeats": {"count": 2, "seed": "seed"},
    "keep_checkpoints": 2,
    "success": {"exit_codes": [0, 139], "when": "saved"},
    "strategy": "Bayesian",
    "max_jobs": 14,
    "max_parallel_jobs": 1,
}


def steer(terminal: Terminal, name: str, *, is_killed: bool) -> None:
    """Run a search that is steered while its fourth job runs, killed then and at the ninth."""
    run = terminal.start("run", terminal.write_spec(name, **ALL))
    for number in (4, 9):
        terminal.wait_for_log(name, number, "begun")
        if number == 4:
            terminal.hpt("try", name, "x=20", "--count", "2", "--source", "anna")
            terminal.hpt("update", name, "--set", "hyperparameter_ranges.y.max_value=9")
        if is_killed:
            run.kill()
            run.wait()
            run = terminal.start("resume", name)
        (terminal.directory / f"gate-{name}-{number:04d}").touch()
    assert run.wait(60) == 0


def test_a_steered_search_that_is_killed_twice_is_as_one_that_is_not(terminal: Terminal) -> None:
    steer(terminal, "whole", is_killed=False)
    steer(terminal, "killed", is_killed=True)
    fields = (
        *("hyperparameters", "configuration", "source", "training_job_status", "objective_status"),
        *("final_objective_value", "attempts", "epochs", "failure_reason"),
    )
    whole, killed = (
        [{field: row[field] for field in fields} for row in terminal.json("jobs", name)]
        for name in ("whole", "killed")
    )
    assert whole == killed
    assert len(whole) == 14
    assert {row["training_job_status"] for row in whole} == {"Completed"}
    assert [row["source"] for row in whole[4:6]] == ["anna"] * 2
    assert all(row["hyperparameters"]["y"] <= 9 for row in whole[6:])
    assert any(row["objective_status"] == "Failed" for row in whole), "too slow"
    assert len({row["configuration"] for row in whole}) < 14
    jobs = [terminal.directory / ".hpt" / name / "jobs" for name in ("whole", "killed")]
    kept = [sorted(p.parts[-3] for p in each.glob("*/checkpoints/weights")) for each in jobs]
    assert kept[0] == kept[1]
    best = terminal.json("best", "whole")["training_job_number"]
    assert (len(kept[0]), f"{best:04d}" in kept[0]) == (2, True)
