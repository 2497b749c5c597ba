"""hpt explain and hpt replay, on tuning jobs that were really run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.conftest import Terminal
from tests.unit.analysis.test_curve_tables import write_table

EPOCHS = 6
JOBS = 7
RULE = {"rule": "median", "min_completed_jobs": 3, "min_epochs": 2}
RULE_TEXT = "median:min_completed_jobs=3,min_epochs=2"
CROSSING = f"""
import sys, time
x = float(sys.argv[1])
for epoch in range(1, {EPOCHS} + 1):
    time.sleep(0.1)
    done = epoch / {EPOCHS}
    print(f"loss={{x * (1 - done) + (10 - x) * done:.6f}}", flush=True)
"""
"""What begins well ends badly: jobs lag at different epochs."""


def write_spec(terminal: Terminal, name: str, **changes: Any) -> str:
    fields: dict[str, Any] = {
        "command": [sys.executable, "-c", CROSSING, "{x}"],
        "hyperparameter_ranges": {
            "x": {"type": "Continuous", "min_value": 0, "max_value": 10, "scaling_type": "Linear"}
        },
        "max_jobs": JOBS,
        "max_parallel_jobs": 1,
    }
    return terminal.write_spec(name, **(fields | changes))


def explain_stopped(terminal: Terminal, name: str) -> dict[int, dict[str, Any]]:
    return {
        row["training_job_number"]: terminal.json("explain", name, row["training_job_name"])
        for row in terminal.json("jobs", name, "--status", "Stopped")
    }


def test_a_replay_agrees_with_an_actual_run(terminal: Terminal) -> None:
    """And what both are made of can be explained."""
    changes = {"early_stopping_type": "Auto", "early_stopping": RULE}
    specs = write_spec(terminal, "off"), write_spec(terminal, "med", **changes)
    for process in [terminal.start("run", spec) for spec in specs]:
        assert process.wait(60) == 0

    (replayed,) = terminal.json("replay", "off", "--rule", RULE_TEXT)
    assert (replayed["tuning_job_name"], replayed["rule"]) == ("off", RULE_TEXT)
    assert (replayed["training_jobs"], replayed["training_jobs_left_out"]) == (JOBS, 0)
    expected = {
        each["training_job_number"]: each["epochs"] for each in replayed["stopped_training_jobs"]
    }
    assert len(set(expected.values())) >= 2, "the jobs should lag at different epochs"
    assert replayed["jobs_stopped"] == len(expected)
    of_off = terminal.json("show", "off")["best_training_job"]["final_objective_value"]
    assert replayed["best_objective_value_with_off"] == of_off
    assert (replayed["best_objective_value"] == of_off) == (replayed["loss"] == 0)
    saved = sum(EPOCHS - epochs for epochs in expected.values())
    assert replayed["epochs_saved"] == pytest.approx(saved / (EPOCHS * JOBS), abs=1e-6)

    explained = explain_stopped(terminal, "med")
    assert explained.keys() == expected.keys()
    for number, told in explained.items():
        # On a busy machine two epochs may come with one look, and only the second is judged.
        judged, step = len(told["judgements"]), told["judgements"][-1]["step"]
        assert step == expected[number] or judged < step
    _check_explanations(terminal, *next(iter(explained.items())))
    text = terminal.hpt("replay", "off", "med")
    assert f"{len(expected)} jobs left out" in text
    told = (
        "as a share of the distance from the median",
        f"with Off: {EPOCHS * JOBS} epochs",
        ", best ",
    )
    for words in (*told, "best job", "vizier_median", "patience"):
        assert words in " ".join(text.split())


def _check_explanations(terminal: Terminal, number: int, told: dict[str, Any]) -> None:
    last = told["judgements"][-1]
    assert (told["rule"], told["stop_reason"]) == (RULE_TEXT, "EarlyStopped")
    assert (last["stop"], last["reason"]) == (True, told["stop_explanation"])
    assert last["value"] > last["held_against"]
    assert last["margin"] == pytest.approx(last["value"] - last["held_against"])
    assert last["jobs"] >= 3
    assert last["evidence"]["held_against"] == last["held_against"]

    text = terminal.hpt("explain", "med", str(number))
    assert f"med-000{number} was stopped at epoch {last['step']:g}: worse than the median" in text
    for words in ("against", "margin", "stop: worse", "●", "░", f"rule: {RULE_TEXT}"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 80
    assert "compared with no other job: 0 of 3" in terminal.hpt("explain", "med", "1")

    off = terminal.json("explain", "off", "2")
    assert (off["rule"], off["judgements"]) == (None, [])
    assert "hpt replay off" in terminal.hpt("explain", "off", "2")
    assert "has no training job '9'" in terminal.hpt("explain", "off", "9", code=2)


def test_replays_of_a_table(terminal: Terminal, tmp_path: Path) -> None:
    table = write_table(tmp_path / "tiny.jsonl.gz")
    options = ("replay", "--table", table, "--jobs", "10", "--seeds", "5")
    rows = terminal.json(*options)
    assert {"auto", "median", "asha", "patience"} <= {row["rule"] for row in rows}
    for row in rows:
        assert row.keys() == {
            "rule",
            "pausing",
            "epochs_saved",
            "training_time_saved",
            "tuning_time_saved",
            "jobs_stopped",
            "kept_best",
            "loss",
        }
        assert 0 <= row["epochs_saved"] < 1
        assert 0 <= row["jobs_stopped"] <= 10
        assert (row["kept_best"], row["loss"]) == (1, 0), "parallel curves never cross"
    plain = write_table(tmp_path / "tiny.jsonl")
    text = terminal.hpt("replay", "--table", plain, "--jobs", "10", "--seeds", "5")
    assert "tiny: 10 jobs, 2 in parallel" in text
    assert "Of the rules that keep the best job" in text


def test_replays_with_pausing(terminal: Terminal, tmp_path: Path) -> None:
    table = write_table(tmp_path / "tiny.jsonl.gz")
    options = ("replay", "--table", table, "--jobs", "10", "--seeds", "20", "--rule", "auto")
    plain, paused = terminal.json(*options, "--pausing")
    assert [plain["pausing"], paused["pausing"]] == [False, True]
    assert paused["epochs_saved"] > plain["epochs_saved"]
    assert terminal.json(*options) == [plain]
    _, some = terminal.json(*options, "--max-paused", "2")
    assert plain["epochs_saved"] < some["epochs_saved"] < paused["epochs_saved"]
    assert "auto, pausing" in terminal.hpt(*options, "--pausing")


def test_mistakes(terminal: Terminal) -> None:
    table = write_table(terminal.directory / "tiny.jsonl")
    text = terminal.hpt("replay", "--table", table, "--rule", "medain", code=2)
    assert "--rule medain: there is no stop rule" in text
    assert "did you mean 'median'?" in text
    assert "hpt replay NAME" in terminal.hpt("replay", code=2)
    terminal.hpt("run", terminal.write_spec(max_jobs=1, options="--mode silent"), code=1)
    assert "ran to its end with a value" in terminal.hpt("replay", "t", code=1)
    assert "ran to its end: early stopping is Off" in terminal.hpt("explain", "t", "1")


STUBBORN = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
job, last = int(sys.argv[1]), int(sys.argv[2])
for epoch in range(1, 7 if job == 1 else last + 1):
    print(f"loss={job}", flush=True)
    time.sleep(0.1)
"""
"""Takes no notice of being asked to stop."""


@pytest.mark.parametrize(("last", "status"), [(6, "Completed"), (4, "Stopped")])
def test_a_job_that_comes_to_its_end_although_it_was_asked_to_stop_is_completed(
    terminal: Terminal, last: int, status: str
) -> None:
    spec = terminal.write_spec(
        "stubborn",
        command=[sys.executable, "-c", STUBBORN, "{job}", str(last)],
        hyperparameter_ranges={"job": {"type": "Categorical", "values": [1, 2]}},
        initial_hyperparameters=[{"job": 1}, {"job": 2}],
        strategy="Grid",
        max_jobs=2,
        max_parallel_jobs=1,
        early_stopping_type="Auto",
        early_stopping={"rule": "threshold", "worst_loss": 1.5},
    )
    terminal.hpt("run", spec)
    rows = terminal.json("jobs", "stubborn")
    assert [row["training_job_status"] for row in rows] == ["Completed", status]
    assert [row["stop_reason"] for row in rows] == [None, "EarlyStopped" if last < 6 else None]
    explained = terminal.json("explain", "stubborn", "2")
    assert any(each["stop"] for each in explained["judgements"])
