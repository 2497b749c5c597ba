"""Executors: where training jobs run.

An executor launches an attempt, finds it again by the directory it was launched in, says how
attempts are doing, and ends them. It decides nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeAlias, cast

Handle: TypeAlias = Mapping[str, Any]
"""An executor's JSON-able name for an attempt, good enough to find it after a restart."""


@dataclass(frozen=True)
class LaunchRequest:
    """What to launch: the arguments, the whole environment, and where."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    working_directory: Path
    directory: Path
    """The attempt's own directory; `output.log` in it takes stdout and stderr."""
    pty: bool = False
    """Whether the command finds a terminal where it prints."""
    cpus: int | None = None
    """How many cores it needs; None where the spec does not say."""
    gpus: float | None = None
    """How many GPUs; less than 1 is a part of one."""
    memory_gb: float | None = None
    """How much memory, in GiB."""
    cores: Sequence[int] = ()
    """The cores of this machine that it is held to; none: any."""


@dataclass(frozen=True)
class Pending:
    """The attempt waits for its turn, and why, in the words of whoever makes it wait."""

    reason: str = ""


@dataclass(frozen=True)
class Running:
    """The attempt is alive; since when, where it may have waited. Seconds since the epoch."""

    since: float | None = None


@dataclass(frozen=True)
class Exited:
    """The attempt ended; a negative exit code is a signal. Times in seconds since the epoch."""

    exit_code: int
    ended_at: float
    why: str = ""
    """Who ended it and why, if not the command itself: then it failed, whatever its exit code."""
    since: float | None = None


@dataclass(frozen=True)
class Lost:
    """The attempt is gone and left no exit code."""

    why: str
    evicted: bool = False
    """Whether its place was taken away, which says nothing about the job."""


Outcome: TypeAlias = Pending | Running | Exited | Lost


class NotNowError(Exception):
    """An attempt cannot be launched, or looked for, at the moment; later it can."""


class Executor(Protocol):
    """One place where training jobs can run."""

    poll_seconds: float
    """How often it is worth looking at attempts and their logs."""
    attempts_are_children: bool
    """Whether the end of an attempt is the end of a child of this process, which is told of it."""

    def launch(self, request: LaunchRequest) -> Handle:
        """Start an attempt. A second launch into the same directory starts nothing.

        Raises:
            OSError: the attempt could not be started.
            NotNowError: it is not known whether it was started: `find` it before the next launch.
            HptError: no attempt would ever be started.
        """
        ...

    def find(self, directory: Path) -> Handle | None:
        """The attempt that was launched into a directory, dead or alive.

        Raises:
            NotNowError: that cannot be found out.
        """
        ...

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        """How each attempt is doing."""
        ...

    def stop(self, handle: Handle, *, force: bool) -> None:
        """Ask an attempt to end, or (force) end it. One that has ended is left alone."""
        ...

    def sweep(self, handle: Handle, grace: float) -> list[str]:
        """End what an attempt that is over left behind, after `grace` seconds.

        Returns:
            What had to be killed, in words.
        """
        ...

    def pop_notes(self) -> list[str]:
        """What there is to say of the place itself, rather than of an attempt, since last time."""
        ...


EXECUTORS: dict[str, str] = {
    "local": "local",
    "slurm": "slurm",
}
"""Each executor's module, which has a function `make_executor`; imported on use."""


def load_executor(name: str, settings: Any = None) -> Executor:
    """A new executor of this name, with the settings that a spec may have for it.

    Raises:
        KeyError: there is none.
    """
    module = import_module(f"{__name__}.{EXECUTORS[name]}")
    return cast(Executor, module.make_executor(settings))
