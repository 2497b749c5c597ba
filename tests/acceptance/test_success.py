"""Training jobs whose exit code does not tell whether they trained, through the real hpt."""

from __future__ import annotations

import sys
from typing import Any

from tests.acceptance.conftest import Terminal, wait_until

TRAIN = """
import os, signal, sys, time
mode = sys.argv[1]
print("loss=0.5", flush=True)
print("model saved" if mode != "gives up" else "killed", flush=True)
while mode == "waits" and not os.path.exists("go"):
    time.sleep(0.02)
sys.stdout.write("after the end\\n" * (200_000 if mode == "floods" else 1))
sys.stdout.flush()
if mode == "gives up" and os.environ["HPT_ATTEMPT"] == "1":
    sys.exit(0)
print("model saved", flush=True)
os.kill(os.getpid(), signal.SIGSEGV)
"""


def write_spec(terminal: Terminal, mode: str, **changes: Any) -> str:
    (terminal.directory / "crash.py").write_text(TRAIN)
    command = f"{sys.executable} crash.py '{mode}' {{x}}"
    return terminal.write_spec(
        **{"command": command, "max_jobs": 1, "max_parallel_jobs": 1} | changes
    )


def run_one(terminal: Terminal, mode: str, code: int = 0, **changes: Any) -> dict[str, Any]:
    terminal.hpt("run", write_spec(terminal, mode, **changes), code=code)
    (row,) = terminal.json("jobs", "t")
    return dict(row)


def test_a_crash_after_the_end_is_a_success_however_much_is_printed_then(
    terminal: Terminal,
) -> None:
    success = {"exit_codes": [0, 139], "when": "^model saved"}
    row = run_one(terminal, "floods", success=success, retry={"max_attempts": 2}, fail_fast=True)
    assert (row["training_job_status"], row["attempts"]) == ("Completed", 1)
    assert (row["final_objective_value"], row["failure_reason"]) == (0.5, None)


def test_without_its_text_the_exit_code_0_is_a_failure(terminal: Terminal) -> None:
    success = {"exit_codes": [0, 139], "when": "model saved"}
    row = run_one(terminal, "gives up", code=1, success=success)
    assert row["training_job_status"] == "Failed"
    assert row["failure_reason"] == "'model saved' (success.when) is not in its output"
    terminal.hpt("delete", "t", "--yes")
    # The text of one attempt is not that of another.
    row = run_one(terminal, "gives up", success=success, retry={"max_attempts": 2})
    assert (row["training_job_status"], row["attempts"]) == ("Completed", 2)


def test_an_exit_code_that_is_not_listed_is_a_failure(terminal: Terminal) -> None:
    row = run_one(terminal, "plain", code=1, success={"exit_codes": [0, 1]})
    assert row["failure_reason"] == "killed by SIGSEGV"


def test_a_resumed_tuner_finds_what_the_killed_one_had_read(terminal: Terminal) -> None:
    run = terminal.start("run", write_spec(terminal, "waits", success={"when": "model saved"}))
    terminal.wait_for_log("t", 1, "model saved")
    wait_until(lambda: terminal.json("jobs", "t")[0]["epochs"] == 1)
    run.kill()
    run.wait()
    (terminal.directory / "go").touch()
    terminal.hpt("resume", "t")
    (row,) = terminal.json("jobs", "t")
    assert (row["training_job_status"], row["attempts"]) == ("Completed", 1)


def test_a_trial_run_is_judged_alike(terminal: Terminal) -> None:
    spec = write_spec(terminal, "plain", success={"exit_codes": [139], "when": "model saved"})
    text = terminal.hpt("check", spec, "--try")
    assert "killed by SIGSEGV, which is a success by the spec" in text
    text = terminal.hpt("check", spec, "--try", "--set", "success.when=never", code=1)
    text = " ".join(text.split())
    assert "'never' (success.when) is not in its output (killed by SIGSEGV)" in text


def test_values_of_failed_jobs_alone_are_said_to_be_so_and_can_count(terminal: Terminal) -> None:
    spec = write_spec(terminal, "plain", max_jobs=2)
    hint = "if they fail only after training has ended: hpt update t --set 'success.exit_codes="
    assert hint in terminal.hpt("run", spec, code=1)
    text = terminal.hpt("best", "t", code=1)
    assert "error[no-best]: no training job of t has a result" in text
    assert "values of loss were read of 2 Failed ones only" in text
    assert f"{hint}[0,139]'" in text
    terminal.hpt("update", "t", "--set", "success.exit_codes=[0,139]")
    terminal.hpt("resume", "t", "--retry-failed")
    assert "loss = 0.5" in terminal.hpt("best", "t")


def test_mistakes_in_it_have_their_places(terminal: Terminal) -> None:
    (terminal.directory / "t.yaml").write_text(
        (terminal.directory / write_spec(terminal, "plain")).read_text()
        + "success: {exit_code: [0], when: '('}\n"
    )
    text = terminal.hpt("check", "t.yaml", code=2)
    assert "did you mean 'exit_codes'?" in text
    assert "error[pattern]: success.when: the regex does not compile" in text
