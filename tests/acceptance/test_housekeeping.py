"""Changing, renaming and deleting tuning jobs."""

from __future__ import annotations

import json
import shutil
import signal
import sqlite3

from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.mailbox import send_request
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
    terminal.hpt("update", "t", "--set", "description=seen")
    check_more(terminal, False)
    text = terminal.hpt("update", "t", "--max-jobs", "3")
    assert "t has more to do; to continue: hpt resume t" in text
    check_more(terminal, True)
    terminal.hpt("resume", "t")
    check_more(terminal, False)
    assert len(terminal.json("jobs", "t")) == 3
    assert "it already has these values" in terminal.hpt("update", "t", "--max-jobs", "3")


def check_more(terminal: Terminal, has_more: bool) -> None:
    """Look whether all say that a Completed tuning job has more to do, or none."""
    documents = terminal.json("show", "t"), terminal.json("list")[0]
    for document in documents:
        assert document["tuning_job_status"] == "Completed"
        assert document["has_more_to_do"] == has_more
    assert documents[0]["completion_reason"].startswith("max_jobs (")
    assert ("Completed, more to do" in terminal.hpt("list")) == has_more
    for command in ("show", "wait", "watch"):
        words = "its limits have changed, and it has more to do: hpt resume t"
        assert (words in " ".join(terminal.hpt(command, "t").split())) == has_more


def test_there_cannot_be_fewer_training_jobs_than_there_are(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=2))
    text = terminal.hpt("update", "t", "--max-jobs", "1", code=2)
    assert "max_jobs cannot be 1: there are already 2 training jobs" in text
    assert "2 of 2" in terminal.hpt("show", "t")
    run = terminal.start("run", terminal.write_spec("busy", options="--epochs 1000"))
    terminal.wait_for_log("busy", 2, "epoch=1 ")
    assert "there are already 2 training jobs" in terminal.hpt(
        "update", "busy", "--max-jobs", "1", code=2
    )
    # What a tuner is asked is checked again when it hears of it: there may be more jobs by then.
    send_request(JobDir(terminal.directory / ".hpt" / "busy"), {"changes": {"max_jobs": 1}})
    terminal.hpt("update", "busy", "--set", "description=after")
    assert terminal.json("show", "busy")["max_jobs"] == 4
    run.kill()


