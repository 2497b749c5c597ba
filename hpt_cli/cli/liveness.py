"""Making sure that nothing of a tuning job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from hpt_cli.cli.console import say
from hpt_cli.cli.load import read_state
from hpt_cli.errors import ExitCode, HptError, damaged_journal
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import find_lock_holder

if TYPE_CHECKING:
    from hpt_cli.tuning.state import TuningState


def check_at_rest(jobdir: JobDir) -> None:
    """Raise HptError if a tuner is at work on a tuning job, or training jobs of it live on."""
    hint = f"end it first: hpt stop {jobdir.name}"
    if find_lock_holder(jobdir) is not None:
        raise HptError.of("running", f"{jobdir.name} is being tuned", hint)
    alive = find_live_jobs(jobdir)
    if alive:
        numbers = ", ".join(map(str, alive))
        raise HptError.of("running", f"training jobs of {jobdir.name} still run: {numbers}", hint)


def find_live_jobs(jobdir: JobDir) -> list[int]:
    """The numbers of the training jobs that run, or wait for their turn.

    Raises:
        HptError: the journal is damaged, or cannot be read now.
    """
    from hpt_cli.executors import Pending, Running, load_executor

    state = read_state(jobdir)
    running = [job for job in state.running if job.attempt and job.attempt.handle]
    handles = [dict(job.attempt.handle or {}) for job in running if job.attempt]
    try:
        outcomes = load_executor(state.spec.get("executor", "local")).poll(handles)
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise damaged_journal(f"it does not say what runs: {error}") from error
    return [
        job.number
        for job, outcome in zip(running, outcomes, strict=True)
        if isinstance(outcome, (Pending, Running))
    ]


def is_at_work(jobdir: JobDir) -> bool:
    """Whether a tuner works on a tuning job; what it writes last, it writes before it leaves."""
    return find_lock_holder(jobdir) is not None


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
