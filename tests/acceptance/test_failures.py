"""Training jobs that fail, hang, or print what they should not, through the real hpt."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.acceptance.conftest import Terminal, wait_until


def run_one(terminal: Terminal, mode: str, code: int = 0, **changes: Any) -> dict[str, Any]:
    spec = terminal.write_spec(options=f"--mode '{mode}'", **{"max_jobs": 1, **changes})
    terminal.hpt("run", spec, code=code)
    (row,) = terminal.json("jobs", "t")
    assert terminal.find_processes() == []
    return dict(row)


def test_a_failure_is_tried_again_with_its_checkpoints(terminal: Terminal) -> None:
    row = run_one(terminal, "fail once", retry={"max_attempts": 2, "when": ["out of memory"]})
    assert (row["training_job_status"], row["attempts"]) == ("Completed", 2)
    assert row["notes"] == ["attempt 1 failed: exit code 3"]
    assert "attempt 2" in terminal.log("t", 1, attempt=2).read_text()


def test_failures_are_not_tried_again_for_ever(terminal: Terminal) -> None:
    row = run_one(terminal, "fail", code=1, retry={"max_attempts": 3})
    assert (row["training_job_status"], row["attempts"]) == ("Failed", 3)
    assert row["failure_reason"] == "exit code 3"


def test_a_silent_job_is_hung(terminal: Terminal) -> None:
    row = run_one(terminal, "hang", max_silence_seconds=0.5)
    assert (row["training_job_status"], row["stop_reason"]) == ("Stopped", "Hung")
    assert "it printed nothing for 0.5 s" in terminal.hpt("jobs", "t", "--wide")


def test_a_program_that_hides_its_error_is_found_out(terminal: Terminal) -> None:
    rules = [{"pattern": "CUDA out of memory", "action": "fail"}]
    row = run_one(terminal, "hides its error", code=1, log_rules=rules)
    assert row["training_job_status"] == "Failed"
    assert row["failure_reason"].startswith("'CUDA out of memory' in its output: RuntimeError")


def test_a_log_rule_stops_or_warns(terminal: Terminal) -> None:
    rules = [
        {"pattern": "epoch=2", "action": "stop"},
        {"pattern": "^pid", "action": "warn"},
    ]
    row = run_one(terminal, "plain", log_rules=rules, static_hyperparameters={"epochs": 1000})
    assert (row["training_job_status"], row["stop_reason"]) == ("Stopped", "LogRule")
    assert row["notes"][0].startswith("attempt 1 printed '^pid' in its output: pid ")


def test_fail_fast(terminal: Terminal) -> None:
    text = terminal.hpt(
        "run",
        terminal.write_spec(options="--mode fail", max_parallel_jobs=1, fail_fast=True),
        code=1,
    )
    assert "fail_fast: training job 1 failed" in text
    assert len(terminal.json("jobs", "t")) == 1


PROGRAM = "import time\nfor _ in range(3): time.sleep(0.15); print('loss=1', flush=True)\n"
BROKEN = "raise SystemExit('ImportError: libcuda.so.1')\n"


def break_program(terminal: Terminal, **changes: Any) -> tuple[Path, subprocess.Popen[str]]:
    """A tuning job of which the training program breaks after a few jobs; its path."""
    program = terminal.directory / "program.py"
    program.write_text(PROGRAM)
    command = [terminal.python(), str(program), "{x}"]
    run = terminal.start("run", terminal.write_spec(command=command, **changes), "--plain")
    terminal.wait_for_log("t", 4, "loss=1")
    program.write_text(BROKEN)
    return program, run


def test_a_fault_of_the_surroundings_pauses_the_search_and_costs_nothing(
    terminal: Terminal,
) -> None:
    program, run = break_program(terminal, max_jobs=16)
    assert run.stderr is not None
    paused = "attempts in a row failed alike (exit code 1"
    seen: list[str] = []
    for line in run.stderr:
        seen.append(line)
        if "launching is paused" in line:
            wait_until(lambda: paused in " ".join(terminal.hpt("show", "t").split()), paused)
            assert "InProgress, paused" in terminal.hpt("list")
            program.write_text(PROGRAM)
    assert run.wait(60) == 0
    assert paused not in terminal.hpt("show", "t")
    text = "".join(seen)
    assert "failed alike (exit code 1 | ImportError: libcuda.so.1)" in text
    assert "launching continues: t-00" in text
    rows = terminal.json("jobs", "t")
    assert [row["training_job_number"] for row in rows] == list(range(1, 17))
    assert {row["training_job_status"] for row in rows} == {"Completed"}
    again = [row for row in rows if row["attempts"] > 1]
    assert len(again) >= 5
    assert "the surroundings seem to have been at fault" in again[0]["notes"][0]


def test_without_its_interpreter_hpt_waits_for_it(terminal: Terminal) -> None:
    """Its virtual environment is away for a while: no launcher can start."""
    program = terminal.directory / "program.py"
    program.write_text(PROGRAM)
    interpreter = terminal.directory / "python"
    interpreter.symlink_to(Path(sys.executable).resolve())
    terminal.environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    command = [terminal.python(), str(program), "{x}"]
    spec = terminal.write_spec(command=command, max_jobs=10)
    run = subprocess.Popen(
        [str(interpreter), "-m", "hpt_cli", "run", spec, "--plain"],
        cwd=terminal.directory,
        env=terminal.environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    terminal.track(run)
    terminal.wait_for_log("t", 3, "loss=1")
    interpreter.rename(terminal.directory / "away")
    assert run.stderr is not None
    for line in run.stderr:
        if "launching is paused" in line:
            assert "No such file or directory" in line
            (terminal.directory / "away").rename(interpreter)
    assert run.wait(60) == 0
    counts = terminal.json("show", "t")["training_job_status_counters"]
    assert counts["completed"] == 10


def test_what_is_mended_after_the_tuner_was_interrupted_costs_nothing_either(
    terminal: Terminal,
) -> None:
    program, run = break_program(terminal, max_jobs=16)
    assert run.stderr is not None
    for line in run.stderr:
        if "launching is paused" in line:
            run.terminate()
    assert run.wait(60) == 143
    program.write_text(PROGRAM)
    terminal.hpt("resume", "t")
    counts = terminal.json("show", "t")["training_job_status_counters"]
    assert counts["completed"] == 16


def test_mistakes_have_their_places(terminal: Terminal) -> None:
    path = terminal.directory / terminal.write_spec()
    path.write_text(
        path.read_text()
        + "retry: {max_attempts: 1, wehn: [x]}\n"
        + "log_rules:\n- {pattern: '(', action: stop}\n- {pattern: x, action: retri}\n"
        + "max_silence_seconds: 0\n"
    )
    text = terminal.hpt("run", path.name, code=2)
    first = path.read_text().splitlines().index("retry: {max_attempts: 1, wehn: [x]}") + 1
    assert f"t.yaml:{first}:23: error[greater-than-equal]" in text
    assert f"t.yaml:{first}:26: error[field-unknown]" in text
    assert "did you mean 'when'?" in text
    assert f"t.yaml:{first + 2}:13: error[pattern]" in text
    assert f"t.yaml:{first + 3}:24: error[value-unknown]" in text
    assert "did you mean 'retry'?" in text
    assert f"t.yaml:{first + 4}:22: error[greater-than]" in text


def test_without_any_value_only_what_works_is_offered(terminal: Terminal) -> None:
    text = terminal.hpt("run", terminal.write_spec(options="--mode silent", max_jobs=9), code=1)
    assert terminal.hpt("show", "t").count("in the form that was promised") == 1
    assert text.count("in the form that was promised") == 2, "once as it runs, once at the end"
    assert re.search("Failed: none of the first [5-9] training jobs has a value of loss", text)
    offered = text[text.index("resuming keeps the spec") :]
    assert "hpt resume" not in text
    assert "t.yaml --name NEW" in offered
    assert "hpt delete t, then hpt run" in offered
    assert "curves" not in offered
    assert "importance" not in offered
    assert terminal.hpt("run", terminal.write_spec("good", max_jobs=6)).endswith(
        "  hpt curves good\n  hpt importance good\n  hpt report good\n"
    )


def test_what_cannot_be_started_is_begun_anew_with_another_command(terminal: Terminal) -> None:
    spec = terminal.write_spec(command=["trainn", "{x}"], max_jobs=2)
    text = terminal.hpt("run", spec, code=1)
    assert "to continue" not in text
    offers = [line for line in text.splitlines() if "hpt run" in line or "hpt resume" in line]
    assert "--name NEW" in offers[0]
    assert "works by now" in offers[-1]
    assert "hpt resume t --retry-failed" in offers[-1]
    taken = terminal.hpt("run", spec, code=2)
    assert "no usable result, run it anew: hpt delete t" in taken
    terminal.hpt("delete", "t", "--yes")
    good = terminal.write_spec(max_jobs=1)
    terminal.hpt("run", good)
    assert "hpt delete" not in terminal.hpt("run", good, code=2)


def test_a_regex_in_another_case_is_shown_as_it_would_match(terminal: Terminal) -> None:
    command = [Terminal.python(), "-c", "print('Fold 0 RMSE: 1.5', {x})"]
    metrics = [{"name": "loss", "regex": "Fold {step} rmse: ({num})"}]
    spec = terminal.write_spec(command=command, metric_definitions=metrics, max_jobs=1)
    text = terminal.hpt("run", spec, code=1)
    assert "if upper and lower case were the same" in text
    (definition,) = list_definitions(text)
    assert definition == {"name": "loss", "regex": "(?i)Fold {step} rmse: ({num})"}
    assert definition["regex"] in terminal.hpt("check", spec, "--try", code=1)
    terminal.hpt(
        "run",
        terminal.write_spec("good", command=command, metric_definitions=[definition], max_jobs=1),
    )


def list_definitions(text: str) -> list[dict[str, str]]:
    """Return the metric definitions in what was printed, each once."""
    found = {line.strip() for line in text.splitlines() if line.strip().startswith("- {name")}
    return [yaml.safe_load(each)[0] for each in found]


def test_what_has_no_value_is_shown_by_the_command_that_is_named_for_it(
    terminal: Terminal,
) -> None:
    spec = terminal.write_spec(options="--mode silent", max_jobs=8, max_parallel_jobs=1)
    terminal.hpt("run", spec, "--quiet", code=1)
    lines = terminal.hpt("show", "t").splitlines()
    (pointer,) = (line.strip() for line in lines if line.startswith("  hpt jobs"))
    shown = terminal.hpt(*shlex.split(pointer)[1:])
    assert shown.count("it reported no value of loss") == 5


def test_what_failed_before_a_resume_does_not_end_it_at_once(terminal: Terminal) -> None:
    spec = terminal.write_spec(options="--mode silent", max_jobs=8)
    terminal.hpt("run", spec, "--quiet", code=1)
    text = terminal.hpt("resume", "t", "--plain", code=1)
    assert "Failed: max_jobs (8) reached; no training job has a usable value of loss" in text
    assert len(terminal.json("jobs", "t")) == 8


def test_a_job_that_printed_something_is_not_said_to_have_printed_nothing(
    terminal: Terminal,
) -> None:
    command = [Terminal.python(), "-c", "print(1)", "{x}"]
    text = terminal.hpt("run", terminal.write_spec(command=command, max_jobs=1), code=1)
    assert "none of its lines comes close to a value" in text
    assert "it printed nothing" not in text


def test_jobs_that_share_a_checkpoint_are_told_so(terminal: Terminal) -> None:
    script = "sleep .05; echo {x} > $HPT_KEPT/last.ckpt; echo loss=$(cat $HPT_KEPT/last.ckpt)"
    fields: dict[str, Any] = {"shell": True, "max_jobs": 6, "max_parallel_jobs": 1}
    own = script.replace("$HPT_KEPT", "$HPT_CHECKPOINT_DIR")
    terminal.hpt("run", terminal.write_spec("own", command=own, **fields))
    shared = script.replace("$HPT_KEPT/", "")
    terminal.hpt("run", terminal.write_spec("shared", command=shared, **fields))
    assert terminal.json("show", "own")["warnings"] == []
    (warning,) = terminal.json("show", "shared")["warnings"]
    assert warning["slug"] == "files-shared"
    assert "last.ckpt" in warning["message"]
    assert "HPT_CHECKPOINT_DIR" in warning["hint"]


def test_a_module_that_the_environment_of_hpt_lacks_is_explained(terminal: Terminal) -> None:
    (terminal.directory / "cv.py").write_text(
        "raise SystemExit(\"ModuleNotFoundError: No module named 'nomodule_x'\")\n"
    )
    command = f"{Terminal.python()} cv.py --x 0.5"
    spec = terminal.write_spec(command=command.replace("0.5", "{x}"), max_jobs=1)
    for arguments in (
        ("init", "--try", "--yes", "-o", "new.yaml", *command.split()),
        ("check", spec, "--try"),
        ("run", spec),
    ):
        text = " ".join(terminal.hpt(*arguments, code=1).split())
        assert "has no nomodule_x" in text, arguments
        assert "by calling" in text
