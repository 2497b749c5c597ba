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
class Order:
    """What to launch: the arguments, the whole environment, and where."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    working_directory: Path
    directory: Path
    """The attempt's own directory; `output.log` in it takes stdout and stderr."""
    pty: bool = False
    """Whether the command finds a terminal where it prints."""


@dataclass(frozen=True)
class Running:
    """The attempt is alive."""


@dataclass(frozen=True)
class Exited:
    """The attempt ended; a negative exit code is a signal. Time in seconds since the epoch."""

    exit_code: int
    ended_at: float


@dataclass(frozen=True)
class Lost:
    """The attempt is gone and left no exit code."""

    why: str


Outcome: TypeAlias = Running | Exited | Lost


class Executor(Protocol):
    """One place where training jobs can run."""

    def launch(self, order: Order) -> Handle:
        """Start an attempt. A second launch into the same directory starts nothing.

        Raises:
            OSError: the attempt could not be started.
        """
        ...

    def find(self, directory: Path) -> Handle | None:
        """The attempt that was launched into a directory, dead or alive."""
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


EXECUTORS: dict[str, str] = {
    "local": "local",
}
"""Each executor's module, which has a function `make_executor`; imported on use."""


def load_executor(name: str) -> Executor:
    """A new executor of this name.

    Raises:
        KeyError: there is none.
    """
    return cast(Executor, import_module(f"{__name__}.{EXECUTORS[name]}").make_executor())
