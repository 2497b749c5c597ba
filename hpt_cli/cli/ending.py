"""What commands that wait for the end of a tuning job share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hpt_cli.cli.console import say
from hpt_cli.errors import ExitCode, HptError
from hpt_cli.storage.job_directory import JobDir

if TYPE_CHECKING:
    from hpt_cli.tuning.state import TuningState


def is_at_work(jobdir: JobDir) -> bool:
    """Whether a tuner works on a tuning job; what it writes last, it writes before it leaves."""
    return jobdir.find_holder() is not None


def tell_end(jobdir: JobDir, state: TuningState) -> None:
    """Say how a tuning job ended, and exit with 1 unless it is Completed.

    Raises:
        HptError: it has not ended, and nobody is at work on it.
    """
    if state.status in ("InProgress", "Stopping"):
        raise HptError.of(
            "no-tuner",
            f"no tuner is at work on {jobdir.name}",
            f"go on with 'hpt resume {jobdir.name}'",
        )
    say(f"{jobdir.name} is {state.status}: {state.reason}")
    if state.status != "Completed":
        raise typer.Exit(ExitCode.FAILED)
