"""Faults that end processes: kill -9, signals to one or to all, a reboot, another tuner."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
from ground import (
    EPOCHS,
    HPT,
    JOBS,
    PATIENCE,
    Ground,
    SkippedError,
    check,
    load_shim,
)


def kill_tuner(ground: Ground) -> int:
    """Kill the tuner with -9, again and again: jobs that live on are not run again."""
    process = ground.run()
    for _ in range(5):
        ground.await_moment(process)
        process.kill()
        process.wait()
        process = ground.go_on()
    ground.succeed(process)
    return 5


def _kill(ground: Ground, role: str, at_most: int) -> int:
    """Kill one process after the other with -9 while the tuner is at work."""
    ground.allow_retries()
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
    ground.succeed(process)
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
    ground.most_attempts = 4
    process = ground.run()
    for _ in range(3):
        ground.await_moment(process)
        ground.kill_all(process)
        process = ground.go_on()
    ground.succeed(process)
    return 3


def interrupt(ground: Ground) -> int:
    """Send SIGINT, SIGTERM or SIGHUP to the tuner at any moment, once or twice."""
    ground.most_attempts = 4
    process = ground.run()
    for _ in range(3):
        ground.await_moment(process)
        for _ in range(ground.rng.choice((1, 2))):
            process.send_signal(ground.rng.choice((signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
            ground.pause(0.1)
        # The first moments of a process belong to Python: a signal then ends it at once.
        ground.await_end(process, (0, 130, 143, -signal.SIGINT, -signal.SIGTERM, -signal.SIGHUP))
        process = ground.go_on()
    ground.succeed(process)
    return 3


def _signal_all(
    ground: Ground, number: signal.Signals, saving: tuple[float, ...] = (0.0, 2.0)
) -> subprocess.Popen[bytes]:
    """Send a signal to all processes at once, at any moment of the work."""
    ground.most_attempts = 2
    save = ground.rng.choice(saving)
    ground.write_spec(seconds=0.4, options={"save": save} if save else {}, stop_grace_seconds=20)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, ground.jobs))
    ground.pause(0.8)
    with contextlib.suppress(psutil.Error):
        ground.signal_all(number, psutil.Process(process.pid))
    return process


def terminate_all(ground: Ground) -> int:
    """Send SIGTERM to all processes at once, as a shutdown and `systemctl stop` do."""
    ground.await_end(_signal_all(ground, signal.SIGTERM), (0, 143))
    ground.finish()
    return 1


def hang_up_all(ground: Ground) -> int:
    """Send SIGHUP to all processes at once."""
    ground.await_end(_signal_all(ground, signal.SIGHUP), (0, 143))
    ground.finish()
    return 1


def hang_up_all_under_nohup(ground: Ground) -> int:
    """Send SIGHUP to all processes at once, under nohup, with jobs that have no handler for it."""
    hpt, ground.command = ground.command, ["nohup", *ground.command]
    process = _signal_all(ground, signal.SIGHUP, saving=(0.0,))
    ground.command = hpt
    ground.succeed(process)
    return 1


def shut_down(ground: Ground) -> int:
    """Send SIGTERM to all, and SIGKILL to what is left soon after, as a short shutdown does."""
    process = _signal_all(ground, signal.SIGTERM)
    ground.pause(1.5)
    ground.kill_all(process)
    ground.finish()
    return 1


def tune_twice(ground: Ground) -> int:
    """Start three tuners at once, after killing a first with -9."""
    process = ground.run()
    while not ground.journal.exists():
        time.sleep(0.02)
    ground.pause()
    process.kill()
    process.wait()
    ground.resumes += 1
    rivals = [ground.start("resume", "t", "--plain") for _ in range(3)]
    codes = sorted(each.wait(PATIENCE) for each in rivals)
    losers = [text for text in ground.read_said()[-3:] if "is being tuned by process" in text]
    check(codes[0] == 0 and codes.count(1) == len(losers), f"exit codes {codes}")
    return 1


def reboot(ground: Ground) -> int:
    """Imitate a reboot: all processes are gone, and their pids belong to others."""
    ground.most_attempts = 2
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
            _give_pids_to(ground, innocent.pid)
        ground.finish()
        check(innocent.poll() is None, "somebody else's process was killed")
    finally:
        innocent.kill()
        innocent.wait()
    return 1


def _give_pids_to(ground: Ground, pid: int) -> None:
    """Record the pid and the start time of a process as those of every launcher."""
    with open(f"/proc/{pid}/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    identity = f"the-first-boot:{ticks}"
    for path in ground.directory.glob("jobs/*/a*/launcher"):
        path.write_text(f"{pid} {identity}")
    with contextlib.closing(sqlite3.connect(ground.journal)) as connection, connection:
        connection.execute(
            "UPDATE event SET body = json_set(body, '$.handle.pid', ?, '$.handle.identity', ?)"
            " WHERE type = 'JobLaunched'",
            (pid, identity),
        )


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
    ground.succeed(process)
    return tried


def leave_children(ground: Ground) -> int:
    """Let failed attempts leave processes without the environment, in sessions of their own."""
    word = f"left-by-{ground.root.name}-{os.getpid()}-{id(ground)}"
    ground.allow_retries(options={"leave": word})
    ground.most_attempts = 2
    ground.succeed(ground.run())
    left = [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if word in (process.info["cmdline"] or ())
    ]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    check(not left, f"{len(left)} processes were left behind")
    return JOBS


def be_first_process(ground: Ground) -> int:
    """Run hpt as PID 1, as in a container without an init: orphans are its to reap."""
    if os.geteuid() != 0 or shutil.which("unshare") is None:
        raise SkippedError("needs root and unshare")
    word = f"orphan-of-{ground.root.name}-{os.getpid()}-{id(ground)}"
    ground.allow_retries(options={"leave": word}, seconds=0.3)
    ground.most_attempts = 2
    hpt = ground.command
    ground.command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", *hpt]
    process = ground.run()
    most = 0
    while process.poll() is None:
        time.sleep(0.2)
        with contextlib.suppress(psutil.Error):
            for first in psutil.Process(process.pid).children():
                most = max(most, sum(_is_zombie(each) for each in first.children()))
    ground.command = hpt
    ground.succeed(process)
    check(most <= EPOCHS, f"{most} zombies at once")
    return 1


def _is_zombie(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.status() == psutil.STATUS_ZOMBIE
    return False
