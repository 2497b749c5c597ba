"""Faults while training jobs are paused: none may be lost, doubled, or stand still for ever."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import time

import psutil
from ground import HPT, JOBS, Ground, Process, check

MOST_ATTEMPTS = {"signal": 1, "checkpoint": 2 * JOBS}
"""How often a training job may have been begun where its processes were not killed."""


def _run(ground: Ground, method: str) -> Process:
    """Start a tuning job that pauses each training job once, and stops none."""
    ground.most_attempts = MOST_ATTEMPTS[method]
    ground.write_spec(
        seconds=0.6,
        early_stopping_type="Auto",
        early_stopping={"rule": "threshold", "worst_loss": 1e9},
        pausing={"method": method},
        max_parallel_jobs=2,
    )
    return ground.run()


def _read_status(process: psutil.Process) -> str:
    """Return the status of a process; that of a zombie where it is gone."""
    try:
        return str(process.status())
    except psutil.Error:
        return psutil.STATUS_ZOMBIE


def _find_standing(ground: Ground) -> list[psutil.Process]:
    found = ground.find_processes()
    return [each for each in found if _read_status(each) == psutil.STATUS_STOPPED]


def _await_pause(ground: Ground, process: Process, method: str) -> None:
    """Wait for a moment after the first job was paused."""
    while process.poll() is None and not _is_paused(ground, method):
        time.sleep(0.2)
    ground.pause()


def _is_paused(ground: Ground, method: str) -> bool:
    if method == "signal":
        return bool(_find_standing(ground))
    return any(" paused after " in text for text in ground.read_said())


def _kill_tuner(ground: Ground, method: str) -> int:
    process = _run(ground, method)
    for _ in range(5):
        _await_pause(ground, process, method)
        process.kill()
        process.wait()
        process = ground.go_on()
    ground.succeed(process)
    return 5


def kill_tuner(ground: Ground) -> int:
    """Kill the tuner with -9, again and again, while jobs stand still."""
    return _kill_tuner(ground, "signal")


def kill_tuner_by_checkpoint(ground: Ground) -> int:
    """Kill the tuner with -9, again and again, while jobs wait for their next attempt."""
    return _kill_tuner(ground, "checkpoint")


def kill_everything(ground: Ground) -> int:
    """Kill the tuner and all its training jobs with -9, as a reboot does.

    Twice: a job that is at work when it is lost for the third time is Failed, as it may be the
    cause. A pause does not count, which its unit tests hold.
    """
    process = _run(ground, "signal")
    ground.most_attempts = 3
    for _ in range(2):
        _await_pause(ground, process, "signal")
        ground.kill_all(process)
        process = ground.go_on()
    ground.succeed(process)
    return 2


def interrupt(ground: Ground) -> int:
    """Send SIGINT, SIGTERM or SIGHUP to the tuner, once or twice."""
    process = _run(ground, "signal")
    ground.most_attempts = 4
    for _ in range(3):
        _await_pause(ground, process, "signal")
        for _ in range(ground.rng.choice((1, 2))):
            process.send_signal(ground.rng.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
            ground.pause(0.1)
        ground.await_end(process, (0, 130, 143, -signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP))
        process = ground.go_on()
    ground.succeed(process)
    return 3


def kill_and_stop(ground: Ground) -> int:
    """Kill the tuner with -9, and end the tuning job with `hpt stop`: nothing stands still."""
    process = _run(ground, "signal")
    ground.most_attempts = 2
    _await_pause(ground, process, "signal")
    process.kill()
    process.wait()
    ground.resumes += 1
    command = [HPT, "stop", "t", "--home", str(ground.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"hpt stop failed: {done.stderr[-500:]}")
    ground.note_unwatched()
    ground.is_verified = True
    return 1


def meddle(ground: Ground) -> int:
    """Continue what is paused and stop what runs, as somebody else may: it all goes on."""
    process = _run(ground, "signal")
    tried = 0
    while process.poll() is None:
        ground.pause(0.3)
        found = ground.find_processes()
        victims = [each for each in found if _read_status(each) != psutil.STATUS_ZOMBIE]
        if not victims:
            continue
        victim = ground.rng.choice(victims)
        with contextlib.suppress(psutil.Error):
            if victim.status() == psutil.STATUS_STOPPED:
                victim.send_signal(signal.SIGCONT)
            else:
                victim.send_signal(signal.SIGSTOP)
                ground.pause(0.3)
                victim.send_signal(signal.SIGCONT)
            tried += 1
    ground.succeed(process)
    return tried
