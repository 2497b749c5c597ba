"""Faults of the home: full, read-only, slow, gone, locked, cut by loss of power, copied, shared."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator

import psutil
from ground import (
    PARALLEL,
    PATIENCE,
    Ground,
    check,
    find_processes,
    load_shim,
    mount,
    wait_until,
)
from power_loss import apply_changes, count_events, count_synced, drop_unsynced, read_trace

CALLS = ("link", "flock", "rename")
"""Calls that some file systems do not have: exFAT, CIFS, s3fs, Lustre without flock."""


def lose_power(ground: Ground) -> int:
    """Cut the journal at every write, in the middle of writes, and lose unsynced writes."""
    ground.most_attempts = 2
    trace = ground.root / "trace"
    load_shim(ground, FAULT_TRACE=str(trace))
    ground.succeed(ground.run())
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
            events = count_events(apply_changes([*changes[:cut], half], scratch))
            check(events >= least, "mid-write")
            tried += 1
        torn = [*drop_unsynced(changes[:cut], ground.rng)]
        events = count_events(apply_changes(torn, scratch))
        check(events >= count_synced(changes[:cut], scratch), "torn")
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
    """Fill the disk of the home for some seconds, twice: the tuner goes on by itself."""
    ground.allow_retries(seconds=0.4)
    with mount(ground, "size=3m"):
        process = ground.run()
        for _ in range(2):
            ground.await_jobs(1)
            ground.pause()
            ballast = ground.home / "ballast"
            with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
                while file.write(b"\0" * 4096):
                    pass
            ground.pause(3.0)
            ballast.unlink()
            ground.pause(0.5)
        ground.succeed(process)
        ground.verify()
    return 2


def forbid_writing(ground: Ground) -> int:
    """Make the home read-only, and then writable again."""
    ground.most_attempts = 2
    with mount(ground, "size=8m"):
        process = ground.run()
        ground.await_moment(process)
        ground.kill_all(process)
        subprocess.run(["mount", "-o", "remount,ro", str(ground.home)], check=True)
        code = ground.go_on().wait(PATIENCE)
        check(code == 1, f"exit code {code} on a read-only home")
        check("error[" in ground.last_said(), ground.last_said())
        if ground.journal.exists():
            shown = ground.start("show", "t").wait(PATIENCE)
            check(shown in (0, 1), f"show: exit code {shown}")
        subprocess.run(["mount", "-o", "remount,rw", str(ground.home)], check=True)
        ground.finish()
        ground.verify()
    return 1


def slow_down(ground: Ground) -> int:
    """Put the home on a slow file system, and kill the tuner with -9."""
    load_shim(ground, FAULT_SLOW="25", FAULT_HOME=str(ground.home))
    process = ground.run()
    ground.await_moment(process)
    process.kill()
    process.wait()
    ground.finish()
    return 1


def refuse_call(ground: Ground) -> int:
    """Put the home where there is no link(2) or flock(2); or refuse rename(2) for a while."""
    call = ground.rng.choice(CALLS)
    refused = ground.root / "refused"
    refused.write_text("" if call == "rename" else call)
    if call == "rename":
        ground.allow_retries(seconds=0.3)  # the training program cannot rename then either
    else:
        ground.write_spec(seconds=0.3)
    load_shim(ground, FAULT_REFUSE=str(refused))
    process = ground.run()
    if call == "rename":
        ground.await_jobs(1)
        refused.write_text(call)
        ground.pause(2.0)
        refused.write_text("")
    ground.succeed(process)
    return 1


def lock_journal(ground: Ground) -> int:
    """Hold a transaction on the journal for some seconds, as a browser for SQLite does."""
    ground.write_spec(seconds=0.4)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, ground.jobs))
    kind = ground.rng.choice(("IMMEDIATE", "EXCLUSIVE"))
    with _holding(ground, kind):
        ground.pause(6.0)
    ground.succeed(process)
    return 1


def lock_journal_and_interrupt(ground: Ground) -> int:
    """Press Ctrl-C while another program holds a transaction: the jobs are stopped all the same."""
    ground.most_attempts = 2
    ground.write_spec(seconds=0.4, options={"save": 1.0}, stop_grace_seconds=20)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, PARALLEL + 1))
    with _holding(ground, "IMMEDIATE"):
        ground.pause(1.0)
        process.send_signal(signal.SIGINT)
        wait_until(lambda: not ground.find_processes(), "the end of the jobs", 15)
        ground.pause(1.0)
    ground.await_end(process)
    ground.finish()
    return 1


@contextlib.contextmanager
def _holding(ground: Ground, kind: str) -> Iterator[None]:
    with contextlib.closing(
        sqlite3.connect(ground.journal, isolation_level=None, timeout=30)
    ) as connection:
        connection.execute(f"BEGIN {kind}")
        yield
        connection.execute("ROLLBACK")


def delete_home(ground: Ground) -> int:
    """Delete the home under the tuner: its jobs are stopped, and it says what has happened."""
    ground.write_spec(seconds=1.0, options={"save": 1.0}, stop_grace_seconds=20)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, PARALLEL + 1))
    ground.pause()
    _remove(ground)
    ground.await_end(process, (1,))
    said = ground.last_said()
    check("error[" in said and str(ground.home) in said, said)
    check("make room" not in said and "has a bug" not in said, said)
    _remove(ground)
    ground.is_verified = True
    return 1


def _remove(ground: Ground) -> None:
    while ground.home.exists():  # who still writes there makes it anew
        shutil.rmtree(ground.home, ignore_errors=True)


def move_home(ground: Ground) -> int:
    """Move the home away for some seconds, as an automounter does; jobs may fail to save then."""
    ground.allow_retries(seconds=0.4)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, ground.jobs))
    away = ground.root / "away"
    ground.home.rename(away)
    ground.pause(4.0)
    if ground.home.exists():
        shutil.rmtree(ground.home)
    away.rename(ground.home)
    ground.await_end(process)
    ground.finish()
    return 1


def copy_home(ground: Ground) -> int:
    """Copy the home under the tuner, and resume the copy: the original notices nothing."""
    ground.write_spec(seconds=0.6)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, ground.jobs))
    ground.pause()
    copy = ground.root / "copy"
    subprocess.run(["cp", "-r", str(ground.home), str(copy)], check=True)
    other = ground.start("resume", "t", "--plain", home=copy)
    with contextlib.suppress(subprocess.TimeoutExpired):
        other.wait(ground.rng.uniform(1.0, 4.0))
    other.send_signal(signal.SIGINT)
    other.wait(PATIENCE)
    left = find_processes(copy)
    for each in left:
        with contextlib.suppress(psutil.Error):
            each.kill()
    ground.succeed(process)
    check(not left, f"{len(left)} processes of the copy")
    return 1


def resume_elsewhere(ground: Ground) -> int:
    """Kill the tuner with -9, and resume on another host while the first one's jobs live."""
    ground.most_attempts = 2
    ground.write_spec(seconds=1.0)
    process = ground.run()
    ground.await_jobs()
    process.kill()
    process.wait()
    own = dict(ground.environment)
    boot = ground.root / "boot"
    boot.write_text("boot-of-another-host\n")
    load_shim(ground, FAULT_HOST="another-host", FAULT_BOOT=str(boot))
    other = ground.go_on()
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline and other.poll() is None:
        _check_no_double(ground)
        time.sleep(0.1)
    other.send_signal(signal.SIGINT)
    other.wait(PATIENCE)
    ground.environment = own
    ground.finish()
    return 1


def remove_lock(ground: Ground) -> int:
    """Remove the lock under a tuner, as stale, and resume: one of the two gives way."""
    ground.most_attempts = 2
    ground.write_spec(seconds=0.6)
    process = ground.run()
    ground.await_jobs(ground.rng.randrange(1, PARALLEL + 1))
    (ground.directory / "lock").unlink()
    second = ground.start("resume", "t", "--plain")
    while process.poll() is None or second.poll() is None:
        _check_no_double(ground)
        time.sleep(0.1)
    codes = sorted((process.returncode, second.returncode))
    is_over = "is Completed" in ground.last_said()
    check(codes == [0, 0 if is_over else 1], f"exit codes {codes}")
    return 1


def _check_no_double(ground: Ground) -> None:
    """Raise AssertionError if two attempts of one training job are at work at once."""
    found: dict[str, set[str]] = {}
    for each in ground.find_processes("leader"):
        with contextlib.suppress(psutil.Error, KeyError):
            environment = each.environ()
            found.setdefault(environment["HPT_JOB_DIR"], set()).add(environment["HPT_ATTEMPT"])
    twice = {job: attempts for job, attempts in found.items() if len(attempts) > 1}
    check(not twice, f"two attempts at once: {twice}")
