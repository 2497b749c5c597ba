"""Training jobs that make way for others: by a signal, and by their checkpoints."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from typing import Any

import psutil
import pytest

from tests.acceptance.conftest import Terminal, wait_until

NEVER = {"rule": "threshold", "worst_loss": 1e9}
"""A stop rule that stops no job."""
BY_SIGNAL = {"method": "signal"}
CHECKPOINTS = """
import os, sys, time
path = os.path.join(os.environ["HPT_CHECKPOINT_DIR"], "epoch")
done = int(open(path).read()) if os.path.exists(path) else 0
for epoch in range(done + 1, 13):
    time.sleep(0.15)
    open(path, "w").write(str(epoch))
    print(f"epoch={epoch} loss={float(sys.argv[2]) + 1 / epoch:.6f}", flush=True)
"""


def write_spec(terminal: Terminal, **changes: Any) -> str:
    """Write a spec by which each of three jobs is paused after two epochs."""
    fields: dict[str, Any] = {
        "options": "--epochs 12 --seconds 0.15",
        "max_jobs": 3,
        "max_parallel_jobs": 1,
        "strategy": "Random",
        "early_stopping_type": "Auto",
        "early_stopping": NEVER,
        "pausing": BY_SIGNAL,
    }
    return terminal.write_spec(**fields | changes)


def list_stopped(terminal: Terminal) -> list[psutil.Process]:
    found = []
    for process in terminal.find_processes():
        try:
            found += [process] if process.status() == psutil.STATUS_STOPPED else []
        except psutil.NoSuchProcess:
            continue
    return found


def start_paused(terminal: Terminal, **changes: Any) -> subprocess.Popen[str]:
    """Start a tuning job, and return it when a training job is paused."""
    run = terminal.start("run", write_spec(terminal, **changes))
    wait_until(lambda: list_stopped(terminal), "a paused job")
    return run


def verify(terminal: Terminal, attempts: int = 1) -> None:
    """Check that all jobs have come to their end, with whole curves and no time of pauses."""
    rows = terminal.json("jobs", "t", "--curves")
    assert [row["training_job_status"] for row in rows] == ["Completed"] * 3
    assert [[step for step, _ in row["curve"]] for row in rows] == [[*range(1, 13)]] * 3
    assert max(row["attempts"] for row in rows) <= attempts
    assert terminal.find_processes() == []


def test_jobs_are_paused_where_they_stand_and_go_on(terminal: Terminal) -> None:
    said = terminal.hpt("run", write_spec(terminal, max_job_runtime_seconds=20))
    assert ": others have yet to come to epoch 2" in said
    assert "t-0001 goes on after" in said
    assert "suspended" not in said
    verify(terminal)
    rows = terminal.json("jobs", "t")
    together = sum(row["training_elapsed_time_seconds"] for row in rows)
    assert together < terminal.json("show", "t")["tuning_time_seconds"]


def test_the_best_eighth_goes_on_before_all_have_begun(terminal: Terminal) -> None:
    short = {"options": "--epochs 8 --seconds 0.05", "max_parallel_jobs": 2}
    run = start_paused(terminal, **short, max_jobs=500)

    def count(status: str) -> int:
        return int(terminal.json("show", "t")["training_job_status_counters"][status])

    wait_until(lambda: count("completed"), "a job that has completed")
    terminal.hpt("stop", "t")
    run.wait(60)
    assert count("stopped") < 50


def test_at_most_so_many_are_paused(terminal: Terminal) -> None:
    said = terminal.hpt("run", write_spec(terminal, pausing={**BY_SIGNAL, "max_paused": 1}))
    assert "t-0001 paused" in said
    assert re.search("t-0002 paused .*: others", said) is None
    none = write_spec(terminal, name="u", pausing={**BY_SIGNAL, "max_memory_gb": 0.0001})
    assert " paused " not in terminal.hpt("run", none)


def test_jobs_go_on_from_their_checkpoints(terminal: Terminal) -> None:
    (terminal.directory / "train.py").write_text(CHECKPOINTS)
    command = f"{terminal.python()} train.py --x {{x}}"
    spec = write_spec(terminal, command=command, pausing={"method": "checkpoint"})
    said = terminal.hpt("run", spec)
    assert "t-0001 paused after" in said
    assert "InProgress" not in said
    verify(terminal, attempts=2)


def test_paused_jobs_outlive_their_tuner_and_go_on_with_the_next(terminal: Terminal) -> None:
    run = start_paused(terminal)
    run.kill()
    run.wait(60)
    assert ", paused" in terminal.hpt("doctor", code=1)
    row = terminal.json("jobs", "t")[0]
    assert (row["training_job_status"], row["secondary_status"]) == ("InProgress", "Paused")
    terminal.hpt("resume", "t")
    verify(terminal)


def test_what_is_paused_without_a_tuner_is_ended_by_a_stop(terminal: Terminal) -> None:
    run = start_paused(terminal)
    run.kill()
    run.wait(60)
    terminal.hpt("stop", "t")
    assert terminal.find_processes() == []


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_what_is_paused_and_it_runs_again(terminal: Terminal, times: int) -> None:
    run = start_paused(terminal)
    for _ in range(times):
        run.send_signal(signal.SIGINT)
    assert run.wait(60) == 130
    assert terminal.find_processes() == []
    terminal.hpt("resume", "t")
    verify(terminal, attempts=2)


def test_what_somebody_else_continues_goes_on(terminal: Terminal) -> None:
    run = start_paused(terminal, max_jobs=2, options="--epochs 5 --seconds 1")
    time.sleep(0.3)  # until its tuner has seen that it stands still
    for process in list_stopped(terminal):
        process.send_signal(signal.SIGCONT)
    _, said = run.communicate(timeout=60)
    assert "epochs: somebody has continued it (SIGCONT)" in said


def test_a_deleted_tuning_job_leaves_nothing_paused(terminal: Terminal) -> None:
    start_paused(terminal)
    paused = list_stopped(terminal)
    terminal.hpt("stop", "t", "1")
    # By now the next job may be paused, but none of these is left.
    assert {*paused}.isdisjoint(terminal.find_processes())
    terminal.hpt("stop", "t")
    terminal.hpt("delete", "t", "--yes")
    assert terminal.find_processes() == []


def test_pausing_by_a_signal_is_refused_on_a_cluster(terminal: Terminal) -> None:
    spec = write_spec(terminal, executor="slurm")
    assert "keeps its place on a cluster" in terminal.hpt("check", spec, code=2)


def test_check_proves_that_a_job_goes_on_after_a_pause(terminal: Terminal) -> None:
    tried = terminal.hpt("check", write_spec(terminal), "--try")
    assert "pausing: it stood still for 1 s, and went on" in tried
    (terminal.directory / "train.py").write_text(CHECKPOINTS)
    by_checkpoint = {"method": "checkpoint"}
    command = f"{terminal.python()} train.py --x {{x}}"
    good = write_spec(terminal, name="good", command=command, pausing=by_checkpoint)
    assert terminal.json("check", good, "--try")["try"]["goes_on_after_pause"] is True
    bad = write_spec(terminal, name="bad", pausing=by_checkpoint)
    assert "began anew, with epoch 1" in terminal.hpt("check", bad, "--try", code=1)


def test_check_says_where_it_does_not_show_whether_a_job_goes_on(terminal: Terminal) -> None:
    counted = [{"name": "loss", "regex": "loss=({num})"}]
    spec = write_spec(terminal, metric_definitions=counted, pausing={"method": "checkpoint"})
    assert "its epochs are counted" in terminal.hpt("check", spec, "--try")
    one_value = write_spec(terminal, command=["sh", "-c", "echo epoch=1 loss={x}; sleep 1"])
    assert "ended without another value" in terminal.hpt("check", one_value, "--try")


SLOW = """
import argparse, time
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.1)
options = parser.parse_args()
for epoch in range(1, 5):
    time.sleep(0.15)
    print(f"epoch={epoch} loss={options.lr + 1 / epoch:.6f}", flush=True)
"""


def test_init_writes_pausing_where_it_has_seen_that_it_works(terminal: Terminal) -> None:
    words = ("init", "--try", "--force", sys.executable, "train.py")
    spec = terminal.directory / "spec.yaml"
    (terminal.directory / "train.py").write_text(SLOW)
    assert "pausing a training job: it stood still for 1 s, and went on" in terminal.hpt(*words)
    assert "\npausing: {method: signal}\n" in spec.read_text()
    at_once = SLOW.replace("sleep(0.15)", "sleep(0)").replace(", flush=True", "")
    (terminal.directory / "train.py").write_text(at_once)
    assert "pausing" not in terminal.hpt(*words)
    assert "pausing" not in spec.read_text()
