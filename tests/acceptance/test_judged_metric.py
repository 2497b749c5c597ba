"""Training jobs are judged by another metric than the objective, by which the best is found."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest
import yaml

from tests.acceptance.conftest import Terminal

TRAIN = """
import sys, time
x = int(sys.argv[1])
for epoch in range(1, 7):
    print("epoch=%d val_loss=%g" % (epoch, x + 1 / epoch), flush=True)
    time.sleep(0.5 if x == 5 else 0.1)  # time to stop it, on a busy machine, too
print("score=%d" % (10 - x))
"""
"""Prints its score only at the end: no rule could stop it by that."""
BY_LOSS = {
    "rule": "median",
    "min_completed_jobs": 1,
    "metric": "val_loss",
    "metric_type": "Minimize",
}


def write_spec(terminal: Terminal, name: str = "t", **changes: Any) -> str:
    fields: dict[str, Any] = {
        "command": [sys.executable, "-c", TRAIN, "{x}"],
        "hyperparameter_ranges": {"x": {"type": "Categorical", "values": [2, 1, 5]}},
        "initial_hyperparameters": [{"x": 2}, {"x": 5}, {"x": 1}],
        "metric_definitions": [
            {"name": "val_loss", "regex": "val_loss=({num})", "step": "epoch={step}"},
            {"name": "score", "regex": "score=({num})"},
        ],
        "objective_metric_name": "score",
        "objective_type": "Maximize",
        "strategy": "Grid",
        "max_jobs": 3,
        "max_parallel_jobs": 1,
        "early_stopping_type": "Auto",
        "early_stopping": BY_LOSS,
    }
    return terminal.write_spec(name, **(fields | changes))


def test_a_job_is_stopped_by_its_loss_and_the_best_is_that_of_the_score(
    terminal: Terminal,
) -> None:
    terminal.hpt("run", write_spec(terminal))
    rows = terminal.json("jobs", "t")
    assert [row["stop_reason"] for row in rows] == [None, "EarlyStopped", None]
    assert [row["final_objective_value"] for row in rows] == [8, None, 9]
    assert rows[0]["epochs"] == 6
    assert rows[1]["epochs"] < 6
    shown = terminal.json("show", "t")
    assert shown["best_training_job"]["final_objective_value"] == 9
    assert shown["seconds_saved_by_early_stopping"] > 0

    explained = terminal.json("explain", "t", "2")
    assert (explained["objective_metric_name"], explained["objective_type"]) == (
        *("score", "Maximize"),
    )
    assert (explained["judged_metric_name"], explained["judged_metric_type"]) == (
        *("val_loss", "Minimize"),
    )
    last = explained["judgements"][-1]
    assert last["stop"]
    assert last["value"] == pytest.approx(5 + 1 / last["step"])
    assert 2 < last["held_against"] < 3
    text = terminal.hpt("explain", "t", "2")
    assert "by val_loss" in text


def test_a_resumed_tuning_job_still_knows_what_it_judges_by(terminal: Terminal) -> None:
    """The curves of jobs that have ended are read again from the journal."""
    terminal.hpt("run", write_spec(terminal, max_jobs=1))
    terminal.hpt("update", "t", "--max-jobs", "3")
    terminal.hpt("resume", "t")
    reasons = [row["stop_reason"] for row in terminal.json("jobs", "t")]
    assert reasons == [None, "EarlyStopped", None]


def test_what_ran_with_off_is_replayed_by_any_of_its_metrics(terminal: Terminal) -> None:
    terminal.hpt("run", write_spec(terminal, early_stopping_type="Off", early_stopping=None))
    asked = ("replay", "t", "--rule", "median:min_completed_jobs=1", "--metric", "val_loss")
    (by_loss,) = terminal.json(*asked, "--metric-type", "Minimize")
    stopped = [each["training_job_number"] for each in by_loss["stopped_training_jobs"]]
    assert stopped == [2]
    assert by_loss["best_objective_value"] == by_loss["best_objective_value_with_off"] == 9
    (by_score,) = terminal.json(*asked[:4])
    assert not by_score["stopped_training_jobs"]

    told = terminal.hpt(*asked, code=2)
    assert "'val_loss' is one to Minimize by its name" in told
    assert "did you mean 'val_loss'?" in terminal.hpt(*asked[:5], "val_los", code=2)


def test_hyperband_judges_by_it_too(terminal: Terminal) -> None:
    asked = {key: BY_LOSS[key] for key in ("metric", "metric_type")}
    terminal.hpt(
        "run",
        write_spec(
            terminal,
            strategy="Hyperband",
            max_resource=6,
            early_stopping_type="Off",
            early_stopping=asked,
        ),
    )
    rows = terminal.json("jobs", "t")
    assert [row["stop_reason"] for row in rows if row["hyperparameters"]["x"] == 5] == [
        "EarlyStopped"
    ]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"metric": "val_los"}, ["stop-metric-undefined", "did you mean 'val_loss'?"]),
        ({"metric": "val_loss"}, ["stop-metric-type", "metric_type: Minimize"]),
        ({"metric": "val_loss", "metric_type": "Minimise"}, ["did you mean 'Minimize'?"]),
        ({"metric_type": "Minimize"}, ["stop-metric-type", "none is named"]),
        ({"metric": "score", "metric_type": "Minimize"}, ["stop-metric-type", "the objective"]),
        ({"metrc": "val_loss"}, ["stop-rule-parameter", "did you mean 'metric'?"]),
    ],
)
def test_mistakes_are_told_with_their_place(
    terminal: Terminal, asked: dict[str, str], told: list[str]
) -> None:
    name = write_spec(terminal, early_stopping=asked)
    lines = (terminal.directory / name).read_text().splitlines()
    assert yaml.safe_load("\n".join(lines))["early_stopping"] == asked
    text = terminal.hpt("run", name, code=2)
    place = next(i for i, line in enumerate(lines, 1) if line.startswith("early_stopping:"))
    key = next(iter(asked))
    assert f"{name}:{place + 1}:" in text or f"{name}:{place + 2}:" in text, (key, text)
    for words in told:
        assert words in text


ONCE = {"early_stopping": {"rule": "median"}}


def test_check_shows_it_beside_the_objective(terminal: Terminal) -> None:
    spec = write_spec(terminal)
    told = terminal.hpt("check", spec)
    assert re.search("Maximize score: .*\n  Minimize val_loss: what early stopping judges by", told)
    checked = terminal.json("check", spec)
    judged = checked["judged_metric_name"], checked["judged_metric_type"]
    assert judged == ("val_loss", "Minimize")

    by_objective = write_spec(terminal, **ONCE)
    assert "judges by" not in terminal.hpt("check", by_objective)
    assert terminal.json("check", by_objective)["judged_metric_name"] == "score"
    off = write_spec(terminal, early_stopping_type="Off", early_stopping=None)
    assert terminal.json("check", off)["judged_metric_name"] is None


def test_check_says_that_nothing_can_be_judged(terminal: Terminal) -> None:
    told = terminal.hpt("check", write_spec(terminal, **ONCE), "--try")
    text = " ".join(told.split())
    assert "score has one value only, at the end of training: early stopping can never act" in text
    line = "early_stopping: {metric: 'val_loss', metric_type: 'Minimize'}"
    assert line in text
    asked = yaml.safe_load(line)["early_stopping"] | {"rule": "median"}
    again = terminal.hpt("check", write_spec(terminal, early_stopping=asked), "--try")
    assert "can never act" not in again
    off = write_spec(terminal, early_stopping_type="Off", early_stopping=None)
    assert "can never act" not in terminal.hpt("check", off, "--try")


def test_a_metric_that_is_not_defined_is_offered_with_its_definition(terminal: Terminal) -> None:
    definitions = [{"name": "score", "regex": "score=({num})"}]
    spec = write_spec(terminal, metric_definitions=definitions, **ONCE)
    text = " ".join(terminal.hpt("check", spec, "--try").split())
    assert re.search("with - {name: 'val_loss', regex: .*} in metric_definitions and", text)


def test_the_first_job_that_ends_shows_that_nothing_can_be_judged(terminal: Terminal) -> None:
    terminal.hpt("run", write_spec(terminal, **ONCE))
    told = terminal.json("show", "t")["warnings"]
    (warning,) = [each for each in told if each["slug"] == "nothing-to-judge"]
    assert "early_stopping: {metric: 'val_loss', metric_type: 'Minimize'}" in warning["hint"]
    terminal.hpt("run", write_spec(terminal, "ok"))
    assert not terminal.json("show", "ok")["warnings"]


def test_by_default_it_goes_the_way_of_the_objective(terminal: Terminal) -> None:
    spec = write_spec(terminal, early_stopping={"rule": "median", "metric": "score"})
    assert terminal.json("check", spec)["name"] == "t"
