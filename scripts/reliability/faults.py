"""Every fault that hpt is to survive, done to the real command and real processes.

    python scripts/reliability/faults.py [--only NAME ...] [--seed N] [--parallel N]
    python scripts/reliability/faults.py --short    # one or two trials of each, in some minutes

A trial runs a tuning job, does it harm at random moments, resumes it to its end, and compares it
with an undisturbed run: the same training jobs, hyperparameters and curves, each once, and no
process left. The table says how often each fault was tried and survived, what was lost, and what
was left behind. Moments are drawn from the seed; what they hit depends on the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import psutil
from ground import (
    EPOCHS,
    HPT,
    JOBS,
    PATIENCE,
    Ground,
    SkippedError,
    check,
    list_results,
    load_shim,
    mount,
    work_directory,
)
from power_loss import apply_changes, count_events, count_synced, drop_unsynced, read_trace

HOUR = 3600
NO_SKIP = bool(os.environ.get("HPT_NO_SKIP"))


# -- the faults: each returns how often it was tried -----------------------------------------------


def kill_tuner(ground: Ground) -> int:
    """Kill the tuner with -9, again and again."""
    process = ground.run()
    for _ in range(5):
        ground.await_moment(process)
        process.kill()
        process.wait()
        process = ground.go_on()
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    check({row["attempts"] for row in ground.read_rows()} == {1}, "jobs that lived on ran again")
    return 5


def _kill(ground: Ground, role: str, at_most: int) -> int:
    """Kill one process after the other with -9 while the tuner is at work."""
    process = ground.run()
    killed: dict[str, int] = {}
    while process.poll() is None:
        ground.pause(0.15)
        victims = ground.find_processes(role)
        if not victims:
            continue
        victim = ground.rng.choice(victims)
        with contextlib.suppress(psutil.Error, OSError, KeyError):  # it may be gone
            job = victim.environ()["HPT_JOB_DIR"]
            if killed.get(job, 0) < at_most:
                victim.kill()
                killed[job] = killed.get(job, 0) + 1
    check(process.returncode == 0, ground.read_said()[-1][-800:])
    return sum(killed.values())


def kill_launcher(ground: Ground) -> int:
    """Kill launchers with -9: their commands live on without one."""
    return _kill(ground, "launcher", 2)


def kill_leader(ground: Ground) -> int:
    """Kill commands with -9, as the kernel's out-of-memory killer does."""
    return _kill(ground, "leader", 2)


def kill_child(ground: Ground) -> int:
    """Kill children of the commands with -9."""
    return _kill(ground, "child", 2)


def kill_everything(ground: Ground) -> int:
    """Kill the tuner and all that it started with -9, in any order."""
    process = ground.run()
    for _ in range(3):
        ground.await_moment(process)
        victims = [psutil.Process(process.pid), *ground.find_processes()]
        ground.rng.shuffle(victims)
        for victim in victims:
            with contextlib.suppress(psutil.Error):
                victim.kill()
        process.wait()
        process = ground.go_on()
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    return 3


