"""Whether tuners and training jobs are alive, and what a tuner has done."""

from __future__ import annotations

import time
from collections.abc import Callable

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import read_state
from hpt_cli.errors import ExitCode, HptError, damaged_journal
from hpt_cli.executors import Executor, Handle, Pending, Running, TemporaryError, load_executor
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import has_tuner
from hpt_cli.tuning.state import TrainingJob, TuningState

ANSWER_SECONDS = 30.0
"""How long a tuner may take to answer, besides the grace period of the jobs that it stops."""


def check_at_rest(jobdir: JobDir) -> None:
    """Raise HptError if a tuner is at work on a tuning job, or training jobs of it are alive."""
    hint = f"stop it first: hpt stop {jobdir.name}"
    if has_tuner(jobdir):
        raise HptError.of("running", f"{jobdir.name} is being tuned", hint)
    alive = find_live_jobs(jobdir)
    if alive:
        numbers = ", ".join(map(str, alive))
        raise HptError.of("running", f"{jobdir.name}: training jobs still running: {numbers}", hint)


def find_live_jobs(jobdir: JobDir) -> list[int]:
    """Return the numbers of the training jobs that run, or wait for their turn.

    Raises:
        HptError: the journal is damaged, or cannot be read now; or the scheduler does not answer.
    """
    state = read_state(jobdir)
    try:
        executor = load_executor(state.spec.get("executor", "local"))
        handles = {job.number: _find_handle(executor, jobdir, job) for job in state.running}
        found = {number: handle for number, handle in handles.items() if handle is not None}
        outcomes = executor.poll([*found.values()])
    except TemporaryError as error:
        raise HptError.of("running", f"{jobdir.name} may still be running: {error}") from error
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        raise damaged_journal(f"it does not say what is running: {error}") from error
    return [
        number
        for number, outcome in zip(found, outcomes, strict=True)
        if isinstance(outcome, (Pending, Running))
    ]


def _find_handle(executor: Executor, jobdir: JobDir, job: TrainingJob) -> Handle | None:
    """Return the latest attempt, also where a killed tuner has not recorded its launch."""
    if job.attempt is not None and job.attempt.handle is not None:
        return dict(job.attempt.handle)
    return executor.find(jobdir.attempt(job.number, len(job.attempts)).path)


def wait_for_answer(jobdir: JobDir, is_done: Callable[[], bool]) -> None:
    """Wait until a tuner has done what it was asked to do.

    Raises:
        HptError: it takes longer than stopping a training job may take.
    """
    patience = ANSWER_SECONDS + float(read_state(jobdir).spec.get("stop_grace_seconds", 0))
    deadline = time.monotonic() + patience
    while not is_done():
        if time.monotonic() > deadline:
            raise HptError.of("no-answer", f"{jobdir.name} has not answered for {patience:.0f} s")
        time.sleep(0.1)


def print_end(jobdir: JobDir, state: TuningState) -> None:
    """Print how a tuning job ended, and exit with 1 unless it is Completed.

    Raises:
        HptError: it has not ended, and no tuner is running for it.
    """
    if state.status in ("InProgress", "Stopping"):
        raise HptError.of(
            "no-tuner",
            f"no tuner is running for {jobdir.name}",
            f"continue with 'hpt resume {jobdir.name}'",
        )
    print_message(f"{jobdir.name} is {state.status}: {state.reason}")
    if state.status != "Completed":
        raise typer.Exit(ExitCode.FAILED)
