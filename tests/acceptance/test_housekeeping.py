"""Changing, renaming and deleting tuning jobs."""

from __future__ import annotations

import json

from tests.acceptance.conftest import Terminal, wait_until


def test_a_running_tuning_job_takes_new_limits(terminal: Terminal) -> None:
    options = "--epochs 40"
    run = terminal.start("run", terminal.write_spec(options=options, max_parallel_jobs=1))
    terminal.wait_for_log("t", 1, "epoch=1 ")
    text = terminal.hpt("update", "t", "--max-parallel-jobs", "3", "--set", "max_jobs=3")
    assert text.splitlines() == ["t: max_jobs 4 → 3", "t: max_parallel_jobs 1 → 3"]
    terminal.wait_for_log("t", 3, "epoch=1 ")
    assert run.wait(60) == 0
    assert [row["training_job_status"] for row in terminal.json("jobs", "t")] == ["Completed"] * 3
    assert terminal.json("show", "t")["completion_reason"] == "max_jobs (3) reached"


def test_a_finished_tuning_job_goes_on_for_more_jobs(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=2))
    assert "t is Completed" in terminal.hpt("resume", "t")
    assert "to go on: hpt resume t" in terminal.hpt("update", "t", "--max-jobs", "3")
    terminal.hpt("resume", "t")
    assert len(terminal.json("jobs", "t")) == 3
    assert "these are its values already" in terminal.hpt("update", "t", "--max-jobs", "3")


def test_what_cannot_change_is_said_all_at_once(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1))
    wrong = ["--set", "strategy=Grid", "--set", "max_job=3", "--max-parallel-jobs", "0"]
    text = terminal.hpt("update", "t", *wrong, code=2)
    assert "'strategy' cannot change" in text
    assert "did you mean 'max_jobs'?" in text
    assert "max_parallel_jobs: must be at least 1, and is 0" in text
    assert "nothing to change" in terminal.hpt("update", "t", code=2)


def test_a_renamed_tuning_job_is_the_same_under_its_new_name(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=2))
    before = terminal.json("jobs", "t")
    terminal.hpt("rename", "t", "fresh")
    after = terminal.json("jobs", "fresh")
    assert [row["training_job_name"] for row in after] == ["fresh-0001", "fresh-0002"]
    assert [row["hyperparameters"] for row in after] == [row["hyperparameters"] for row in before]
    assert "epoch=1 " in terminal.hpt("logs", "fresh", "1")
    terminal.hpt("run", terminal.write_spec(max_jobs=1))
    assert "is there already" in terminal.hpt("rename", "t", "fresh", code=2)
    assert "a name is made of" in terminal.hpt("rename", "t", "no/name", code=2)


def test_deleting_asks_and_spares_what_runs(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec("old", max_jobs=1))
    assert "--yes" in terminal.hpt("delete", "old", code=2)
    run = terminal.start("run", terminal.write_spec("busy", options="--epochs 1000"))
    terminal.wait_for_log("busy", 1, "epoch=1 ")
    assert "busy is being tuned" in terminal.hpt("delete", "old", "busy", "--yes", code=1)
    run.kill()
    run.wait(60)
    assert "still run: 1" in terminal.hpt("rename", "busy", "calm", code=1)
    assert len(terminal.json("list")) == 2
    terminal.hpt("stop", "busy")
    wait_until(lambda: not terminal.find_processes(), "the end of busy's jobs")
    assert terminal.hpt("delete", "old", "busy", "--yes").count("deleted") == 2
    assert json.dumps(terminal.json("list")) == "[]"
    assert list((terminal.directory / ".hpt").iterdir()) == []