def interrupt(ground: Ground) -> int:
    """Send SIGINT, SIGTERM or SIGHUP at any moment, once or twice."""
    process = ground.run()
    for _ in range(3):
        ground.await_moment(process)
        for _ in range(ground.rng.choice((1, 2))):
            process.send_signal(ground.rng.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
            ground.pause(0.1)
        process.wait(PATIENCE)
        process = ground.go_on()
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    return 3


def pause_processes(ground: Ground) -> int:
    """Suspend the tuner or a training job for a while."""
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
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    return tried


def lose_power(ground: Ground) -> int:
    """Cut the journal at every write, in the middle of writes, and lose unsynced writes."""
    trace = ground.root / "trace"
    load_shim(ground, FAULT_TRACE=str(trace))
    check(ground.run().wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    del ground.environment["LD_PRELOAD"]
    changes = read_trace(trace)
    begin = next(i for i, each in enumerate(changes) if "journal.sqlite" in each.name)
    tried, least = 0, 0
    scratch = ground.root / "scratch"
    for cut in range(begin, len(changes) + 1):
        least = max(least, count_events(apply_changes(changes[:cut], scratch)))
        tried += 1
        if cut < len(changes) and len(changes[cut].data) > 1:
            half = changes[cut].cut(ground.rng.randrange(1, len(changes[cut].data)))
            check(
                count_events(apply_changes([*changes[:cut], half], scratch)) >= least, "mid-write"
            )
            tried += 1
        torn = [*drop_unsynced(changes[:cut], ground.rng)]
        check(
            count_events(apply_changes(torn, scratch)) >= count_synced(changes[:cut], scratch),
            "torn",
        )
        tried += 1
    resumed = ground.rng.randrange(begin, len(changes))
    files = apply_changes([*drop_unsynced(changes[:resumed], ground.rng)], scratch)
    for name in ("journal.sqlite", "journal.sqlite-journal"):
        shutil.copy(files / name, ground.directory / name)
    for path in ground.directory.glob("jobs/*/a*/exit"):
        if ground.rng.random() < 0.3:
            path.unlink()
    boot = ground.root / "boot"
    boot.write_text("another-boot\n")
    load_shim(ground, FAULT_BOOT=str(boot))
    ground.finish()
    return tried


def fill_disk(ground: Ground) -> int:
    """Fill the disk of the home, and make room again."""
    with mount(ground, "size=2m"):
        process = ground.run()
        for _ in range(2):
            ground.await_moment(process)
            ballast = ground.home / "ballast"
            with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
                while file.write(b"\0" * 4096):
                    pass
            ground.pause(1.5)
            ballast.unlink()
            if process.poll() is None:
                ground.pause(0.5)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
            if process.poll() is not None:
                if process.returncode:
                    check(
                        "No space left" in ground.read_said()[-1]
                        or "full" in ground.read_said()[-1],
                        ground.read_said()[-1][-500:],
                    )
                process = ground.go_on()
        if process.wait(PATIENCE):
            ground.finish()
        ground.verify(undisturbed())
    return 2


def forbid_writing(ground: Ground) -> int:
    """Make the home read-only, and then writable again."""
    with mount(ground, "size=8m"):
        process = ground.run()
        ground.await_moment(process)
        ground.kill_all(process)
        subprocess.run(["mount", "-o", "remount,ro", str(ground.home)], check=True)
        code = ground.go_on().wait(PATIENCE)
        check(code == 1, f"exit code {code} on a read-only home")
        check("error[" in ground.read_said()[-1], ground.read_said()[-1])
        if ground.journal.exists():
            shown = ground.start("show", "t").wait(PATIENCE)
            check(shown in (0, 1), f"show: exit code {shown}")
        subprocess.run(["mount", "-o", "remount,rw", str(ground.home)], check=True)
        ground.finish()
        ground.verify(undisturbed())
    return 1


def take_descriptors(ground: Ground) -> int:
    """Leave the tuner no file descriptor, and then some again."""
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
        check("error[" in ground.read_said()[-1], ground.read_said()[-1][-800:])
        ground.finish()
    return 1


def take_memory(ground: Ground) -> int:
    """Let training jobs run out of memory at their first attempt."""
    static = {"epochs": EPOCHS, "seconds": 0.1, "hog": "yes"}
    ground.write_spec(static_hyperparameters=static)
    check(ground.run().wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    check({row["attempts"] for row in ground.read_rows()} == {2}, "attempts")
    return JOBS


def set_clock(ground: Ground) -> int:
    """Set the clock by an hour, either way, with limits that an hour would exceed."""
    limits = ("max_runtime_seconds", "max_job_runtime_seconds", "max_silence_seconds")
    ground.write_spec(**dict.fromkeys(limits, HOUR / 2))
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
            process.wait(PATIENCE)
            process = ground.go_on()
    check(process.wait(PATIENCE) == 0, ground.read_said()[-1][-800:])
    elapsed = [row["training_elapsed_time_seconds"] for row in ground.read_rows()]
    check(all(0 < each < HOUR / 4 for each in elapsed), f"elapsed {elapsed}")
    return tried


def slow_down(ground: Ground) -> int:
    """Put the home on a slow file system, and kill the tuner with -9."""
    load_shim(ground, FAULT_SLOW="25", FAULT_HOME=str(ground.home))
    process = ground.run()
    ground.await_moment(process)
    process.kill()
    process.wait()
    ground.finish()
    return 1


def read_a_lot(ground: Ground) -> int:
    """Run ten readers in a loop while the tuner is at work."""
    process = ground.run()
    while not ground.journal.exists():
        time.sleep(0.05)
    command = [HPT, "show", "t", "--json", "--home", str(ground.home)]

    def read() -> int:
        tried = 0
        while process.poll() is None:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            check(done.returncode == 0, f"a reader failed: {done.stderr[-500:]}")
            json.loads(done.stdout)
            tried += 1
        return tried

    with ThreadPoolExecutor(10) as pool:
        readers = [pool.submit(read) for _ in range(10)]
        tried = sum(reader.result() for reader in readers)
    check(process.returncode == 0, ground.read_said()[-1][-800:])
    return tried


def tune_twice(ground: Ground) -> int:
    """Start three tuners at once, after killing a first with -9."""
    process = ground.run()
    while not ground.journal.exists():
        time.sleep(0.02)
    ground.pause()
    process.kill()
    process.wait()
    rivals = [ground.start("resume", "t", "--plain") for _ in range(3)]
    codes = sorted(each.wait(PATIENCE) for each in rivals)
    losers = [text for text in ground.read_said()[-3:] if "is being tuned by process" in text]
    check(codes[0] == 0 and codes.count(1) == len(losers), f"exit codes {codes}")
    return 1


def reboot(ground: Ground) -> int:
    """Imitate a reboot: all processes are gone, and their pids belong to others."""
    boot = ground.root / "boot"
    boot.write_text("the-first-boot\n")
    load_shim(ground, FAULT_BOOT=str(boot))
    process = ground.run()
    ground.await_moment(process)
    ground.kill_all(process)
    boot.write_text("the-second-boot\n")
    innocent = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        if ground.journal.exists():
            ground.give_pids_to(innocent.pid)
        ground.finish()
        check(innocent.poll() is None, "somebody else's process was killed")
    finally:
        innocent.kill()
        innocent.wait()
    return 1


FAULTS: dict[str, tuple[Callable[[Ground], int], int, int]] = {
    "kill -9 of the tuner": (kill_tuner, 11, 1),
    "kill -9 of a launcher": (kill_launcher, 8, 1),
    "kill -9 of a command": (kill_leader, 8, 1),
    "kill -9 of a command's child": (kill_child, 15, 1),
    "kill -9 of everything": (kill_everything, 17, 1),
    "Ctrl-C, SIGTERM, SIGHUP": (interrupt, 17, 1),
    "SIGSTOP for a while": (pause_processes, 8, 1),
    "power loss": (lose_power, 5, 1),
    "disk full": (fill_disk, 10, 1),
    "read-only home": (forbid_writing, 8, 1),
    "no file descriptors": (take_descriptors, 16, 2),
    "out of memory": (take_memory, 2, 1),
    "clock set by an hour": (set_clock, 8, 1),
    "slow home": (slow_down, 5, 1),
    "10 readers": (read_a_lot, 2, 1),
    "three tuners at once": (tune_twice, 10, 1),
    "reboot": (reboot, 12, 2),
}
"""Each fault, with its number of trials in the long and in the short form."""


# -- the table -------------------------------------------------------------------------------------


@cache
def undisturbed() -> list[Any]:
    """Return the results of a run to which nothing was done."""
    ground = Ground(work_directory() / "undisturbed", random.Random(0))
    check(ground.run().wait(PATIENCE) == 0, ground.read_said()[-1])
    expected = list_results(ground.read_rows())
    check(len(expected) == JOBS, "the undisturbed run")
    return expected


@dataclass
class Tally:
    """How often a fault was tried, and what came of it."""

    tried: int = 0
    trials: int = 0
    survived: int = 0
    leftovers: int = 0
    losses: list[str] = field(default_factory=list)
    skipped: str = ""


def try_once(name: str, seed: int, number: int, tally: Tally) -> None:
    """Make one trial of a fault, and count it."""
    fault = FAULTS[name][0]
    root = work_directory() / re.sub(r"\W+", "-", name) / str(number)
    ground = Ground(root, random.Random(f"{name} {seed} {number}"))
    try:
        tried = fault(ground)
        tally.tried += tried
        if ground.journal.exists():
            ground.verify(expect(name))
        tally.survived += 1
    except SkippedError as reason:
        tally.skipped = str(reason)
        return
    except Exception as error:
        tally.losses.append(f"{name} #{number}: {error!r}\n    in {root}")
    finally:
        left = ground.find_processes()
        tally.leftovers += len(left)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
    tally.trials += 1


def expect(name: str) -> list[Any]:
    """Return the results of an undisturbed run of the spec of this fault."""
    if name != "out of memory":
        return undisturbed()
    return [
        (number, values | {"hog": "yes"} if "hog" in values else values, curve)
        for number, values, curve in undisturbed()
    ]


def main() -> int:
    """Try every fault and print the table; the exit code says whether anything was lost."""
    # A shell that starts this in the background has it ignored, and so would the tuners.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one or two trials of each")
    parser.add_argument("--only", nargs="+", default=[], help="faults whose names contain this")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parallel", type=int, default=2, help="trials at the same time")
    options = parser.parse_args()
    undisturbed()
    names = [
        name for name in FAULTS if not options.only or any(each in name for each in options.only)
    ]
    print(
        f"{'fault':<30} {'trials':>6} {'tried':>6} {'survived':>9} {'losses':>7} {'leftovers':>10}"
    )
    losses, leftovers = [], 0
    for name in names:
        tally = Tally()
        _, long, short = FAULTS[name]
        with ThreadPoolExecutor(options.parallel) as pool:
            for number in range(short if options.short else long):
                pool.submit(try_once, name, options.seed, number, tally)
        if tally.skipped:
            print(f"{name:<30} skipped: {tally.skipped}", flush=True)
            losses += [f"{name}: skipped, though HPT_NO_SKIP is set"] if NO_SKIP else []
            continue
        share = f"{100 * tally.survived / max(1, tally.trials):.0f} %"
        print(
            f"{name:<30} {tally.trials:>6} {tally.tried:>6} {share:>9}"
            f" {len(tally.losses):>7} {tally.leftovers:>10}",
            flush=True,
        )
        losses += tally.losses
        leftovers += tally.leftovers
    for each in losses:
        print(each)
    if not losses:
        shutil.rmtree(work_directory(), ignore_errors=True)
    return 1 if losses or leftovers else 0


if __name__ == "__main__":
    sys.exit(main())
