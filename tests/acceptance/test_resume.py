"""docs/resume.md, line by line."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hpt_cli.spec.model import CHANGEABLE
from tests.acceptance.conftest import Terminal, wait_until
from tests.guides import write_guide

PAGE = Path(__file__).parents[2] / "docs" / "resume.md"


def change(terminal: Terminal, **fields: Any) -> None:
    path = terminal.directory / "t.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | fields))


def test_a_job_goes_on_from_its_checkpoint_and_its_curve_continues(terminal: Terminal) -> None:
    """The script is that of docs/howto/checkpoints.md."""
    name = write_guide("checkpoints", terminal.directory)
    terminal.environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    run = terminal.start("run", "spec.yaml", "--set", "max_jobs=1", "--set", "max_parallel_jobs=1")
    terminal.wait_for_log(name, 1, "epoch 2 ")
    run.send_signal(signal.SIGINT)
    run.wait(60)
    terminal.hpt("resume", name)
    again = terminal.log(name, 1, attempt=2).read_text()
    assert re.match(r"epoch ([3-9]|1\d) loss", again)
    (row,) = terminal.json("jobs", name, "--curves")
    assert [step for step, _ in row["curve"]] == list(range(1, 21))
    values = [value for _, value in row["curve"]]
    assert values == sorted(values, reverse=True)
    assert row["attempts"] == 2


def test_what_has_ended_is_never_run_again_and_max_jobs_is_the_total(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=4, max_parallel_jobs=1))
    wait_until(
        lambda: terminal.log("t", 2).exists() and "epoch=4" in terminal.log("t", 2).read_text()
    )
    run.kill()
    run.wait()
    terminal.hpt("resume", "t")
    rows = terminal.json("jobs", "t")
    assert [row["training_job_number"] for row in rows] == [1, 2, 3, 4]
    assert [row["attempts"] for row in rows] == [1, 1, 1, 1]
    assert "is Completed: max_jobs (4) reached" in terminal.hpt("resume", "t")
    assert len(terminal.json("jobs", "t")) == 4


def test_the_log_says_once_what_a_killed_tuner_had_seen(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=3, max_parallel_jobs=1))
    log = terminal.directory / ".hpt" / "t" / "tuner.log"
    wait_until(lambda: log.exists() and "t-0001 Completed" in log.read_text())
    run.kill()  # most likely before the journal has it
    run.wait()
    terminal.hpt("resume", "t")
    lines = [line[20:] for line in log.read_text().splitlines()]
    assert lines.count("resuming t") == 1
    for number in (1, 2, 3):
        assert sum(line.startswith(f"t-000{number} Completed") for line in lines) == 1


def test_a_job_that_ended_while_nobody_looked_keeps_its_time(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=1, options="--seconds 0.6"))
    log = terminal.log("t", 1)
    wait_until(log.exists)
    run.kill()
    run.wait()
    wait_until((log.parent / "exit").exists)
    terminal.hpt("resume", "t")
    (row,) = terminal.json("jobs", "t")
    assert row["training_elapsed_time_seconds"] > 2
    # That its values were all read at once says nothing about how it printed them.
    assert terminal.json("show", "t")["warnings"] == []


CODE = "import os, sys; print('loss=1'); sys.exit(not os.path.exists('module'))"


@pytest.mark.parametrize("fields", [{}, {"fail_fast": True}])
def test_a_resume_counts_failures_afresh(terminal: Terminal, fields: dict[str, Any]) -> None:
    """situations/02: the module that was missing is installed, and the tuning job resumed."""
    fields |= {"max_jobs": 8, "max_parallel_jobs": 1}
    spec = terminal.write_spec(command=[sys.executable, "-c", CODE], **fields)
    text = terminal.hpt("run", spec, code=1)
    assert "to continue: hpt resume t\n" in text
    assert "hpt resume t --retry-failed" in text
    failed = terminal.json("show", "t")["training_job_status_counters"]["failed"]
    (terminal.directory / "module").touch()
    terminal.hpt("resume", "t")
    counts = terminal.json("show", "t")["training_job_status_counters"]
    assert (counts["completed"], counts["failed"]) == (8 - failed, failed)
    text = terminal.hpt("resume", "t")
    assert "t is Completed: max_jobs (8) reached" in text
    assert f"to run its {failed} Failed training job" in text
    assert f"t: running again t-0001{',' if failed > 1 else ''}" in terminal.hpt(
        "resume", "t", "--retry-failed"
    )
    rows = terminal.json("jobs", "t")
    assert {row["training_job_status"] for row in rows} == {"Completed"}
    assert [row["attempts"] for row in rows] == [2] * failed + [1] * (8 - failed)
    assert "t has no Failed training jobs" in terminal.hpt("resume", "t", "--retry-failed")


def test_some_failed_jobs_run_again(terminal: Terminal) -> None:
    spec = terminal.write_spec(command=[sys.executable, "-c", CODE], max_jobs=4)
    assert "all training jobs failed" in terminal.hpt("run", spec, code=1)
    text = terminal.hpt("update", "t", "--max-parallel-jobs", "1")
    assert "'hpt resume t' would end at once: all training jobs failed" in text
    (terminal.directory / "module").touch()
    assert "only be run again with --retry-failed" in terminal.hpt("resume", "t", "2", code=2)
    terminal.hpt("resume", "t", "--retry-failed", "1,3-9")
    rows = terminal.json("jobs", "t")
    assert [row["attempts"] for row in rows] == [2, 1, 2, 2]
    text = terminal.hpt("resume", "t", "--retry-failed", "t-0001", code=2)
    assert "t-0001 has not failed: it is Completed" in text
    assert "Failed are: 2" in text
    assert "has no training job '9'" in terminal.hpt("resume", "t", "--retry-failed", "9", code=2)


def test_where_there_is_no_time_left_nothing_runs_again(terminal: Terminal) -> None:
    code = (
        "import os, time; print('loss=1', flush=True)\n"
        "time.sleep(60 * (os.environ['HPT_TRAINING_JOB'] > 't-0002')); raise SystemExit(1)"
    )
    command = [sys.executable, "-c", code]
    spec = terminal.write_spec(command=command, max_runtime_seconds=3, max_jobs=9)
    terminal.try_hpt("run", spec)
    text = terminal.hpt("resume", "t", "--retry-failed", code=1)
    assert "max_runtime_seconds (3) reached" in text
    assert "hpt update t --set max_runtime_seconds=" in text
    assert {row["attempts"] for row in terminal.json("jobs", "t")} == {1}


def test_a_spec_that_has_changed_is_shown_and_changes_nothing(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=2, options="--seconds 0.4"))
    terminal.wait_for_log("t", 1, "epoch=1")
    run.send_signal(signal.SIGINT)
    run.wait(60)
    ranges = {"x": {"type": "Continuous", "min_value": 0.001, "max_value": 20}}
    changes = {"hyperparameter_ranges": ranges, "random_seed": 1}
    change(terminal, max_jobs=3, retry={"max_attempts": 3}, **changes)
    text = terminal.hpt("resume", "t")
    assert "t.yaml has changed since; t continues as it was:" in text
    assert "max_jobs: 2 → 3  (hpt update t --set max_jobs=3)" in text
    assert "random_seed: 0 → 1  (cannot change)" in text
    assert "max_value: 10.0 → 20.0  (hpt update t --set 'hyperparameter_ranges={" in text
    assert "t.yaml --name NEW" in text
    setting = 'retry={"max_attempts": 3}'
    assert f"retry.max_attempts: None → 3  (hpt update t --set '{setting}')" in text
    assert len(terminal.json("jobs", "t")) == 2
    terminal.hpt("update", "t", "--set", "max_jobs=3", "--set", setting)
    text = terminal.hpt("resume", "t")
    assert "max_jobs: 2" not in text
    assert "retry" not in text
    assert len(terminal.json("jobs", "t")) == 3
    (terminal.directory / "t.yaml").write_text("name: [")
    terminal.hpt("update", "t", "--set", "max_jobs=4")
    assert "has changed since, and has mistakes" in terminal.hpt("resume", "t")


def test_the_page_names_all_that_may_change() -> None:
    text = PAGE.read_text()
    listed = text[text.index("running or not:") : text.index("Changed log rules")]
    assert re.findall(r"`(\w+)`", listed) == list(CHANGEABLE)
