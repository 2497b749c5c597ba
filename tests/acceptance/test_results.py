"""hpt importance, report and export on a real tuning job, as a user types them."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tests.acceptance.conftest import Terminal

REQUEST = Path(__file__).parents[1] / "data" / "request.json"


def test_results_leave_hpt_in_every_form(terminal: Terminal) -> None:
    environment = {"API_TOKEN": "hunter2-not-to-be-seen"}
    spec = terminal.write_spec(max_jobs=8, environment=environment)
    terminal.hpt("run", spec, "--quiet")

    importance = terminal.json("importance", "t")
    assert [each["name"] for each in importance["hyperparameters"]] == ["x"]
    assert importance["results"] == 8
    assert "good values" in terminal.hpt("importance", "t")

    assert "written to t.html" in terminal.hpt("report", "t")
    page = (terminal.directory / "t.html").read_text()
    assert importance["tuning_job_name"] in page
    assert page.count("<tr data-at=") == 8
    assert "hunter2" not in page
    assert terminal.directory.name in page  # where it was made

    terminal.hpt("export", "t", "-o", "jobs.csv")
    with open(terminal.directory / "jobs.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["TrainingJobName"] for row in rows][-1] == "t-0008"
    observations = json.loads(terminal.hpt("export", "t", "--observations", "--format", "json"))
    assert {each["metric_name"] for each in observations} == {"loss"}
    described = json.loads(terminal.hpt("export", "t", "--format", "sagemaker"))
    assert described["HyperParameterTuningJobStatus"] == "Completed"
    assert len(described["TrainingJobSummaries"]) == 8


def test_what_cannot_be_is_said(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=2), "--quiet")
    assert "error[importance-few]" in terminal.hpt("importance", "t", code=1)
    assert "What mattered" not in terminal.hpt("report", "t", "-o", "-")
    assert "error[file-write]" in terminal.hpt("report", "t", "-o", "no/t.html", code=1)
    assert "error[format-unknown]" in terminal.hpt("export", "t", "-o", "t.xlsx", code=2)
    wrong = ("export", "t", "--format", "sagemaker", "--observations")
    assert "error[option-conflict]" in terminal.hpt(*wrong, code=2)


def test_tuning_jobs_of_two_homes_are_told_apart(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=2)
    terminal.hpt("run", spec, "--quiet")
    terminal.hpt("run", spec, "--quiet", "--home", "other")
    assert "less than t" not in terminal.hpt("compare", "t")
    text = terminal.hpt("compare", "t", "other/t")
    assert "less than t" in text
    assert text.split()[:2] == ["t", "other/t"]


def test_jobs_are_sorted_by_one_column_within_another(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=4), "--quiet")
    rows = terminal.json("jobs", "t", "--sort", "epochs,x")
    values = [row["hyperparameters"]["x"] for row in rows]
    assert values == sorted(values), "all have as many epochs"
    assert "--sort names no column" in terminal.hpt("jobs", "t", "--sort", ",", code=2)


def test_a_file_that_is_there_is_overwritten_only_by_force(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=2), "--quiet")
    compared = ("compare", "t", "t", "--png")
    commands = [
        *(("jobs", "t", "-o"), ("export", "t", "-o"), ("report", "t", "-o")),
        *(("curves", "t", "--png"), compared, ("import", str(REQUEST), "-o")),
        ("init", "--output"),
    ]
    for number, (*words, option) in enumerate(commands):
        file = f"{number}.png" if option == "--png" else f"{number}.csv"
        there = terminal.directory / file
        there.write_text("dear")
        program = terminal.train_command("--x 1").split() if words == ["init"] else []
        asked = [*words, option, file]
        assert "--force overwrites it" in terminal.hpt(*asked, *program, code=2)
        assert there.read_text() == "dear"
        terminal.hpt(*asked, "--force", *program)
        assert there.read_bytes() != b"dear"
    assert "Completed" in terminal.hpt("jobs", "t", "-o", "/dev/stdout")