def test_a_training_job_is_said_to_be_stopped_only_if_it_was(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000", max_jobs=2))
    terminal.wait_for_log("t", 2, "epoch=1 ")
    assert "t-0001 is Stopped\n" in terminal.hpt("stop", "t", "1")
    text = terminal.hpt("stop", "t", "1", "2")
    assert "t-0001 is already Stopped" in text
    assert "t-0002 is Stopped\n" in text
    assert run.wait(60) == 0
    assert "t-0002 is already Stopped" in terminal.hpt("stop", "t", "2")


def test_without_a_tuner_the_ways_on_are_named(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000"))
    terminal.wait_for_log("t", 1, "epoch=1 ")
    assert "stop it first: hpt stop t" in terminal.hpt("delete", "t", "--yes", code=1)
    run.kill()
    run.wait(60)
    text = terminal.hpt("stop", "t", "1", code=1)
    assert "'hpt resume t'" in text
    assert "all of it with 'hpt stop t'" in text
    terminal.hpt("stop", "t")
    assert "t-0001 is already Stopped" in terminal.hpt("stop", "t", "1")


def test_what_ended_it_is_what_to_change(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1))
    assert "hpt update t --set max_jobs=..." in terminal.hpt("resume", "t")


def test_what_cannot_change_is_said_all_at_once(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec(max_jobs=1))
    wrong = ["--set", "strategy=Grid", "--set", "max_job=3", "--max-parallel-jobs", "0"]
    text = terminal.hpt("update", "t", *wrong, code=2)
    assert "'strategy' cannot change" in text
    assert "did you mean 'max_jobs'?" in text
    assert "max_parallel_jobs: must be at least 1, but is 0" in text
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
    assert "already exists" in terminal.hpt("rename", "t", "fresh", code=2)
    assert "a name consists of" in terminal.hpt("rename", "t", "no/name", code=2)


def forget_launches(terminal: Terminal, name: str) -> None:
    """Take from a journal what a tuner had not yet written that was killed after its launches."""
    connection = sqlite3.connect(terminal.directory / ".hpt" / name / "journal.sqlite")
    with connection:
        connection.execute("DELETE FROM observation")
        connection.execute("DELETE FROM event WHERE type IN ('JobLaunched', 'ObservationsRead')")
    connection.close()


def test_deleting_asks_and_spares_what_runs(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec("old", max_jobs=1))
    assert "--yes" in terminal.hpt("delete", "old", code=2)
    run = terminal.start("run", terminal.write_spec("busy", options="--epochs 1000"))
    terminal.wait_for_log("busy", 1, "epoch=1 ")
    assert "busy is being tuned" in terminal.hpt("delete", "old", "busy", "--yes", code=1)
    run.kill()
    run.wait(60)
    forget_launches(terminal, "busy")
    assert "still running: 1, 2" in terminal.hpt("rename", "busy", "calm", code=1)
    assert len(terminal.json("list")) == 2
    terminal.hpt("stop", "busy")
    wait_until(lambda: not terminal.find_processes(), "the end of busy's jobs")
    assert terminal.hpt("delete", "old", "busy", "--yes").count("deleted") == 2
    assert json.dumps(terminal.json("list")) == "[]"
    assert list((terminal.directory / ".hpt").iterdir()) == []


def test_the_list_says_how_each_stands(terminal: Terminal) -> None:
    terminal.hpt("run", terminal.write_spec("first", max_jobs=1))
    terminal.hpt("run", terminal.write_spec("second", max_jobs=1), "--home", "elsewhere")
    (entry,) = terminal.json("list")
    assert (entry["tuning_job_name"], entry["tuner_at_work"]) == ("first", False)
    assert entry["size_bytes"] > 10_000
    both = terminal.json("list", "--all-homes")
    assert [each["tuning_job_name"] for each in both] == ["second", "first"]
    assert both[0]["home"] == str(terminal.directory / "elsewhere")
    text = terminal.hpt("list", "--all-homes", "--wide")
    assert "1/1" in text
    assert str(terminal.directory / "elsewhere") in text


def test_a_tuning_job_of_another_home_is_found_there(terminal: Terminal) -> None:
    assert "other homes" not in terminal.hpt("list")
    terminal.hpt("run", terminal.write_spec("night", max_jobs=1), "--home", "else where", "-q")
    home = f"--home '{terminal.directory / 'else where'}'"
    for words in (("show", "night"), ("jobs", "@last"), ("best",)):
        text = terminal.hpt(*words, code=2)
        assert "error[name-unknown]" in text
        assert home in " ".join(text.split())
    assert "--home '" not in terminal.hpt("show", "nigth", code=2)
    assert "hpt list --all-homes" in terminal.hpt("list")
    assert terminal.json("list") == []


def test_waiting_for_the_end(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(max_jobs=1, options="--epochs 10000"))
    terminal.wait_for_log("t", 1, "epoch=1 ")
    assert "has not ended after 0 s" in terminal.hpt("wait", "t", "--timeout", "0", code=1)
    waiting = terminal.start("wait", "t")
    terminal.hpt("stop", "t")
    assert waiting.wait(60) == 1
    run.wait(60)
    terminal.hpt("run", terminal.write_spec("good", max_jobs=1))
    assert terminal.json("wait", "good")["tuning_job_status"] == "Completed"
    terminal.hpt("run", terminal.write_spec("bad", options="--mode fail", max_jobs=1), code=1)
    assert "bad is Failed" in terminal.hpt("wait", "bad", code=1)


def test_notifications_tell_of_each_new_best_and_of_the_end(terminal: Terminal) -> None:
    told = terminal.directory / "told"
    progress = terminal.directory / "progress"
    command = f'echo "$HPT_EVENT $HPT_BEST_TRAINING_JOB $HPT_BEST_VALUE $HPT_STATUS" >> {told}'
    command += f'; echo "$HPT_PROGRESS" >> {progress}'
    notify = {"command": command, "on": ["best", "end"]}
    terminal.hpt("run", terminal.write_spec(max_parallel_jobs=1, notify=notify))
    assert progress.read_text().splitlines()[-1] == "4 of 4 done: 4 completed"
    *bests, end = told.read_text().splitlines()
    rows = terminal.json("jobs", "t")
    finals = [row["final_objective_value"] for row in rows]
    expected = [
        f"best {row['training_job_name']} {row['final_objective_value']} InProgress"
        for place, row in enumerate(rows)
        if row["final_objective_value"] == min(finals[: place + 1])
    ]
    assert bests == expected
    assert end == f"end {expected[-1].split()[1]} {min(finals)} Completed"


def test_a_notification_that_fails_is_reported_and_harms_nothing(terminal: Terminal) -> None:
    spec = terminal.write_spec(max_jobs=1, notify={"command": "echo no such bell; exit 7"})
    assert "notify: exit code 7; see " in terminal.hpt("run", spec)
    log = terminal.directory / ".hpt" / "t" / "notify.log"
    assert log.read_text() == "no such bell\n"


def test_the_doctor_finds_what_was_left_behind(terminal: Terminal) -> None:
    assert "0 of training jobs" in terminal.hpt("doctor")
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000"))
    terminal.wait_for_log("t", 1, "epoch=1 ")
    assert "1 being tuned: t" in terminal.hpt("doctor")
    run.kill()
    run.wait(60)
    assert "no tuner is in charge of" in terminal.hpt("doctor", code=1)
    (terminal.directory / ".hpt" / "t" / "journal.sqlite").write_text("not a journal at all")
    findings = {each["what"]: each["problem"] for each in json.loads(_run_json(terminal))}
    assert "is not a journal" in findings["tuning jobs"]


def _run_json(terminal: Terminal) -> str:
    process = terminal.start("doctor", "--json")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    return out


def test_the_doctor_ends_what_a_deleted_tuning_job_left_running(terminal: Terminal) -> None:
    script = "echo loss={x}; (setsid sleep 300 > /dev/null 2>&1 &); exit 0"
    spec = terminal.write_spec(command=script, shell=True, max_jobs=1, children="keep")
    terminal.hpt("run", spec)
    shutil.rmtree(terminal.directory / ".hpt" / "t")
    text = terminal.hpt("doctor", code=1)
    assert "of t: 'hpt doctor --end-leftovers' ends them" in text
    assert "ended what was left running: sleep" in terminal.hpt("doctor", "--end-leftovers")
    wait_until(lambda: terminal.find_processes() == [], "the end of all")


def test_a_suspended_tuner_is_not_waited_for(terminal: Terminal) -> None:
    run = terminal.start("run", terminal.write_spec(options="--epochs 1000"))
    terminal.wait_for_log("t", 1, "epoch=1 ")
    run.send_signal(signal.SIGSTOP)
    text = terminal.hpt("stop", "t", code=1)
    assert f"its tuner, process {run.pid}, is suspended (Ctrl-Z, SIGSTOP)" in text
    assert f"kill -CONT {run.pid}" in text
    shown = " ".join(terminal.hpt("show", "t").split())
    assert f"InProgress: its tuner, process {run.pid}, is suspended; continue it with" in shown
    assert "InProgress, suspended" in terminal.hpt("list")
    run.send_signal(signal.SIGCONT)
    run.wait(60)
    assert terminal.json("show", "t")["tuning_job_status"] == "Stopped"
