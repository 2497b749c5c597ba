"""The files of an attempt: writes what it is to find, reads what its launcher writes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hpt_cli import clock
from hpt_cli.executors import LaunchRequest, launcher
from hpt_cli.files import read_regular
from hpt_cli.logs.log_file import read_tail
from hpt_cli.tuning.events import check_moment

MACHINE = ("host", "namespace")
"""What a launcher writes down of where its pid is valid."""


@dataclass(frozen=True)
class Claim:
    """The launcher that took an attempt's directory; `at` in seconds since the epoch."""

    pid: int
    identity: str
    at: float
    slurm_job: int | None = None
    """The Slurm job that it runs in, if any."""
    restarts: int = 0
    """Number of times Slurm had started that job before."""
    machine: Mapping[str, str] = field(default_factory=dict)
    """Where the pid is valid; empty for a launcher of an older hpt."""


@dataclass(frozen=True)
class Exit:
    """The end of a command; a negative exit code is a signal. Time in seconds since the epoch."""

    exit_code: int
    ended_at: float
    was_signalled: bool
    """Whether the launcher had been asked to end by then."""
    adopted: bool = True
    """Whether what it left running are children of the launcher, which then waits for them."""


def prepare(request: LaunchRequest) -> None:
    """Make an attempt's directory, and write the files that it is to find.

    Raises:
        OSError: some of it cannot be written.
    """
    request.directory.mkdir(parents=True, exist_ok=True)
    for path, text in request.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        launcher.write_whole(str(path), text)


def read_claim(directory: Path) -> Claim | None:
    """Return the launcher that took a directory; None if none has yet.

    Raises:
        OSError: the file is there but cannot be read.
    """
    path = directory / launcher.CLAIM
    try:
        pid, identity, *words = read_regular(path).split(" ")
        slurm = [int(word) for word in words if "=" not in word]
        job, restarts = (slurm[0], slurm[1]) if slurm else (None, 0)
        named = {name: value for name, _, value in (word.partition("=") for word in words)}
        machine: dict[str, str] = {each: named[each] for each in MACHINE if each in named}
        return Claim(int(pid), identity, path.stat().st_mtime, job, restarts, machine)
    except (FileNotFoundError, ValueError, IndexError):
        return None  # or it is being written


def is_of_this_boot(identity: str) -> bool:
    """Return whether a process was started on this machine since its last boot."""
    boot, colon, _ = identity.partition(":")
    return bool(boot and colon) and boot == launcher.BOOT_ID


def read_exit(directory: Path, *, this_boot: bool) -> Exit | None:
    """Return how an attempt's command ended; None if it has not, or its file is damaged.

    With `this_boot` the time is on the tuner's clock, which cannot be set.
    """
    try:
        code, ended_at, *more = read_regular(directory / launcher.EXIT).split()
        at = clock.at_ticks(float(more[0])) if more and this_boot else float(ended_at)
        words = [launcher.SIGNALLED in more, launcher.UNADOPTED not in more]
        return Exit(int(code), at, *words)
    except (FileNotFoundError, ValueError, OverflowError):  # or cut short by a power failure
        return None


def read_failure(directory: Path) -> str:
    """Return why a launcher ended without an exit code, as it wrote into the log; empty without."""
    last = "".join(read_tail(directory / launcher.LOG, 1))
    return last.removeprefix(launcher.FAILED).strip() if last.startswith(launcher.FAILED) else ""


def measure_suspensions(directory: Path) -> int:
    """Return the size of the file of an attempt's suspensions; 0 where there is none."""
    try:
        return os.stat(directory / launcher.SUSPENDED).st_size
    except OSError:
        return 0


def read_suspensions(directory: Path) -> list[tuple[float, float]]:
    """Return from when to when an attempt stood still, by its launcher; in seconds since the epoch.

    If that cannot be read now, it is empty.
    """
    try:
        claim = read_claim(directory)
        lines = read_regular(directory / launcher.SUSPENDED).splitlines()
    except (OSError, ValueError):
        return []
    this_boot = claim is not None and is_of_this_boot(claim.identity)
    return [each for line in lines if (each := _read_span(line, this_boot=this_boot))]


def _read_span(line: str, *, this_boot: bool) -> tuple[float, float] | None:
    try:
        since, until, at = map(float, line.split())
        # The ticks of another machine are known only by the time of day at the end.
        began = clock.at_ticks(0.0) if this_boot else at - until
        return check_moment(began + since), check_moment(began + until)
    except ValueError:  # cut short by a power failure
        return None
