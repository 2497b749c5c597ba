"""Faults of what surrounds the jobs: no descriptors, memory or processes; broken programs."""

from __future__ import annotations

import contextlib
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
from ground import (
    JOBS,
    PATIENCE,
    TRAIN,
    Ground,
    check,
    load_shim,
    wait_until,
)

MANY = 30
"""Training jobs of a search whose surroundings break in the middle."""
MOST_WASTED = 12
"""How many of them may have failed by the time that the tuner knows."""


def take_descriptors(ground: Ground) -> int:
    """Leave the tuner no file descriptor, and then some again."""
    ground.allow_retries()
    process = ground.run()
    ground.await_moment(process)
    with contextlib.suppress(psutil.Error, ProcessLookupError):
        used = psutil.Process(process.pid).num_fds()
        limit = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        room = ground.rng.randrange(0, 4)
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + room, limit[1]))
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(ground.rng.uniform(0.5, 4.0))
    if process.poll() is None:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limit)
    if process.wait(PATIENCE):
        check("error[" in ground.last_said(), ground.last_said())
        ground.finish()
    return 1


def take_memory(ground: Ground) -> int:
    """Let training jobs run out of memory at their first attempt."""
    ground.allow_retries(options={"hog": "yes"})
    ground.succeed(ground.run())
    check({row["attempts"] for row in ground.read_rows()} == {2}, "attempts")
    return JOBS


def take_processes(ground: Ground) -> int:
    """Refuse new threads and processes for some seconds, as `ulimit -u` and pids limits do."""
    ground.allow_retries(seconds=0.3)
    refused = ground.root / "refused"
    refused.write_text("")
    load_shim(ground, FAULT_REFUSE=str(refused))
    process = ground.run()
    ground.await_jobs(1)
    refused.write_text("fork thread")
    ground.pause(4.0)
    refused.write_text("")
    ground.succeed(process)
    return 1


def _break_program(ground: Ground) -> tuple[subprocess.Popen[bytes], str]:
    """Break the training program in the middle of a search; its right text is returned too."""
    ground.train = ground.root / "train.py"
    shutil.copy(TRAIN, ground.train)
    ground.most_attempts = MANY
    ground.write_spec(seconds=0.2, max_jobs=MANY)
    process = ground.run()
    ground.await_jobs(8)
    right = ground.train.read_text()
    ground.train.write_text("raise ImportError('libcuda.so.1: cannot open shared object file')\n")
    return process, right


def _check_budget(ground: Ground) -> None:
    failed = sum(row["training_job_status"] == "Failed" for row in ground.read_rows())
    check(failed <= MOST_WASTED, f"{failed} jobs failed")


def break_for_a_while(ground: Ground) -> int:
    """Break the training program in the middle of a search, and mend it some time after the tuner
    has seen that."""
    process, right = _break_program(ground)
    wait_until(lambda: "launching is paused" in ground.read_said()[-1], "an outage")
    ground.pause(4.0)
    ground.train.write_text(right)
    ground.succeed(process)
    return 1


def break_for_good(ground: Ground) -> int:
    """Break the training program, and mend it after the tuner has given up: no budget is spent."""
    process, right = _break_program(ground)
    code = process.wait(4 * PATIENCE)
    check(code == 1, f"exit code {code}")
    check(ground.read_status() == "Failed", ground.read_status())
    _check_budget(ground)
    ground.train.write_text(right)
    ground.resumes += 1
    ground.succeed(ground.start("resume", "t", "--plain", "--retry-failed"))
    return 1


def take_away_environment(ground: Ground) -> int:
    """Take the virtual environment of hpt and the program away for five seconds."""
    link = ground.root / "venv"
    link.symlink_to(Path(sys.prefix))
    python = link / "bin" / "python"
    ground.command = [str(python), "-m", "hpt_cli"]
    ground.most_attempts = MANY
    command = f"{python} -I -S {TRAIN} {{args}}"
    ground.write_spec(seconds=0.3, max_jobs=MANY, command=command)
    process = ground.run()
    ground.await_jobs(5)
    link.rename(ground.root / "venv.away")
    time.sleep(5)
    (ground.root / "venv.away").rename(link)
    ground.succeed(process)
    return 1


def flood(ground: Ground) -> int:
    """Let every job print a value 200,000 times: the others and Ctrl-C have their turn."""
    ground.most_attempts = 2
    ground.write_spec(options={"flood": 200_000}, stop_grace_seconds=5)
    process = ground.run()
    ground.await_jobs(1)
    ground.pause(2.0)
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    ground.await_end(process)
    seconds = time.monotonic() - begun
    check(seconds < 15, f"{seconds:.0f} s from Ctrl-C to the end")
    ground.finish()
    return 1
