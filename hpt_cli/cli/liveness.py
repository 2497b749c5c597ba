"""Whether tuners and training jobs are alive, and what a tuner has done."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import typer

from hpt_cli.cli.console import print_message
from hpt_cli.cli.load import (
    describe_continuing,
    find_suspended_tuner,
    has_more,
    read_state,
)
from hpt_cli.errors import ExitCode, HptError, damaged_journal
from hpt_cli.executors import (
    Executor,
    Handle,
    Outcome,
    Pending,
    Running,
    Swept,
    TemporaryError,
    load_executor,
    place,
)
from hpt_cli.executors.processes import describe, find_below, may_signal
from hpt_cli.executors.whereabouts import SILENT_SECONDS
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import has_tuner
from hpt_cli.tuning.jobs.training_job import TrainingJob
from hpt_cli.tuning.state import TuningState
from hpt_cli.tuning.summary import describe_more

LOOK_SECONDS = 0.2
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


def check_left_nothing(jobdir: JobDir) -> None:
    """Raise HptError if training jobs of a tuning job have left processes running."""
    left = [each for each in find_below(jobdir.path) if may_signal(each)]
    if left:
        raise HptError.of(
            "running",
            f"{jobdir.name}: training jobs left running: {', '.join(map(describe, left))}",
            f"end them first: hpt stop {jobdir.name}",
        )


def find_live_jobs(jobdir: JobDir) -> list[int]:
    """Return the numbers of the training jobs that run, or wait for their turn.

    Raises:
        HptError: the journal is damaged, or cannot be read now; or the scheduler does not answer.
    """
    state = read_state(jobdir)
    executor = load_executor(state.spec.get("executor", "local"))
    outcomes = _poll_running(executor, jobdir, state)
    return [number for number, each in outcomes.items() if isinstance(each, (Pending, Running))]


def refuse_jobs_elsewhere(jobdir: JobDir, state: TuningState) -> None:
    """Raise HptError if training jobs run on another machine, where they cannot be taken over.

    It takes some seconds where they were alive a moment ago.
    """
    executor = load_executor(state.spec.get("executor", "local"))
    if not executor.attempts_are_children:
        return  # a cluster is the same from every machine
    has_said = False
    while elsewhere := _list_elsewhere(_poll_running(executor, jobdir, state)):
        numbers = ", ".join(map(str, elsewhere))
        hosts = ", ".join(sorted({each.host for each in elsewhere.values()}))
        if any(each.is_certain for each in elsewhere.values()):
            raise HptError.of(
                "running-elsewhere",
                f"training jobs of {jobdir.name} are still running on {hosts}: {numbers}",
                f"wait until they have ended, or stop them there (hpt stop {jobdir.name});"
                f" if it is gone, they count as lost {SILENT_SECONDS:.0f} s after its last sign of"
                " life",
            )
        if not has_said:
            print_message(f"looking whether training jobs still run on {hosts}: {numbers}")
            has_said = True
        time.sleep(LOOK_SECONDS)


def _list_elsewhere(outcomes: Mapping[int, Outcome]) -> dict[int, Running]:
    return {
        number: each for number, each in outcomes.items() if isinstance(each, Running) and each.host
    }


def _poll_running(executor: Executor, jobdir: JobDir, state: TuningState) -> dict[int, Outcome]:
    """Return the outcomes of the attempts that may be alive, by the number of their job."""
    try:
        handles = {job.number: _find_handle(executor, jobdir, job) for job in state.alive}
        found = {number: handle for number, handle in handles.items() if handle is not None}
        return dict(zip(found, executor.poll([*found.values()]), strict=True))
    except TemporaryError as error:
        raise HptError.of("running", f"{jobdir.name} may still be running: {error}") from error
    except (AttributeError, LookupError, TypeError, ValueError, OverflowError) as error:
        why = f"it does not say what is running: {error}"
        raise damaged_journal(why, jobdir.journal) from error


def _find_handle(executor: Executor, jobdir: JobDir, job: TrainingJob) -> Handle | None:
    """Return the latest attempt, also where a killed tuner has not recorded its launch."""
    directory = jobdir.attempt(job.number, len(job.attempts)).path.resolve()
    if job.attempt is not None and job.attempt.handle is not None:
        return place(job.attempt.handle, directory)
    return executor.find(directory)


def wait_for_answer(jobdir: JobDir, is_done: Callable[[], bool]) -> None:
    """Wait until a tuner has done what it was asked to do.

    Raises:
        HptError: it is suspended, or it takes longer than stopping a training job may take.
    """
    patience = ANSWER_SECONDS + float(read_state(jobdir).spec.get("stop_grace_seconds", 0))
    deadline = time.monotonic() + patience
    while not is_done():
        if time.monotonic() > deadline:
            raise HptError.of("no-answer", f"{jobdir.name} has not answered for {patience:.0f} s")
        _check_awake(jobdir)
        time.sleep(0.1)


def _check_awake(jobdir: JobDir) -> None:
    """Raise HptError if the tuner is suspended, as by Ctrl-Z: it answers when it is continued."""
    pid = find_suspended_tuner(jobdir)
    if pid is not None:
        raise HptError.of(
            "tuner-suspended",
            f"{jobdir.name}: its tuner, process {pid}, is suspended (Ctrl-Z, SIGSTOP)",
            f"continue it {describe_continuing(pid)}: then it does so",
        )


def print_ended(swept: Swept) -> None:
    """Print which processes were ended.

    Raises:
        HptError: some may not be ended by this user.
    """
    if swept.ended:
        print_message(f"ended what was left running: {', '.join(swept.ended)}")
    if swept.refused:
        raise HptError.of(
            "not-ended",
            f"left running, and may not be ended by this user: {', '.join(swept.refused)}",
            "ask the user that they belong to, or kill them as root",
        )


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
    more = f"; {describe_more(jobdir.name)}" if has_more(state) else ""
    print_message(f"{jobdir.name} is {state.status}: {state.reason}{more}")
    if state.status != "Completed":
        raise typer.Exit(ExitCode.FAILED)
