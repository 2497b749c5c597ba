"""Where training jobs run: the Executor protocol, the dict of executors, and the values they share.

An executor launches an attempt, finds it again by its directory, reports how attempts are doing,
and ends them. It decides nothing and records nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeAlias

Handle: TypeAlias = Mapping[str, Any]
"""Names an attempt of an executor; can be written as JSON, and finds it after a restart."""


LAUNCHED_IN = "launched_in"


def place(handle: Handle, directory: Path) -> Handle:
    """Return the handle of an attempt whose files are in a directory.

    They may have been moved there since it was launched, or copied: then it is another's attempt.
    """
    recorded = handle.get("directory")
    if recorded in (None, str(directory)):
        return handle
    return {LAUNCHED_IN: recorded, **handle, "directory": str(directory)}


@dataclass(frozen=True)
class LaunchRequest:
    """An attempt to launch: its arguments, its whole environment, its directories and resources."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    working_directory: Path
    directory: Path
    """The attempt's own directory; `output.log` in it takes stdout and stderr."""
    pty: bool = False
    """Whether the command prints to a pseudo-terminal."""
    cpus: int | None = None
    """Number of cores it needs; None where the spec does not say."""
    gpus: float | None = None
    """Number of GPUs; less than 1 is a part of one."""
    memory_gb: float | None = None
    """In GiB."""
    cores: Sequence[int] = ()
    """The cores of this machine that it is pinned to; empty: any."""
    inherits_claim: bool = True
    """Whether it holds its part of the machine itself, with all that it starts."""
    claim: int | None = None
    """The descriptor to inherit for that."""
    grace: float = 0.0
    """Seconds that what a command which succeeded left running may take to end by itself, where
    nobody but the launcher can see to that."""
    files: Mapping[Path, str] = field(default_factory=dict)
    """Files that it finds when it starts, and their texts."""


@dataclass(frozen=True)
class Pending:
    """The attempt waits in a queue; `reason` is the scheduler's."""

    reason: str = ""


@dataclass(frozen=True)
class Running:
    """The attempt is alive; `since` (in seconds since the epoch) if it may have been queued."""

    since: float | None = None
    is_suspended: bool = False
    """Whether it stands still: it was stopped by a signal, or frozen."""
    host: str = ""
    """The other machine that it runs on, where nothing can be done to it from here."""
    is_certain: bool = True
    """Whether it has shown that it is alive; otherwise it has shown so a moment ago."""


@dataclass(frozen=True)
class Exited:
    """The attempt ended; a negative exit code is a signal. Times are seconds since the epoch."""

    exit_code: int
    ended_at: float
    why: str = ""
    """Who ended it and why, if not the command itself; then it failed, whatever its exit code."""
    since: float | None = None
    has_left: bool = False
    """Whether it may have left processes running."""
    was_asked: bool = False
    """Whether it had been asked to end by then."""


@dataclass(frozen=True)
class Lost:
    """The attempt disappeared without an exit code."""

    why: str
    evicted: bool = False
    """Whether its resources were taken away, so that the job itself is not at fault."""


Outcome: TypeAlias = Pending | Running | Exited | Lost


@dataclass(frozen=True)
class Swept:
    """What became of processes that were left running: a description of each."""

    ended: Sequence[str] = ()
    refused: Sequence[str] = ()
    """Those that this user may not signal."""


class TemporaryError(Exception):
    """Raised when a scheduler cannot launch or find an attempt now, but may do so later."""


class Executor(Protocol):
    """A system that runs training jobs."""

    poll_seconds: float
    """Time between looks at attempts and their logs."""
    attempts_are_children: bool
    """Whether attempts are children of this process, so that SIGCHLD announces their end."""

    def launch(self, request: LaunchRequest) -> Handle:
        """Start an attempt. A second launch into the same directory starts nothing.

        Raises:
            OSError: the attempt could not be started.
            TemporaryError: it may or may not have been started; `find` it before launching again.
            HptError: no attempt can ever be started.
        """
        ...

    def find(self, directory: Path) -> Handle | None:
        """Return the attempt launched into a directory, dead or alive; None if there is none.

        Raises:
            TemporaryError: the scheduler does not answer.
        """
        ...

    def poll(self, handles: Sequence[Handle]) -> list[Outcome]:
        """Return the outcome of each attempt, in order."""
        ...

    def stop(self, handle: Handle, *, force: bool) -> None:
        """Ask an attempt to end, or kill it (`force`). One that has ended is left alone."""
        ...

    def pause(self, handle: Handle) -> None:
        """Have an attempt stand still where it is; one that does already, or has ended, stays so.

        Raises:
            NotImplementedError: this executor has no place for one that stands still; the spec
                refuses it.
        """
        ...

    def thaw(self, handle: Handle) -> None:
        """Let a paused attempt go on; one that runs already, or has ended, is left alone."""
        ...

    def measure_memory(self, handles: Sequence[Handle]) -> list[float]:
        """Return how many bytes of memory the processes of each attempt use; 0 if it has ended.

        Raises:
            NotImplementedError: it cannot pause any.
            OSError: there are no file descriptors left.
        """
        ...

    def list_leftovers(self, handle: Handle) -> list[str]:
        """Return a description of each process that an attempt which has ended left running."""
        ...

    def sweep(self, handle: Handle, grace: float) -> Swept:
        """End what an attempt left running for more than `grace` seconds after its end."""
        ...

    def pop_notes(self) -> list[str]:
        """Return messages about the executor itself since the last call."""
        ...


EXECUTORS = {"local": "local", "slurm": "slurm"}
"""Name to module, which has a function `make_executor`; imported on use."""


def load_executor(name: str, settings: Any = None) -> Executor:
    """Return a new executor of this name, with the settings that a spec has for it.

    Raises:
        KeyError: no executor has this name.
    """
    executor: Executor = import_module(f"{__name__}.{EXECUTORS[name]}").make_executor(settings)
    return executor
