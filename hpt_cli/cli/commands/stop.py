"""hpt stop NAME [JOB...]: end a tuning job, or some of its training jobs."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from hpt_cli.cli.completion import complete_job
from hpt_cli.cli.console import confirm, print_message
from hpt_cli.cli.liveness import print_ended, refuse_jobs_elsewhere, wait_for_answer
from hpt_cli.cli.load import Target, find_target, parse_jobs, read_state
from hpt_cli.cli.options import Home, OptionalName
from hpt_cli.errors import HptError, UsageError
from hpt_cli.executors.processes import end_processes, find_below
from hpt_cli.spec.names import job_name
from hpt_cli.storage.home import name_command
from hpt_cli.storage.job_directory import JobDir
from hpt_cli.storage.lock import has_tuner, hold_lock
from hpt_cli.storage.mailbox import send_request

EXAMPLES = (
    "hpt stop digits",
    "hpt stop digits 7 12",
)


def stop(
    name: OptionalName = None,
    jobs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Stop only these training jobs: 7, or NAME-0007.", autocompletion=complete_job
        ),
    ] = None,
    home: Home = None,
) -> None:
    """Stop a tuning job, or only some of its training jobs.

    Without a name it asks whether to stop the newest. Stopped training jobs keep their last value,
    and 'hpt resume' can continue with the rest. What training jobs that have ended left running is
    ended, too.
    """
    target = find_target(home, name, jobs or [])
    jobdir = target.jobdir
    numbers = parse_jobs(target.jobs, jobdir.name, read_state(jobdir).jobs)
    if target.is_implied and not _ask(target):
        return
    if numbers:
        _stop_training_jobs(jobdir, numbers)
    else:
        _stop_tuning_job(jobdir)


def _ask(target: Target) -> bool:
    """Return whether the user wants to stop what no name was given of."""
    words = " ".join([target.jobdir.name, *target.jobs])
    if not sys.stdin.isatty():
        message = "hpt stop asks before it stops a tuning job that is not named"
        raise UsageError.of("name-missing", message, f"hpt stop {words}")
    return confirm(f"stop {words}?")


def _stop_training_jobs(jobdir: JobDir, numbers: Sequence[int]) -> None:
    before = read_state(jobdir).jobs
    open_ = [number for number in numbers if not before[number].has_ended]
    for number in numbers:
        if number not in open_:
            print_message(f"{job_name(jobdir.name, number)} is already {before[number].status}")
            _end_left(jobdir, jobdir.training_job(number))
    if not open_:
        return
    if not has_tuner(jobdir):
        raise HptError.of(
            "no-tuner",
            f"no tuner is running for {jobdir.name}",
            f"continue with '{name_command('resume', jobdir)}' to stop only some jobs,"
            f" or end all of it with '{name_command('stop', jobdir)}'",
        )
    send_request(jobdir, {"stop_jobs": open_})
    wait_for_answer(
        jobdir, lambda: all(read_state(jobdir).jobs[number].has_ended for number in open_)
    )
    after = read_state(jobdir).jobs
    for number in open_:
        print_message(f"{job_name(jobdir.name, number)} is {after[number].status}")


def _stop_tuning_job(jobdir: JobDir) -> None:
    state = read_state(jobdir)
    if has_tuner(jobdir):
        send_request(jobdir, {"stop_jobs": None})
        wait_for_answer(jobdir, lambda: not has_tuner(jobdir))
        print_message(f"{jobdir.name}: stopped")
    elif state.status in ("Completed", "Failed") or (
        state.status == "Stopped" and state.stop_reason == "StoppedByUser"
    ):
        print_message(f"{jobdir.name} is already {state.status}")
    else:
        _stop_without_tuner(jobdir)
    if find_below(jobdir.path):
        with hold_lock(jobdir):
            _end_left(jobdir, jobdir.path)


def _end_left(jobdir: JobDir, directory: Path) -> None:
    """End what training jobs that have ended left running: without a word if there is nothing."""
    grace = float(read_state(jobdir, only_latest=True).spec.get("stop_grace_seconds", 0))
    print_ended(end_processes(lambda: find_below(directory), 0.0, grace))


def _stop_without_tuner(jobdir: JobDir) -> None:
    """Be the tuner of a tuning job for as long as stopping takes: its jobs may be alive."""
    from hpt_cli.checks.prerequisites import measure_for
    from hpt_cli.cli.session import open_session
    from hpt_cli.spec.model import load_spec

    with open_session(plain=True, quiet=True, detached=False) as session, hold_lock(jobdir):
        state = read_state(jobdir)
        refuse_jobs_elsewhere(jobdir, state)
        session.signals.remember()
        send_request(jobdir, {"stop_jobs": None})
        capacity = measure_for(state.spec, os.environ)
        session.tune(jobdir, load_spec(state.spec), state, capacity)
