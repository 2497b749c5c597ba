"""hpt importance, report and export on a real tuning job, as a user types them."""

from __future__ import annotations

import csv
import json

from tests.acceptance.conftest import Terminal


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
    assert "error[output-write]" in terminal.hpt("report", "t", "-o", "no/t.html", code=1)
    assert "error[format-unknown]" in terminal.hpt("export", "t", "-o", "t.xlsx", code=2)
    wrong = ("export", "t", "--format", "sagemaker", "--observations")
    assert "error[option-conflict]" in terminal.hpt(*wrong, code=2)
