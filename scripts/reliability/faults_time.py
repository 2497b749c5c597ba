"""Faults of time: everything frozen, the machine down for a while, the clock set."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from ground import LIMITS, Ground, check, load_shim

HOUR = 3600
LIMIT_SECONDS = 15
"""Every limit of the spec: several times as long as the work takes."""
AWAY_SECONDS = 18
CGROUPS = Path("/sys/fs/cgroup")


def _limit(ground: Ground, seconds: float = LIMIT_SECONDS) -> None:
    """Write a spec with every limit there is; an epoch takes longer than usual."""
    ground.write_spec(seconds=0.3, **dict.fromkeys(LIMITS, seconds))


def _check_tuning_time(ground: Ground) -> None:
    """The tuner counts none of the time in which nothing went on."""
    seconds = ground.read_tuning_seconds()
    check(seconds < LIMIT_SECONDS, f"{seconds} s at work")


def freeze(ground: Ground) -> int:
    """Freeze the tuner and all training jobs for longer than every time limit."""
    _limit(ground)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, ground.jobs))
    with _freezing(ground, psutil.Process(process.pid)):
        time.sleep(AWAY_SECONDS)
    ground.succeed(process)
    _check_tuning_time(ground)
    return 1


@contextlib.contextmanager
def _freezing(ground: Ground, tuner: psutil.Process) -> Iterator[None]:
    """Freeze processes: with a control group as docker pause does, if there is one, or SIGSTOP."""
    pids = [tuner.pid, *(each.pid for each in ground.find_processes())]
    group = _make_group(ground) if ground.rng.random() < 0.5 else None
    if group is None:
        ground.signal_all(signal.SIGSTOP, tuner)
        yield
        ground.signal_all(signal.SIGCONT, tuner)
        return
    directory, state, frozen, thawed = group
    try:
        for pid in pids:
            with contextlib.suppress(OSError):  # it has ended
                (directory / "cgroup.procs").write_text(str(pid))
        state.write_text(frozen)
        yield
    finally:
        state.write_text(thawed)
        above = directory.parent / "cgroup.procs"
        while left := (directory / "cgroup.procs").read_text().split():
            for each in left:
                with contextlib.suppress(OSError):
                    above.write_text(each)
            time.sleep(0.05)
        directory.rmdir()


def _make_group(ground: Ground) -> tuple[Path, Path, str, str] | None:
    """Return a control group, the file that freezes it, and what to write there; None without."""
    name = f"hpt-faults-{os.getpid()}-{ground.root.parent.name[:20]}-{ground.root.name}"
    for parent, file, words in (
        (CGROUPS / "freezer", "freezer.state", ("FROZEN", "THAWED")),
        (CGROUPS, "cgroup.freeze", ("1", "0")),
    ):
        group = parent / name
        with contextlib.suppress(OSError):
            group.mkdir()
            if (group / file).exists():
                return group, group / file, *words
            group.rmdir()
    return None


def be_down(ground: Ground) -> int:
    """Kill everything with -9, and resume after longer than every time limit."""
    ground.most_attempts = 2
    _limit(ground)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, ground.jobs))
    ground.kill_all(process)
    time.sleep(AWAY_SECONDS)
    ground.finish()
    _check_tuning_time(ground)
    return 1


def be_down_alone(ground: Ground) -> int:
    """Kill the tuner with -9 and resume after longer than its own limit: jobs have gone on."""
    ground.write_spec(seconds=0.3, max_runtime_seconds=LIMIT_SECONDS)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, ground.jobs))
    process.kill()
    process.wait()
    time.sleep(AWAY_SECONDS)
    ground.finish()
    _check_tuning_time(ground)
    elapsed = [row["training_elapsed_time_seconds"] for row in ground.read_rows()]
    check(max(elapsed) < AWAY_SECONDS, f"elapsed {elapsed}")
    return 1


def pause_processes(ground: Ground) -> int:
    """Suspend the tuner or one process of a training job for a while."""
    ground.write_spec(seconds=0.3)
    process = ground.run()
    tried = 0
    while process.poll() is None and tried < 4:
        ground.pause(0.8)
        victims = [psutil.Process(process.pid), *ground.find_processes()]
        victim = ground.rng.choice(victims)
        with contextlib.suppress(psutil.Error):
            victim.suspend()
            ground.pause(1.5)
            victim.resume()
            tried += 1
    ground.succeed(process)
    return tried


def set_clock(ground: Ground) -> int:
    """Set the clock by an hour, either way, with limits that an hour would exceed."""
    _limit(ground, HOUR / 2)
    ground.most_attempts = 5
    clock = ground.root / "clock"
    clock.write_text("0")
    load_shim(ground, FAULT_CLOCK=str(clock))
    process = ground.run()
    tried = 0
    while process.poll() is None and tried < 4:
        ground.pause(0.8)
        clock.write_text(str(ground.rng.choice((-HOUR, 0, HOUR))))
        tried += 1
        if ground.rng.random() < 0.2 and ground.is_at_work(process):
            process.send_signal(signal.SIGINT)
            ground.await_end(process)
            process = ground.go_on()
    ground.succeed(process)
    elapsed = [row["training_elapsed_time_seconds"] for row in ground.read_rows()]
    check(all(0 < each < HOUR / 4 for each in elapsed), f"elapsed {elapsed}")
    return tried
