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
    from hpt_cli.executors import Executor, Handle
    from hpt_cli.tuning.state import TrainingJob, TuningState


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
    """Return the numbers of the training jobs that run, or wait for their turn.

    Raises:
        HptError: the journal is damaged, or cannot be read now; or the scheduler does not answer.
    """
    from hpt_cli.executors import Pending, Running, TemporaryError, load_executor

    state = read_state(jobdir)
    try:
        executor = load_executor(state.spec.get("executor", "local"))
        handles = {job.number: _find_handle(executor, jobdir, job) for job in state.running}
        found = {number: handle for number, handle in handles.items() if handle is not None}
        outcomes = executor.poll([*found.values()])
    except TemporaryError as error:
        raise HptError.of("running", f"{jobdir.name} may still run: {error}") from error
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        raise damaged_journal(f"it does not say what runs: {error}") from error
    return [
        number
        for number, outcome in zip(found, outcomes, strict=True)
        if isinstance(outcome, (Pending, Running))
    ]


def _find_handle(executor: Executor, jobdir: JobDir, job: TrainingJob) -> Handle | None:
    """Return the latest attempt; a tuner that was killed may not have recorded its launch."""
    if job.attempt is not None and job.attempt.handle is not None:
        return dict(job.attempt.handle)
    return executor.find(jobdir.attempt(job.number, len(job.attempts)).path)


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
