"""What a launcher wrote down in an attempt's directory, in files whose format is its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from hpt_cli import clock
from hpt_cli.executors import launcher
from hpt_cli.files import read_regular


@dataclass(frozen=True)
class Claim:
    """A launcher took the directory. Time in seconds since the epoch."""

    pid: int
    identity: str
    at: float
    slurm_job: int | None = None
    """The Slurm job that it ran in, if it did."""
    restarts: int = 0
    """How often Slurm had started that job before."""

    @property
    def is_of_this_boot(self) -> bool:
        """Whether the machine is this one, and is still up since then."""
        boot, colon, _ = self.identity.partition(":")
        return bool(boot and colon) and boot == launcher.BOOT_ID


@dataclass(frozen=True)
class Exit:
    """The command ended; a negative exit code is a signal. Time in seconds since the epoch."""

    exit_code: int
    ended_at: float
    was_signalled: bool
    """Whether the launcher was asked to end before that."""


def read_claim(directory: Path) -> Claim | None:
    """Who took a directory; None if nobody did yet.

    Raises:
        OSError: nobody can tell.
    """
    path = directory / launcher.CLAIM
    try:
        pid, identity, *slurm = read_regular(path).split(" ")
        job, restarts = (int(slurm[0]), int(slurm[1])) if slurm else (None, 0)
        return Claim(int(pid), identity, path.stat().st_mtime, job, restarts)
    except (FileNotFoundError, ValueError):
        return None


def read_exit(directory: Path, *, this_boot: bool) -> Exit | None:
    """How an attempt ended; when, on the tuner's clock if the machine is still up since then."""
    try:
        code, ended_at, *more = read_regular(directory / launcher.EXIT).split()
        at = clock.at_ticks(float(more[0])) if more and this_boot else float(ended_at)
        return Exit(int(code), at, was_signalled=launcher.SIGNALLED in more)
    except (
        FileNotFoundError,
        ValueError,
        OverflowError,
    ):  # not there, or cut short by a power failure
        return None
